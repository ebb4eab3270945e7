package check

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// root is the repository's.
const root = "../.."

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, path))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// after is what follows the first prefix in a text, to the end of its line.
func after(t *testing.T, text, prefix string) string {
	t.Helper()
	_, rest, found := strings.Cut("\n"+text, "\n"+prefix)
	if !found {
		t.Fatalf("no line begins %q", prefix)
	}
	line, _, _ := strings.Cut(rest, "\n")
	return strings.TrimSpace(line)
}

// tool runs a program that has to be content, and gives what it wrote. One that the
// machine has not got is skipped: loudly, and counted in the file that SKIPPED_FILE
// names.
func tool(t *testing.T, name string, args ...string) (output string) {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		skip(t, "there is no "+name+"; scripts/install-deploy-tools says how to get it")
	}
	written, err := exec.CommandContext(t.Context(), path, args...).CombinedOutput()
	if err != nil {
		t.Errorf("%s %s: %v\n%s", name, strings.Join(args, " "), err, written)
	}
	return string(written)
}

// skip does what go-compat/internal/skipped does, which another module cannot import.
func skip(t *testing.T, lacks string) {
	t.Helper()
	if path := os.Getenv("SKIPPED_FILE"); path != "" {
		file, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		if _, err := fmt.Fprintf(file, "%s: %s\n", t.Name(), lacks); err != nil {
			t.Fatal(err)
		}
	}
	t.Skipf("SKIPPED: %s", lacks)
}
