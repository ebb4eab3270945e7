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

// answerWithin is how long a command may take. It is far above every goal, so that a
// slow answer is measured and not cut off.
const answerWithin = 2 * time.Second

// joining is how many players sit down at once.
const joining = 256

// Crowd is players in hunts. It plays on one engine, once.
type Crowd struct {
	// Treasures is how many lie in each hunt; to be set before SitDown.
	Treasures uint32

	hunts []string
	seats []*seat
}

// New makes so many hunts, with so many players each. The same seed plays the same game.
func New(seed uint64, hunts, players int) *Crowd {
	c := &Crowd{Treasures: Treasures}
	for hunt := range hunts {
		id := fmt.Sprintf("bench-%d", hunt)
		c.hunts = append(c.hunts, id)
		for player := range players {
			c.seats = append(c.seats, &seat{
				random: rand.New(rand.NewPCG(seed, uint64(len(c.seats)))),
				cmd:    pb.Command{HuntId: id, PlayerId: uint64(hunt*players+player) + 1},
			})
		}
	}
	return c
}

// SitDown makes the hunts and lets every player join.
func (c *Crowd) SitDown(ctx context.Context, engine Engine) error {
	for i, id := range c.hunts {
		_, err := engine.CreateHunt(ctx, &pb.CreateHuntRequest{HuntId: id, Settings: &pb.HuntSettings{
			Seed: uint64(i) + 1, Width: Side, Height: Side, Treasures: c.Treasures,
			MaxPlayers: uint32(len(c.seats) / len(c.hunts)), DurationMs: uint64(duration.Milliseconds()),
		}})
		if err != nil {
			return fmt.Errorf("create the hunt %s: %w", id, err)
		}
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(joining)
	for _, s := range c.seats {
		group.Go(func() error {
			kind, err := s.join(ctx, engine)
			if err == nil && kind != load.Applied {
				err = fmt.Errorf("rejected")
			}
			if err != nil {
				return fmt.Errorf("player %d joins the hunt %s: %w", s.cmd.GetPlayerId(), s.cmd.GetHuntId(), err)
			}
			return nil
		})
	}
	return group.Wait()
}

// Callers splits the crowd among so many callers, each of which lets its players act
// in turn. A player belongs to one caller, so none has two commands under way.
func (c *Crowd) Callers(engine Engine, count int) []load.Send {
	sends := make([]load.Send, count)
	for i := range sends {
		next := i
		sends[i] = func(ctx context.Context) (load.Kind, error) {
			s := c.seats[next]
			if next += count; next >= len(c.seats) {
				next = i
			}
			return s.act(ctx, engine)
		}
	}
	return sends
}

// Players are as many callers as there are players.
func (c *Crowd) Players(engine Engine) []load.Send { return c.Callers(engine, len(c.seats)) }
