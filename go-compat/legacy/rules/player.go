package rules

import (
	"cmp"
	"slices"
	"unsafe"

	pb "treasurehunt.example/go-compat/gen/playerstatev1"
)

const timedKinds = 7 // SHIELD to CLOAK

// player is the hot state of a player, one cache line ("Player record").
type player struct {
	score         uint64
	inventory     uint64 // 16 counts of 4 bits, by ruleset index
	x, y          uint16
	version       uint32
	until         [timedKinds]uint32 // since the hunt's start; 0: the slot is clear
	cooldownUntil uint32
	magnitude     [timedKinds]uint8
	flags         uint8
}

const flagPresent = 1

// A player that outgrows its line does not compile.
var _ = [1]struct{}{}[unsafe.Sizeof(player{})-64]

func (p *player) present() bool { return p.flags&flagPresent != 0 }

func (p *player) setPresent(present bool) {
	if present {
		p.flags |= flagPresent
	} else {
		p.flags &^= flagPresent
	}
}

func (p *player) held(powerUp int) uint32 { return uint32(p.inventory >> (4 * powerUp) & 15) }

func (p *player) gain(powerUp int) { p.inventory += 1 << (4 * powerUp) }

func (p *player) spend(powerUp int) { p.inventory -= 1 << (4 * powerUp) }

// has tells whether a timed effect is on: its until is after now.
func (p *player) has(kind pb.EffectKind, now uint32) bool { return p.until[slot(kind)] > now }

// end clears an effect's slot, whether it was on or past.
func (p *player) end(kind pb.EffectKind) {
	p.until[slot(kind)], p.magnitude[slot(kind)] = 0, 0
}

func slot(kind pb.EffectKind) int { return int(kind - pb.EffectKind_EFFECT_KIND_SHIELD) }

// distance is Chebyshev's.
func (p *player) distance(x, y uint32) uint32 {
	return max(apart(uint32(p.x), x), apart(uint32(p.y), y))
}

func apart(a, b uint32) uint32 { return max(a, b) - min(a, b) }

func (p *player) summary() *pb.PlayerSummary {
	return &pb.PlayerSummary{X: uint32(p.x), Y: uint32(p.y), Score: p.score, Version: p.version}
}

// remembered is the 4 largest request ids applied for a player, ascending. An
// entry not yet in use is 0 and stands first.
type remembered [4]struct{ request, sequence uint64 }

// at gives the sequence at which a request was applied, if it is remembered.
func (r *remembered) at(request uint64) (uint64, bool) {
	for i := range r {
		if r[i].request == request {
			return r[i].sequence, true
		}
	}
	return 0, false
}

// tooOld tells a request that is behind the window: it may have been applied,
// and be forgotten.
func (r *remembered) tooOld(request uint64) bool { return r[0].request != 0 && request < r[0].request }

// add takes in a request that is neither remembered nor too old.
func (r *remembered) add(request, sequence uint64) {
	r[0].request, r[0].sequence = request, sequence
	for i := 1; i < len(r) && r[i].request < r[i-1].request; i++ {
		r[i], r[i-1] = r[i-1], r[i]
	}
}

// roster is all players who ever joined a hunt: dense records, an index by id.
type roster struct {
	index      map[uint64]int
	ids        []uint64
	players    []player
	remembered []remembered
	present    int
}

func newRoster() roster { return roster{index: make(map[uint64]int)} }

func (r *roster) add(id uint64, p player) int {
	at := len(r.ids)
	r.index[id] = at
	r.ids = append(r.ids, id)
	r.players = append(r.players, p)
	r.remembered = append(r.remembered, remembered{})
	return at
}

// ascending gives the places of all players, by id.
func (r *roster) ascending() []int {
	places := make([]int, len(r.ids))
	for i := range places {
		places[i] = i
	}
	r.sortByID(places)
	return places
}

func (r *roster) sortByID(places []int) {
	slices.SortFunc(places, func(a, b int) int {
		return cmp.Compare(r.ids[a], r.ids[b])
	})
}

// best gives the n best of all who ever joined: score descending, then id
// ascending.
func (r *roster) best(n int) []*pb.Standing {
	before := func(a, b int) int {
		return cmp.Or(
			cmp.Compare(r.players[b].score, r.players[a].score),
			cmp.Compare(r.ids[a], r.ids[b]),
		)
	}
	best := make([]int, 0, min(n, len(r.ids))+1)
	for i := range r.ids {
		if len(best) == n && (n == 0 || before(best[n-1], i) < 0) {
			continue
		}
		at, _ := slices.BinarySearchFunc(best, i, before)
		best = slices.Insert(best, at, i)
		best = best[:min(len(best), n)]
	}
	standings := make([]*pb.Standing, len(best))
	for i, place := range best {
		standings[i] = &pb.Standing{PlayerId: r.ids[place], Score: r.players[place].score}
	}
	return standings
}
