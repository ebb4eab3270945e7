package load

import (
	"context"
	"math/rand/v2"
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// Poisson gives the gaps of arrivals that do not know of each other, at so many a
// second on average. The same seed gives the same gaps.
func Poisson(seed uint64, perSecond float64) func() time.Duration {
	random := rand.New(rand.NewPCG(seed, 0x6c6f_6164))
	mean := float64(time.Second) / perSecond
	return func() time.Duration { return time.Duration(random.ExpFloat64() * mean) }
}

// pace calls arrive at each time of the schedule, with that time, until the schedule
// comes to the time until or ctx is over. The schedule does not wait for arrive: after
// a late arrival those that were due meanwhile follow at once, each with its own time.
//
// Go's own timers fire up to a millisecond late in a process that has nothing else
// to do, so the thread sleeps by itself.
func pace(ctx context.Context, gap func() time.Duration, from, until time.Time, arrive func(scheduled time.Time)) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	for next := from.Add(gap()); next.Before(until) && ctx.Err() == nil; next = next.Add(gap()) {
		for wait := time.Until(next); wait > 0; wait = time.Until(next) {
			rest := unix.NsecToTimespec(int64(wait))
			_ = unix.Nanosleep(&rest, nil) // a signal may end it early: then it sleeps again
		}
		arrive(next)
	}
}
