package legacy

import (
	"time"

	"treasurehunt.example/go-compat/playerstate"
)

// sweepEvery is well under the second within which an end has to be recorded.
const sweepEvery = 250 * time.Millisecond

// sweep ends hunts whose time is up though nobody asks them anything, drops those
// that ended long ago, and looks at the wall clock.
func (e *Engine) sweep() {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	wall := watchWall(e.clock)
	for {
		select {
		case <-tick.C:
			wall.look(e.clock, e.log)
			e.hunts.each(e.sweepHunt)
		case <-e.life.Done():
			return
		}
	}
}

func (e *Engine) sweepHunt(h *hunt) {
	now := e.clock.Elapsed()
	overdue := time.Duration(h.time.Load().atMs(now)-h.dueAtMs) * time.Millisecond
	switch ended := h.ended.Load(); {
	case ended != 0 && now-time.Duration(ended) >= e.limits.EndedKept:
		e.drop(h)
	case ended == 0 && overdue >= e.limits.EndedKept: // only one in quarantine does not end
		e.drop(h)
	case ended == 0 && overdue >= 0:
		h.nudge()
	}
}

// nudge has the hunt look at its time. A full mailbox is no loss: whoever is in
// it has the hunt look as well.
func (h *hunt) nudge() {
	h.post(job{ask: &question{
		answer: func(*hunt, int64) *playerstate.Failure { return nil }, // looking is what every question begins with
		done:   make(chan *playerstate.Failure, 1),
	}})
}

// drop forgets a hunt that ended long ago. Its goroutine gives its room back.
func (e *Engine) drop(h *hunt) {
	e.gone.add(h.id) // first, so that the id is taken at any time
	e.hunts.remove(h)
	h.retire()
}
