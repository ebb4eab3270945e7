//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"treasurehunt.example/go-compat/enginetest"
	pb "treasurehunt.example/go-compat/gen/playerstatev1"
	"treasurehunt.example/go-compat/playerstate"
	"treasurehunt.example/go-compat/services/internal/shardtest"
	"treasurehunt.example/go-compat/services/localshard"
)

// TestBothServersHoldTheSeam runs the suite that an adopter's engine is held to
// against both programs, through the batching client, and stops them in their tracks
// where it asks for a stall.
func TestBothServersHoldTheSeam(t *testing.T) {
	t.Parallel()
	for _, server := range []struct {
		name string
		args []string
	}{
		{"legacy-engine", nil},
		{"player-state", []string{"serve"}},
	} {
		for claim, options := range map[string][]enginetest.Option{
			"auto":   nil,
			"router": {enginetest.CreatedByRouter()},
		} {
			t.Run(server.name+" claim "+claim, func(t *testing.T) {
				process, target := serveAlone(t, server.name, append(server.args, "--claim", claim)...)
				newClient := func(t testing.TB) playerstate.Commander { return dial(t, target) }
				stall := func(t testing.TB, client playerstate.Commander, _ string) func() {
					pause(t, process, client)
					return func() {
						if err := process.Resume(); err != nil {
							t.Error(err)
						}
					}
				}
				enginetest.Run(t, enginetest.Feeder, newClient, append(options, enginetest.Stall(stall))...)
			})
		}
	}
}

// pause stops a process and waits until it has: the signal takes a moment to reach
// all of its threads.
func pause(t testing.TB, process *localshard.Process, client playerstate.Commander) {
	t.Helper()
	if err := process.Pause(); err != nil {
		t.Fatal(err)
	}
	err := localshard.Await(10*time.Second, func() error {
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		_, err := client.GetHunt(ctx, &pb.GetHuntRequest{HuntId: "nobody-has-it"})
		if status.Code(err) == codes.DeadlineExceeded {
			return nil
		}
		return fmt.Errorf("it still answers: %v", err)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// serveAlone runs one engine without a shard around it, until the test ends.
func serveAlone(t *testing.T, name string, args ...string) (process *localshard.Process, target string) {
	t.Helper()
	dir := shardtest.Dir(t)
	target = "unix:" + filepath.Join(dir, "engine.sock")
	return shardtest.Run(t, localshard.Config{Dir: dir}, name, append(args, "--listen", target)...), target
}
