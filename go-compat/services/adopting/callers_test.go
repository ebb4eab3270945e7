//go:build e2e

package adopting

import (
	"bytes"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"

	"treasurehunt.example/go-compat/internal/skipped"
	"treasurehunt.example/go-compat/services/internal/shardtest"
	"treasurehunt.example/go-compat/services/localshard"
)

const (
	buildLimit = 5 * time.Minute // the first time; afterwards a build finds nothing to do
	playLimit  = 30 * time.Second
)

// caller is one of examples/. What it prints is held against these, line by line;
// of a line that ends in … the beginning.
type caller struct {
	name  string
	needs []string // programs that the machine must have
	run   []string // in the caller's folder; the target follows
	env   []string

	plays       []string
	noDeadline  string // what it prints of a call without a deadline; "" if it cannot make one
	noAuthority string // and of a Unix socket without the authority
}

// claimAuto is for a sidecar without a router.
var claimAuto = map[string][]string{"player-state": {"--claim", "auto"}}

// played is what the callers print that are written in other languages than Go.
var played = []string{
	"hunt at epoch 1",
	"join: APPLIED",
	"move: APPLIED",
	"dig: REJECTED NOTHING_HERE",
	"the move again: DUPLICATE at sequence 3",
	"its record says: APPLIED",
	"batch: REJECTED TOO_FAR",
	"batch: REFUSED INVALID power_up",
	"batch: APPLIED",
	"feed: created applied applied",
	"feed, on from the cursor: leave",
}

var callers = []caller{
	{
		name: "go", needs: []string{"go"}, run: []string{"bin/caller"},
		plays: []string{
			"hunt at epoch 1", "join: APPLIED", "move: APPLIED", "dig: REJECTED NOTHING_HERE",
			"the move again: DUPLICATE at sequence 3",
			"feed: 3 records", "leave: APPLIED", "feed, on from the cursor: 1 records", "leave: REJECTED NOT_JOINED",
		},
	},
	{
		name: "python", needs: []string{"python3"}, run: []string{".venv/bin/python", "caller.py"}, env: []string{"PYTHONPATH=gen"},
		plays: played, noDeadline: "INVALID_ARGUMENT", noAuthority: "INTERNAL Stream removed (RST_STREAM (Received RST_STREAM with error code 1))",
	},
	{
		name: "java", needs: []string{"javac", "mvn"}, run: []string{"java", "-cp", "target/classes:target/lib/*", "treasurehunt.example.Caller"},
		plays: played, noDeadline: "INVALID_ARGUMENT", noAuthority: "INTERNAL RST_STREAM closed stream. HTTP/2 error code: PROTOCOL_ERROR",
	},
	{
		name: "node", needs: []string{"node", "npm"}, run: []string{"node", "caller.js"},
		plays: played, noDeadline: "INVALID_ARGUMENT", noAuthority: "INTERNAL Received RST_STREAM with code 1",
	},
}

// TestCallersPlayAgainstTheSidecarAndTheRouter runs each caller at every address that
// it can be given.
func TestCallersPlayAgainstTheSidecarAndTheRouter(t *testing.T) {
	alone := shardtest.Start(t, localshard.Config{SidecarOnly: true, Args: claimAuto})
	shard := shardtest.Start(t, localshard.Config{Percent: 100})
	targets := []struct{ name, target, noDeadline string }{
		{"sidecar-unix", alone.SidecarSocket, "the call carries no deadline: set one, at most 2s, …"},
		{"sidecar-tcp", "tcp:" + alone.SidecarAddr, "the call carries no deadline: set one, at most 2s, …"},
		{"router-tcp", "tcp:" + shard.Router, "the call carries no deadline: set one, at most 2s, …"},
	}
	for _, caller := range callers {
		t.Run(caller.name, func(t *testing.T) {
			caller.build(t)
			for _, to := range targets {
				t.Run(to.name, func(t *testing.T) {
					want := caller.plays
					if caller.noDeadline != "" {
						want = append(want[:len(want):len(want)], "without a deadline: "+caller.noDeadline+" "+to.noDeadline)
						if strings.HasPrefix(to.target, "unix:") {
							want = append(want, "without the authority: "+caller.noAuthority)
						}
					}
					wantLines(t, caller.play(t, to.target), want)
				})
			}
		})
	}
}

// TestCallersAskAgainUnderTheSameRequestIDWhenACallHangs plays at a sidecar of which one
// call hangs until its deadline: after the greeting and the creation, the join.
func TestCallersAskAgainUnderTheSameRequestIDWhenACallHangs(t *testing.T) {
	for _, caller := range callers {
		if caller.noDeadline == "" {
			continue // the client of Go is tested where it is made
		}
		t.Run(caller.name, func(t *testing.T) {
			caller.build(t)
			hanging := shardtest.Start(t, localshard.Config{
				SidecarOnly: true, Args: claimAuto, Env: []string{"FAILPOINTS=handler_hangs=2*off->1*return->off"},
			})
			got := caller.play(t, hanging.SidecarSocket)
			wantLines(t, got[:min(len(got), 3)], []string{
				"hunt at epoch 1", "again under the same request_id, after DEADLINE_EXCEEDED", "join: APPLIED",
			})
		})
	}
}

// build gets and builds what the caller needs, or skips the test, aloud, on a machine
// that cannot.
func (c caller) build(t *testing.T) {
	t.Helper()
	for _, program := range c.needs {
		if _, err := exec.LookPath(program); err != nil {
			skipped.Test(t, fmt.Sprintf("examples/%s needs %s: install it", c.name, program))
		}
	}
	if out, err := c.command(t, buildLimit, "./build").CombinedOutput(); err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) && exit.ExitCode() == exitNotFetched {
			skipped.Test(t, fmt.Sprintf("examples/%s/build could not get what it pins: is its registry reached?\n%s", c.name, out))
		}
		t.Fatalf("examples/%s/build: %v\n%s", c.name, err, out)
	}
}

// exitNotFetched is the exit code of a build that could not get what it needs:
// EX_UNAVAILABLE, as everywhere in the project.
const exitNotFetched = 69

// play runs the caller to its end, and gives the lines that it printed.
func (c caller) play(t *testing.T, target string) []string {
	t.Helper()
	command := c.command(t, playLimit, append(c.run, target)...)
	var complaints bytes.Buffer
	command.Stderr = &complaints
	out, err := command.Output()
	if err != nil {
		t.Fatalf("%v: %v\n%s%s", command.Args, err, out, complaints.Bytes())
	}
	return strings.Split(strings.TrimSpace(string(out)), "\n")
}

func (c caller) command(t *testing.T, limit time.Duration, args ...string) *exec.Cmd {
	t.Helper()
	command := exec.CommandContext(within(t, limit), args[0], args[1:]...)
	command.Dir = absolute(t, root, "examples", c.name)
	command.Env = append(command.Environ(), c.env...)
	return command
}

// wantLines holds what was printed against what should be; … stands for any end of a line.
func wantLines(t *testing.T, got, want []string) {
	t.Helper()
	for i := range max(len(got), len(want)) {
		switch {
		case i >= len(got):
			t.Fatalf("after %d lines it ends; %q should follow", len(got), want[i])
		case i >= len(want):
			t.Fatalf("line %d is one too many: %q", i+1, got[i])
		case !like(got[i], want[i]):
			t.Fatalf("line %d is %q, want %q", i+1, got[i], want[i])
		}
	}
}

func like(got, want string) bool {
	if begins, ok := strings.CutSuffix(want, "…"); ok {
		return strings.HasPrefix(got, begins)
	}
	return got == want
}
