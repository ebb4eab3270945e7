package bots

import (
	"sync"

	pb "treasurehunt.example/go-compat/gen/playerstatev1"
)

// terrain is what the bots of one hunt know together: where treasures and caches
// lie, computed from the hunt's seed as a player with a walkthrough would know,
// and where everybody was last seen. It is a guess, never the truth: the engine's
// answers correct it. Safe for concurrent use; mu guards all fields below it and
// is never held over a call.
type terrain struct {
	width, height int

	mu        sync.Mutex
	treasures map[cell]bool
	caches    map[cell]bool
	seen      map[uint64]sighting
}

type cell struct{ x, y int }

// sighting is a player where an answer last showed them.
type sighting struct {
	at    cell
	score uint64
}

func newTerrain(start *pb.HuntSnapshot) *terrain {
	t := &terrain{
		width:     int(start.GetSettings().GetWidth()),
		height:    int(start.GetSettings().GetHeight()),
		treasures: make(map[cell]bool, len(start.GetTreasures())),
		caches:    make(map[cell]bool, len(start.GetCaches())),
		seen:      make(map[uint64]sighting),
	}
	for _, treasure := range start.GetTreasures() {
		t.treasures[cell{int(treasure.GetX()), int(treasure.GetY())}] = true
	}
	for _, cache := range start.GetCaches() {
		t.caches[cell{int(cache.GetX()), int(cache.GetY())}] = true
	}
	return t
}

// learn takes in an answer: who stands where, and what is gone.
func (t *terrain) learn(player uint64, cmd *pb.Command, outcome *pb.Outcome) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if p := outcome.GetPlayer(); p != nil {
		at := cell{int(p.GetX()), int(p.GetY())}
		t.seen[player] = sighting{at, p.GetScore()}
		t.forgetEmptied(at, cmd, outcome)
	}
	for _, impact := range outcome.GetImpacts() {
		before := t.seen[impact.GetPlayerId()]
		t.seen[impact.GetPlayerId()] = sighting{
			at:    cell{int(impact.GetX()), int(impact.GetY())},
			score: uint64(max(0, int64(before.score)+impact.GetScoreChange())),
		}
	}
}

// forgetEmptied drops what a dig or a pick-up took, or found taken by another.
func (t *terrain) forgetEmptied(at cell, cmd *pb.Command, outcome *pb.Outcome) {
	gone := outcome.GetVerdict() == pb.Verdict_VERDICT_APPLIED ||
		outcome.GetRejection() == pb.Rejection_REJECTION_NOTHING_HERE
	switch cmd.GetAction().(type) {
	case *pb.Command_Dig:
		if gone {
			delete(t.treasures, at)
		}
		for _, treasure := range outcome.GetTreasures() {
			delete(t.treasures, cell{int(treasure.GetX()), int(treasure.GetY())})
		}
	case *pb.Command_PickUp:
		if gone {
			delete(t.caches, at)
		}
	}
}

// holds says what is thought to lie in a cell.
func (t *terrain) holds(at cell) (treasure, cache bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.treasures[at], t.caches[at]
}

// pass stops everybody from wanting the cache of a cell: who stands there cannot carry more.
func (t *terrain) pass(at cell) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.caches, at)
}

// nearest finds the closest thing worth walking to; ties go to the smaller cell,
// so that a seed gives the same walk again.
func (t *terrain) nearest(from cell) (cell, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	var best cell
	bestDistance := -1
	for _, things := range []map[cell]bool{t.treasures, t.caches} {
		for at := range things {
			d := distance(from, at)
			if bestDistance < 0 || d < bestDistance || d == bestDistance && before(at, best) {
				best, bestDistance = at, d
			}
		}
	}
	return best, bestDistance >= 0
}

// victim finds whom a hostile power-up hurts most: the richest other player
// within reach (0: anywhere).
func (t *terrain) victim(self uint64, from cell, reach int) (uint64, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	var richest uint64
	for id, other := range t.seen {
		if id == self || reach > 0 && distance(from, other.at) > reach {
			continue
		}
		known := t.seen[richest]
		if richest == 0 || other.score > known.score || other.score == known.score && id < richest {
			richest = id
		}
	}
	return richest, richest != 0
}

// distance is Chebyshev's, as the rules have it.
func distance(a, b cell) int {
	return max(abs(a.x-b.x), abs(a.y-b.y))
}

func before(a, b cell) bool {
	return a.y < b.y || a.y == b.y && a.x < b.x
}

func abs(n int) int {
	return max(n, -n)
}
