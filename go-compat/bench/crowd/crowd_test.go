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
		result, err := load.Closed{Callers: load.OneByOne(c.Callers(all, callers)), Length: 100 * time.Millisecond}.Run(t.Context())
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

// TestCrowdsBesideEachOtherShareNoPlayer plays two on one engine: a player or a hunt of
// both would be refused to the second.
func TestCrowdsBesideEachOtherShareNoPlayer(t *testing.T) {
	engine := legacy.New(legacy.Config{Claim: legacy.ClaimAuto})
	t.Cleanup(func() {
		if err := engine.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	ids := &watched{Engine: engine, t: t, under: make(map[uint64]bool), highest: make(map[uint64]uint64)}
	for others := range 3 {
		if err := Beside(2*others, 1, 2, 20).SitDown(t.Context(), ids); err != nil {
			t.Fatal(err)
		}
	}
	if len(ids.highest) != 3*2*20 {
		t.Errorf("%d players have joined", len(ids.highest))
	}
}

// batches sees to it that no player is in a batch twice, and counts who was in any.
type batches struct {
	*legacy.Engine
	t    *testing.T
	size int
	mu   sync.Mutex // guards seen
	seen map[uint64]int
}

func (b *batches) ApplyBatch(ctx context.Context, cmds []*pb.Command) ([]*pb.Outcome, error) {
	if len(cmds) != b.size {
		b.t.Errorf("a tick of %d commands", len(cmds))
	}
	in := make(map[uint64]bool)
	for _, cmd := range cmds {
		if in[cmd.GetPlayerId()] {
			b.t.Errorf("player %d has two commands in a tick", cmd.GetPlayerId())
		}
		in[cmd.GetPlayerId()] = true
	}
	b.mu.Lock()
	for player := range in {
		b.seen[player]++
	}
	b.mu.Unlock()
	return b.Engine.ApplyBatch(ctx, cmds)
}

// TestATickIsOneCommandOfEachOfItsPlayers: a player who came twice would be rejected or
// wait for himself, and one who never came would not be a part of the crowd.
func TestATickIsOneCommandOfEachOfItsPlayers(t *testing.T) {
	engine := legacy.New(legacy.Config{Claim: legacy.ClaimAuto})
	t.Cleanup(func() {
		if err := engine.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	c := New(1, 3, 20)
	if err := c.SitDown(t.Context(), engine); err != nil {
		t.Fatal(err)
	}
	all := &batches{Engine: engine, t: t, size: 7, seen: make(map[uint64]int)}
	ticks, err := c.Ticks(all, 2, 7)
	if err != nil {
		t.Fatal(err)
	}
	result, err := load.Closed{Callers: ticks, Length: 100 * time.Millisecond}.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if result.Failed() > 0 || result.AppliedShare() < 0.8 {
		t.Errorf("%d applied, %d rejected, errors %v", result.Applied, result.Rejected, result.Errors)
	}
	if result.Answered()%7 != 0 {
		t.Errorf("%d commands were answered, in ticks of 7", result.Answered())
	}
	if len(all.seen) != 60 {
		t.Errorf("%d of 60 players did something", len(all.seen))
	}
	if _, err := c.Ticks(all, 2, 31); err == nil {
		t.Error("62 commands at once of 60 players")
	}
}
