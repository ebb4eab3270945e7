package sidecar

import "sync/atomic"

// fleet is the lanes of a client, and who sends for whom.
//
// Two lanes let one call be made ready while another is under way, which is how a busy
// client uses two cores. While few commands come that is of no use, and each call costs
// what it costs whatever is in it: so then the fleet is quiet, and the first lane's
// sender takes the commands of all lanes along. A sender takes hold of a lane (idle)
// before it looks at its queue, and keeps it until its call is back: so also then no two
// calls have commands of one player.
type fleet struct {
	lanes []*lane
	quiet atomic.Bool // changed by the first lane's sender
}

// senderOf is the lane whose sender sends what is queued in l.
func (f *fleet) senderOf(l *lane) *lane {
	if f.quiet.Load() && !l.isClosed() {
		return f.lanes[0]
	}
	return l
}

// carriedBy is the other lanes that l's sender sends for.
func (f *fleet) carriedBy(l *lane) []*lane {
	if l == f.lanes[0] && f.quiet.Load() {
		return f.lanes[1:]
	}
	return nil
}

// turn looks, after a call of the first lane, whether few commands come.
func (f *fleet) turn(l *lane) {
	if len(f.lanes) == 1 || l != f.lanes[0] {
		return
	}
	before := f.quiet.Load()
	if quiet := l.linger.quiet(before, len(f.lanes)); quiet != before {
		f.set(quiet)
	}
}

func (f *fleet) set(quiet bool) {
	f.quiet.Store(quiet)
	for _, lane := range f.lanes[1:] {
		lane.nudge() // what is queued has another sender now
	}
}
