package playerstate

import (
	"sync/atomic"
	"time"
)

// requestIDCounterBits is how many ids a millisecond holds, as a power of two.
// More than 2^20 in one millisecond borrow from the next.
const requestIDCounterBits = 20

// RequestIDs issues request ids that only ascend, as RULES asks of the ids of
// one player: a player remembers the largest few, and refuses what is older.
//
// An id is the Unix time in milliseconds and a counter, so that services which
// serve a player one after the other continue each other's order without
// talking to each other. Services that serve one player at the same time must
// share one RequestIDs: two that issue ids in the same millisecond issue the same
// ones, and the second command is answered DUPLICATE of the first, unapplied.
//
// When the wall clock steps back, ids go on from the highest that was issued; only
// a process that starts after such a step can be behind, and then its commands are
// answered REQUEST_TOO_OLD until the clock has caught up. Safe for concurrent use.
type RequestIDs struct {
	last atomic.Uint64
	now  func() time.Time
}

// NewRequestIDs issues ids from the wall clock.
func NewRequestIDs() *RequestIDs {
	return &RequestIDs{now: time.Now}
}

// Next issues an id above every other that this RequestIDs has issued; never 0.
func (r *RequestIDs) Next() uint64 {
	for {
		last := r.last.Load()
		next := max(last+1, r.floor())
		if r.last.CompareAndSwap(last, next) {
			return next
		}
	}
}

// floor is the lowest id of the present millisecond.
func (r *RequestIDs) floor() uint64 {
	ms := r.now().UnixMilli()
	if ms < 0 { // a clock before 1970 must not wrap to the highest ids there are
		return 0
	}
	return uint64(ms) << requestIDCounterBits
}
