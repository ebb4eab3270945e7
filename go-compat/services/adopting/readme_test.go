//go:build e2e

package adopting

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"treasurehunt.example/go-compat/services/internal/shardtest"
	"treasurehunt.example/go-compat/services/localshard"
)

// takesUp is a program around the lines that the README adds to a shard. It makes a
// hunt and asks the sidecar, behind the router's back, whether it is there.
const takesUp = `// Command takesup is the README's example, run.
package main

import (
	"context"
	"fmt"
	"os"

	pb "treasurehunt.example/go-compat/gen/playerstatev1"
	"treasurehunt.example/go-compat/legacy"
	"treasurehunt.example/go-compat/playerstate"
	"treasurehunt.example/go-compat/rollout"
	"treasurehunt.example/go-compat/router"
	"treasurehunt.example/go-compat/sidecar"
)

func takeUp(ctx context.Context) (playerstate.Engine, error) {
LINES
	return engine, err
}

func main() {
	ctx := context.Background()
	engine, err := takeUp(ctx)
	fail(err)
	hunt := &pb.GetHuntRequest{HuntId: "the-readmes"}
	_, err = engine.CreateHunt(ctx, &pb.CreateHuntRequest{HuntId: hunt.HuntId, Settings: &pb.HuntSettings{
		Width: 16, Height: 16, MaxPlayers: 10, DurationMs: 600_000,
	}})
	fail(err)
	behind, err := sidecar.Dial(sidecar.Config{Target: os.Args[1]})
	fail(err)
	got, err := behind.GetHunt(ctx, hunt)
	fail(err)
	fail(engine.Close(ctx))
	fmt.Println("the sidecar has it, at epoch", got.GetEpoch())
}

func fail(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
`

// TestTheReadmesConstructorCompilesAndTakesUpTheSidecar builds the lines that the README
// adds, and runs them with a sidecar beside.
func TestTheReadmesConstructorCompilesAndTakesUpTheSidecar(t *testing.T) {
	sidecar := shardtest.Start(t, localshard.Config{SidecarOnly: true})
	code := strings.Join(addedLines(t, "README.md"), "\n")
	for readmes, ours := range map[string]string{
		"/etc/shard/flags/player-state.flagd.json": sidecar.FlagFile(),
		"unix:/run/player-state/player-state.sock": sidecar.SidecarSocket,
		"/var/lib/shard/ledger.db":                 filepath.Join(sidecar.Dir, "ledger.db"),
	} {
		if strings.Count(code, readmes) != 1 {
			t.Fatalf("the README's lines do not name %s once, which the test puts its own in place of:\n%s", readmes, code)
		}
		code = strings.Replace(code, readmes, ours, 1)
	}
	if err := sidecar.SetPercent(100); err != nil {
		t.Fatal(err)
	}

	module, overlay := absolute(t, root, "go-compat/cmd"), layOver(t, "takesup", strings.Replace(takesUp, "LINES", code, 1))
	binary := filepath.Join(sidecar.Dir, "takesup")
	build := exec.CommandContext(within(t, buildLimit), "go", "build", overlay, "-o", binary, "./takesup")
	build.Dir = module
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	run := exec.CommandContext(within(t, playLimit), binary, sidecar.SidecarSocket)
	var complaints strings.Builder
	run.Stderr = &complaints
	out, err := run.Output()
	if err != nil {
		t.Fatalf("%v\n%s%s", err, out, complaints.String())
	}
	if want := "the sidecar has it, at epoch 1\n"; string(out) != want {
		t.Errorf("%q, want %q", out, want)
	}
}

// addedLines are the lines that the one diff of a file adds.
func addedLines(t *testing.T, path string) []string {
	t.Helper()
	var added []string
	for _, b := range blocksOf(t, path) {
		if b.language != "diff" {
			continue
		}
		if added != nil {
			t.Fatalf("%s: a second diff; the test knows of one", b.at)
		}
		for _, line := range b.lines {
			if line, ok := strings.CutPrefix(line, "+"); ok {
				added = append(added, line)
			}
		}
	}
	if added == nil {
		t.Fatalf("%s adds no lines in any diff", path)
	}
	return added
}

// layOver gives the flag with which the go tool sees a command in go-compat/cmd that is
// not there.
func layOver(t *testing.T, command, code string) string {
	t.Helper()
	dir := t.TempDir()
	source, overlay := filepath.Join(dir, "main.go"), filepath.Join(dir, "overlay.json")
	text, err := json.Marshal(map[string]map[string]string{
		"Replace": {absolute(t, root, "go-compat/cmd", command, "main.go"): source},
	})
	if err != nil {
		t.Fatal(err)
	}
	for path, content := range map[string][]byte{source: []byte(code), overlay: text} {
		if err := os.WriteFile(path, content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return "-overlay=" + overlay
}

func within(t *testing.T, limit time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	t.Cleanup(cancel)
	return ctx
}
