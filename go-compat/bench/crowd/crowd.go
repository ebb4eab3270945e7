// Package crowd is the players that a bench plays with. They walk, and dig now and
// then where they stand; nearly all that they do is applied. They know where they
// are from what they are answered, and nothing else.
package crowd

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"golang.org/x/sync/errgroup"

	"treasurehunt.example/go-compat/bench/load"
	pb "treasurehunt.example/go-compat/gen/playerstatev1"
)

// Engine is what a crowd plays on.
type Engine interface {
	CreateHunt(ctx context.Context, req *pb.CreateHuntRequest) (*pb.CreateHuntResponse, error)
	Apply(ctx context.Context, cmd *pb.Command) (*pb.Outcome, error)
}

// The hunts: as many players as a busy shard has in one, on a field with a treasure
// in every fourth cell, for longer than any bench takes.
const (
	Side      = 128 // cells
	Treasures = Side * Side / 4
	duration  = 24 * time.Hour
)

// Joining is by batches where the engine takes them, and so many commands are under
// way at once.
const (
	joining      = 256
	batchesAhead = 8
)

// Batcher is an engine that takes many commands in one call.
type Batcher interface {
	ApplyBatch(ctx context.Context, cmds []*pb.Command) ([]*pb.Outcome, error)
}

// Crowd is players in hunts. It plays on one engine, once.
type Crowd struct {
	// Treasures is how many lie in each hunt; to be set before SitDown.
	Treasures uint32

	seed    uint64
	hunts   []string
	perHunt int
	before  int // players of others
	seats   []seat
}

// New makes so many hunts, with so many players each. The same seed and as many callers
// play the same game.
func New(seed uint64, hunts, players int) *Crowd { return Beside(0, seed, hunts, players) }

// Beside makes a crowd that plays on an engine where others, of as many players a hunt,
// have so many hunts.
func Beside(others int, seed uint64, hunts, players int) *Crowd {
	c := &Crowd{Treasures: Treasures, seed: seed, perHunt: players, before: others * players, seats: make([]seat, hunts*players)}
	for hunt := range hunts {
		c.hunts = append(c.hunts, fmt.Sprintf("bench-%d", others+hunt))
	}
	return c
}

// Hunts are their ids.
func (c *Crowd) Hunts() []string { return c.hunts }

// SitDown makes the hunts and lets every player join.
func (c *Crowd) SitDown(ctx context.Context, engine Engine) error {
	for i, id := range c.hunts {
		if err := c.create(ctx, engine, i); err != nil {
			return fmt.Errorf("create the hunt %s: %w", id, err)
		}
	}
	sit, together, atOnce := c.joinOne(engine), 1, joining
	if batcher, takes := engine.(Batcher); takes {
		sit, together, atOnce = c.joinMany(batcher), joining, batchesAhead
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(atOnce)
	for first := 0; first < len(c.seats); first += together {
		group.Go(func() error { return sit(ctx, first, min(first+together, len(c.seats))) })
	}
	return group.Wait()
}

func (c *Crowd) create(ctx context.Context, engine Engine, hunt int) error {
	ctx, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	_, err := engine.CreateHunt(ctx, &pb.CreateHuntRequest{HuntId: c.hunts[hunt], Settings: &pb.HuntSettings{
		Seed: uint64(hunt) + 1, Width: Side, Height: Side, Treasures: c.Treasures,
		MaxPlayers: uint32(c.perHunt), DurationMs: uint64(duration.Milliseconds()),
	}})
	return err
}

// sitting lets the players from first to last, which is not one of them, join.
type sitting func(ctx context.Context, first, last int) error

func (c *Crowd) joinOne(engine Engine) sitting {
	return func(ctx context.Context, player, _ int) error {
		ctx, cancel := context.WithTimeout(ctx, answerWithin)
		defer cancel()
		outcome, err := engine.Apply(ctx, c.join(newCommand(), player))
		if err != nil {
			return fmt.Errorf("player %d joins: %w", c.id(player), err)
		}
		return c.joined(player, outcome)
	}
}

func (c *Crowd) joinMany(engine Batcher) sitting {
	return func(ctx context.Context, first, last int) error {
		ctx, cancel := context.WithTimeout(ctx, answerWithin)
		defer cancel()
		var cmds []*pb.Command
		for player := first; player < last; player++ {
			cmds = append(cmds, c.join(newCommand(), player))
		}
		outcomes, err := engine.ApplyBatch(ctx, cmds)
		if err != nil {
			return fmt.Errorf("players %d to %d join: %w", c.id(first), c.id(last-1), err)
		}
		for i, outcome := range outcomes {
			if err := c.joined(first+i, outcome); err != nil {
				return err
			}
		}
		return nil
	}
}

func (c *Crowd) id(player int) uint64 { return uint64(c.before+player) + 1 }

func (c *Crowd) joined(player int, outcome *pb.Outcome) error {
	kind, err := c.seats[player].learn(outcome)
	if err == nil && kind != load.Applied {
		err = fmt.Errorf("%s", outcome.GetRejection())
	}
	if err != nil {
		return fmt.Errorf("player %d joins the hunt %s: %w", c.id(player), c.hunts[player/c.perHunt], err)
	}
	return nil
}

// turns hands out the players of one of so many callers, in turn. A player belongs to
// one caller, so none has two commands under way.
func (c *Crowd) turns(caller, callers int) func() int {
	next := caller
	return func() int {
		player := next
		if next += callers; next >= len(c.seats) {
			next = caller
		}
		return player
	}
}

func (c *Crowd) random(caller int) *rand.Rand { return rand.New(rand.NewPCG(c.seed, uint64(caller))) }

// Callers splits the crowd among so many callers, as many as there are players at most,
// each of which lets its players act in turn.
func (c *Crowd) Callers(engine Engine, count int) []load.Send {
	sends := make([]load.Send, count)
	shared := make([]deadlines, count/callersADeadline+1)
	for i := range sends {
		turn, random := c.turns(i, count), c.random(i)
		deadline := &shared[i/callersADeadline]
		into := newCommand() // used again: an engine reads it until it has answered only
		sends[i] = func(ctx context.Context) (load.Kind, error) {
			player := turn()
			outcome, err := engine.Apply(deadline.next(ctx), c.act(into, player, random))
			if err != nil {
				return load.Rejected, err
			}
			return c.seats[player].learn(outcome)
		}
	}
	return sends
}

// Commands lets all players act in turn, without learning what is answered: a player that
// acts again may think that it is elsewhere. Each command is good until the next.
func (c *Crowd) Commands() func() *pb.Command {
	turn, random, into := c.turns(0, 1), c.random(0), newCommand()
	return func() *pb.Command { return c.act(into, turn(), random) }
}

// Ticks splits the crowd among so many callers, each of which lets so many of its players
// act at once, every one of them once, and waits for them all.
func (c *Crowd) Ticks(engine Batcher, count, size int) ([]load.Play, error) {
	if count*size > len(c.seats) {
		return nil, fmt.Errorf("%d callers with %d commands at once want as many players, and there are %d", count, size, len(c.seats))
	}
	plays := make([]load.Play, count)
	for i := range plays {
		turn, random := c.turns(i, count), c.random(i)
		deadline := new(deadlines)
		into, cmds, players := make([]*command, size), make([]*pb.Command, size), make([]int, size)
		for nth := range into {
			into[nth] = newCommand()
		}
		plays[i] = func(ctx context.Context, counted *load.Tally) {
			for nth := range cmds {
				players[nth] = turn()
				cmds[nth] = c.act(into[nth], players[nth], random)
			}
			outcomes, err := engine.ApplyBatch(deadline.next(ctx), cmds)
			for nth, player := range players {
				if err != nil {
					counted.Count(load.Rejected, err)
					continue
				}
				counted.Count(c.seats[player].learn(outcomes[nth]))
			}
		}
	}
	return plays, nil
}

// Players are as many callers as there are players.
func (c *Crowd) Players(engine Engine) []load.Send { return c.Callers(engine, len(c.seats)) }
