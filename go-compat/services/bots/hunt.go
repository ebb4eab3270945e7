package bots

import (
	"context"
	"sync"
	"time"

	pb "treasurehunt.example/go-compat/gen/playerstatev1"
	"treasurehunt.example/go-compat/playerstate"
)

// hunt is one hunt that bots sit in. Safe for concurrent use.
type hunt struct {
	id       string
	deadline time.Duration // of each try
	parties  int           // sitting in it; guarded by the fleet's mu
	opened   sync.Once
	ruleset  string // its name; set with terrain, before anybody plays
	terrain  *terrain
	endsAt   time.Time
	err      error
}

// open learns the hunt's settings once, for all who sit in it.
func (h *hunt) open(ctx context.Context, engine playerstate.Commander, walkthrough Walkthrough) error {
	h.opened.Do(func() {
		var answer *pb.GetHuntResponse
		h.endsAt = time.Now().Add(time.Minute) // until the answer says better
		h.persist(ctx, 0, func(ctx context.Context) error {
			answer, h.err = engine.GetHunt(ctx, &pb.GetHuntRequest{HuntId: h.id})
			return h.err
		})
		if h.err != nil {
			return
		}
		h.endsAt = time.UnixMilli(answer.GetEndsAtMs())
		h.ruleset = answer.GetSettings().GetRuleset()
		var start *pb.HuntSnapshot
		if start, h.err = walkthrough(h.id, answer.GetSettings()); h.err == nil {
			h.terrain = newTerrain(start)
		}
	})
	return h.err
}

// persist tries until try succeeds, at most until patience after the hunt's end,
// and says whether it did.
func (h *hunt) persist(ctx context.Context, patience time.Duration, try func(context.Context) error) bool {
	const shortest, longest = 20 * time.Millisecond, 500 * time.Millisecond
	wait := shortest
	for {
		if ctx.Err() != nil {
			return false
		}
		attempt, cancel := context.WithTimeout(ctx, h.deadline)
		err := try(attempt)
		cancel()
		if err == nil {
			return true
		}
		if time.Now().After(h.endsAt.Add(patience)) {
			return false
		}
		select {
		case <-ctx.Done():
			return false
		case <-time.After(wait):
		}
		wait = min(2*wait, longest)
	}
}
