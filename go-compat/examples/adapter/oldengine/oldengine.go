// Package oldengine stands for the engine that a shop already has. It knows nothing
// of this project: players are UUIDs, errors are its own, walking and digging are by
// its own rules, and it is not safe for concurrent use within one game.
package oldengine

import (
	"cmp"
	"errors"
	"math/rand/v2"
	"slices"
	"time"
)

// UUID is who a player is.
type UUID [16]byte

// The errors of a game.
var (
	ErrOver    = errors.New("the game is over")
	ErrFull    = errors.New("no seat is free")
	ErrNotIn   = errors.New("not in the game")
	ErrOffMap  = errors.New("off the map")
	ErrTooFar  = errors.New("too far to walk")
	ErrNothing = errors.New("nothing to dig up")
)

// Rules are those of one game.
type Rules struct {
	Seed    uint64
	Width   int
	Height  int
	Chests  int
	Seats   int
	Lasting time.Duration
}

// Spot is a place on the map.
type Spot struct{ X, Y int }

// Rank is a player and what they have dug up.
type Rank struct {
	Who  UUID
	Gold int
}

type explorer struct {
	at   Spot
	gold int
	in   bool
}

// Game is one game. One goroutine at a time may use it.
type Game struct {
	rules   Rules
	began   time.Time
	over    time.Time // zero while it runs
	dice    *rand.Rand
	chests  map[Spot]int
	players map[UUID]*explorer
}

// Begin lays out a game. It is over after its time.
func Begin(rules Rules) *Game {
	g := &Game{
		rules: rules, began: time.Now(), dice: rand.New(rand.NewPCG(rules.Seed, 1)),
		chests: map[Spot]int{}, players: map[UUID]*explorer{},
	}
	for len(g.chests) < rules.Chests {
		g.chests[g.anywhere()] = 1 + g.dice.IntN(50)
	}
	return g
}

func (g *Game) anywhere() Spot {
	return Spot{g.dice.IntN(g.rules.Width), g.dice.IntN(g.rules.Height)}
}

// Began is when it began.
func (g *Game) Began() time.Time { return g.began }

// Over tells whether it is over, and when it ends or did.
func (g *Game) Over() (bool, time.Time) {
	if !g.over.IsZero() {
		return true, g.over
	}
	due := g.began.Add(g.rules.Lasting)
	return !time.Now().Before(due), due
}

// Finish ends it now, if it is not over.
func (g *Game) Finish() {
	if over, _ := g.Over(); !over {
		g.over = time.Now()
	}
}

// Enter seats a player. Who comes back stands where they stood.
func (g *Game) Enter(who UUID) error {
	if over, _ := g.Over(); over {
		return ErrOver
	}
	known := g.players[who]
	if known != nil && known.in {
		return nil
	}
	if g.Seated() >= g.rules.Seats {
		return ErrFull
	}
	if known == nil {
		known = &explorer{at: g.anywhere()}
		g.players[who] = known
	}
	known.in = true
	return nil
}

// Seated is how many are in the game.
func (g *Game) Seated() (n int) {
	for _, p := range g.players {
		if p.in {
			n++
		}
	}
	return n
}

// Exit frees a player's seat.
func (g *Game) Exit(who UUID) error {
	p, err := g.inGame(who)
	if err != nil {
		return err
	}
	p.in = false
	return nil
}

// Walk takes a player up to two steps.
func (g *Game) Walk(who UUID, to Spot) error {
	p, err := g.inGame(who)
	switch {
	case err != nil:
		return err
	case to.X < 0 || to.Y < 0 || to.X >= g.rules.Width || to.Y >= g.rules.Height:
		return ErrOffMap
	case max(to.X-p.at.X, p.at.X-to.X)+max(to.Y-p.at.Y, p.at.Y-to.Y) > 2:
		return ErrTooFar
	}
	p.at = to
	return nil
}

// Dig opens the chest at a player's feet.
func (g *Game) Dig(who UUID) (gold int, err error) {
	p, err := g.inGame(who)
	if err != nil {
		return 0, err
	}
	gold, there := g.chests[p.at]
	if !there {
		return 0, ErrNothing
	}
	delete(g.chests, p.at)
	p.gold += gold
	return gold, nil
}

func (g *Game) inGame(who UUID) (*explorer, error) {
	if over, _ := g.Over(); over {
		return nil, ErrOver
	}
	if p := g.players[who]; p != nil && p.in {
		return p, nil
	}
	return nil, ErrNotIn
}

// Look tells where a player stands, what they have, and whether they are in.
func (g *Game) Look(who UUID) (at Spot, gold int, in, known bool) {
	if p := g.players[who]; p != nil {
		return p.at, p.gold, p.in, true
	}
	return Spot{}, 0, false, false
}

// Buried is how many chests are left.
func (g *Game) Buried() int { return len(g.chests) }

// Ranks are all players who were ever in, richest first.
func (g *Game) Ranks() []Rank {
	ranks := make([]Rank, 0, len(g.players))
	for who, p := range g.players {
		ranks = append(ranks, Rank{Who: who, Gold: p.gold})
	}
	slices.SortFunc(ranks, func(a, b Rank) int {
		return cmp.Or(b.Gold-a.Gold, slices.Compare(a.Who[:], b.Who[:]))
	})
	return ranks
}
