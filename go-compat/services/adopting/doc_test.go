//go:build e2e

package adopting

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"treasurehunt.example/go-compat/services/internal/shardtest"
	"treasurehunt.example/go-compat/services/localshard"
)

const doc = "docs/adopting.md"

// docLimit is for all commands of the doc together.
const docLimit = time.Minute

// docAddr is an address that the doc names. The test puts a free one in its place.
var docAddr = regexp.MustCompile(`127\.0\.0\.1:\d+`)

// TestTheDocsCommandsDoWhatItSays runs the shell blocks of the doc as a reader would,
// one after the other, in an empty directory with a checkout beside it.
func TestTheDocsCommandsDoWhatItSays(t *testing.T) {
	shown := blocksOf(t, doc)
	var script strings.Builder
	script.WriteString("set -euo pipefail\n")
	var runs []block
	for _, b := range shown {
		switch {
		case b.language == "sh" && b.says == "run":
			script.WriteString(strings.Join(b.lines, "\n") + "\necho " + endOfBlock + "\n")
			runs = append(runs, b)
		case b.language == "sh":
			t.Errorf("%s: an sh block is run, so say `sh run`; what is not to be run is a console block", b.at)
		}
	}
	if len(runs) == 0 {
		t.Fatalf("%s has no sh run block: the test shows nothing", doc)
	}
	printed := strings.Split(shell(t, script.String()), endOfBlock+"\n")
	for i, run := range runs {
		next := slices.IndexFunc(shown, func(b block) bool { return b.at == run.at }) + 1
		if next < len(shown) && shown[next].language == "text" && shown[next].says == "output" {
			t.Run(shown[next].at, func(t *testing.T) { wantLines(t, lines(printed[i]), shown[next].lines) })
		}
	}
}

const endOfBlock = "-- end of block --"

func lines(text string) []string { return strings.Split(strings.TrimRight(text, "\n"), "\n") }

// shell runs a script to its end, and whatever it left running is ended then. It gives
// what was printed.
func shell(t *testing.T, script string) string {
	t.Helper()
	dir := shardtest.Dir(t)
	script = atFreeAddrs(t, script)
	for _, kept := range []string{"proto", "deploy"} {
		if err := os.Symlink(absolute(t, root, kept), filepath.Join(dir, kept)); err != nil {
			t.Fatal(err)
		}
	}
	command := exec.CommandContext(within(t, docLimit), "bash", "-c", script)
	command.Dir = dir
	tools := absolute(t, root, ".tools/bin")
	command.Env = append(command.Environ(), "PATH="+os.Getenv("BIN_DIR")+":"+tools+":"+os.Getenv("PATH"))
	// A group of its own, so that what it left running can be ended with it; and files
	// in place of pipes, which such a process would hold open.
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	printed, complaints := filepath.Join(dir, "stdout"), filepath.Join(dir, "stderr")
	command.Stdout, command.Stderr = create(t, printed), create(t, complaints)
	err := command.Run()
	if command.Process != nil {
		_ = syscall.Kill(-command.Process.Pid, syscall.SIGKILL) // fails where nothing is left running
	}
	if err != nil {
		t.Fatalf("%v\n%s\n%s", err, slurp(t, printed), slurp(t, complaints))
	}
	return slurp(t, printed)
}

// atFreeAddrs puts a free address of its own in the place of each that a script names.
func atFreeAddrs(t *testing.T, script string) string {
	t.Helper()
	free := map[string]string{}
	return docAddr.ReplaceAllStringFunc(script, func(addr string) string {
		if free[addr] == "" {
			var err error
			if free[addr], err = localshard.FreeAddr(); err != nil {
				t.Fatal(err)
			}
		}
		return free[addr]
	})
}

func create(t *testing.T, path string) *os.File {
	t.Helper()
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { file.Close() })
	return file
}

func slurp(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestTheDocsGoStandsInCodeThatIsCompiled holds each Go block of the doc against the
// file that it names, which `make lint` vets and `make test` runs.
func TestTheDocsGoStandsInCodeThatIsCompiled(t *testing.T) {
	found := 0
	for _, b := range blocksOf(t, doc) {
		if b.language != "go" {
			continue
		}
		if b.says == "" {
			t.Errorf("%s: a go block names the file that it stands in, as in ```go examples/go/caller/main.go", b.at)
			continue
		}
		found++
		if !contains(lines(read(t, b.says)), b.lines) {
			t.Errorf("%s: these lines do not stand in %s:\n%s", b.at, b.says, strings.Join(b.lines, "\n"))
		}
	}
	if found == 0 {
		t.Errorf("%s has no go block: the test shows nothing", doc)
	}
}

// contains says whether part stands in whole, line for line; indentation is the reader's.
func contains(whole, part []string) bool {
	same := func(a, b string) bool { return strings.TrimSpace(a) == strings.TrimSpace(b) }
	for i := 0; i+len(part) <= len(whole); i++ {
		if slices.EqualFunc(whole[i:i+len(part)], part, same) {
			return true
		}
	}
	return false
}
