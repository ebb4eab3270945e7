package crowd

import (
	"context"
	"sync"
	"testing"
	"time"

	"treasurehunt.example/go-compat/bench/load"
	pb "treasurehunt.example/go-compat/gen/playerstatev1"
	"treasurehunt.example/go-compat/legacy"
)

// watched sees to what the rules ask of callers: ids that ascend, and no second
// command of a player under way.
type watched struct {
	Engine
	t *testing.T

	mu      sync.Mutex // guards all below; not held over a call
	under   map[uint64]bool
	highest map[uint64]uint64
}

func (w *watched) Apply(ctx context.Context, cmd *pb.Command) (*pb.Outcome, error) {
	player := cmd.GetPlayerId()
	w.mu.Lock()
	if w.under[player] {
		w.t.Errorf("player %d has two commands under way", player)
	}
	if cmd.GetRequestId() <= w.highest[player] {
		w.t.Errorf("player %d: request %d after %d", player, cmd.GetRequestId(), w.highest[player])
	}
	w.under[player], w.highest[player] = true, cmd.GetRequestId()
	w.mu.Unlock()
	outcome, err := w.Engine.Apply(ctx, cmd)
	w.mu.Lock()
	w.under[player] = false
	w.mu.Unlock()
	return outcome, err
}

func TestNearlyAllThatACrowdDoesIsApplied(t *testing.T) {
	engine := legacy.New(legacy.Config{Claim: legacy.ClaimAuto})
	t.Cleanup(func() {
		if err := engine.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	all := &watched{Engine: engine, t: t, under: make(map[uint64]bool), highest: make(map[uint64]uint64)}
	c := New(1, 3, 20)
	if err := c.SitDown(t.Context(), all); err != nil {
		t.Fatal(err)
	}
	for _, callers := range []int{1, 7, 60} {
		result, err := load.Closed(t.Context(), c.Callers(all, callers), 0, 100*time.Millisecond)
		if err != nil {
			t.Fatal(err)
		}
		if result.Failed() > 0 || result.Applied == 0 || result.AppliedShare() < 0.8 {
			t.Errorf("%d callers: %d applied, %d rejected, errors %v", callers, result.Applied, result.Rejected, result.Errors)
		}
	}
	if len(all.highest) != 60 {
		t.Errorf("%d of 60 players did something", len(all.highest))
	}
}
