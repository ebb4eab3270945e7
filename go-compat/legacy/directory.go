package legacy

import (
	"sync"
	"sync/atomic"

	"google.golang.org/grpc/codes"

	pb "treasurehunt.example/go-compat/gen/playerstatev1"
	"treasurehunt.example/go-compat/playerstate"
)

// directory finds hunts by id. Hunts come seldom and are looked up all the time,
// which is what sync.Map is for: a look-up takes no lock.
type directory struct{ hunts sync.Map }

// find gives a hunt, or nil.
func (d *directory) find(id string) *hunt {
	if h, ok := d.hunts.Load(id); ok {
		return h.(*hunt)
	}
	return nil
}

// add puts a hunt in, or gives the one that has its id.
func (d *directory) add(h *hunt) (existing *hunt) {
	if other, there := d.hunts.LoadOrStore(h.id, h); there {
		return other.(*hunt)
	}
	return nil
}

func (d *directory) remove(h *hunt) { d.hunts.CompareAndDelete(h.id, h) }

func (d *directory) each(visit func(*hunt)) {
	d.hunts.Range(func(_, h any) bool {
		visit(h.(*hunt))
		return true
	})
}

// room counts what the hunts take, against the engine's limits.
type room struct{ hunts, players, placed atomic.Int64 }

// take makes room for a hunt.
func (r *room) take(limits *Limits, settings *pb.HuntSettings) *playerstate.Failure {
	if n := r.hunts.Add(1); n > limits.Hunts {
		r.hunts.Add(-1)
		return playerstate.RetryLater(codes.ResourceExhausted, retryLater,
			"this engine is at its limit of %d hunts (see legacy_hunts); a hunt that ended counts for %s more", limits.Hunts, limits.EndedKept)
	}
	if n := r.placed.Add(placedBy(settings)); n > limits.Placed {
		r.hunts.Add(-1)
		r.placed.Add(-placedBy(settings))
		return playerstate.RetryLater(codes.ResourceExhausted, retryLater,
			"this engine is at its limit of %d treasures and caches in all hunts; this hunt asks for %d", limits.Placed, placedBy(settings))
	}
	return nil
}

// give gives a hunt's room back.
func (r *room) give(settings *pb.HuntSettings, players int) {
	r.hunts.Add(-1)
	r.placed.Add(-placedBy(settings))
	r.players.Add(-int64(players))
}

func placedBy(settings *pb.HuntSettings) int64 {
	return int64(settings.GetTreasures()) + int64(settings.GetCaches())
}
