package sidecar

import (
	"time"
)

// linger says when a sender with few commands waits a little for more. A call costs
// its sender and the sidecar some 50 µs of CPU together, whatever is in it: at
// 10,000 commands a second an unlingered call carries one to three.
//
// A wait pays only where more will come whatever is answered. So what counts is how
// many commands came while a call was out: of a caller alone, and of callers who all
// wait for the same call, that is none, and they never wait for company.
// Not safe for concurrent use: it is its sender's.
type linger struct {
	most  time.Duration       // 0: never
	sleep func(time.Duration) // nil: never

	// Sums over the last calls, which fade: how long they were out, and how many
	// commands came meanwhile.
	flight  time.Duration
	arrived float64
}

const (
	// lingerBelow is how many commands are enough: what a call costs is then a small
	// part of what they cost themselves.
	lingerBelow = 8
	// lingerExpects is how many more commands a wait must promise.
	lingerExpects = 0.5
	// lingerFades is what is left of the sums with each call.
	lingerFades = 7.0 / 8
	// lingerSpares commands whose deadline is nearer than so many waits.
	lingerSpares = 8
)

// landed notes a call, and how many commands came while it was out.
func (l *linger) landed(flight time.Duration, arrived uint64) {
	l.flight = time.Duration(float64(l.flight)*lingerFades) + flight
	l.arrived = l.arrived*lingerFades + float64(arrived)
}

// pays says whether calls that are ready to be sent should wait.
func (l *linger) pays(calls []*call, now time.Time) bool {
	if l.sleep == nil || l.most <= 0 || len(calls) >= lingerBelow || l.flight <= 0 {
		return false
	}
	expected := l.arrived * float64(l.most) / float64(l.flight)
	if expected < lingerExpects {
		return false
	}
	soon := now.Add(lingerSpares * l.most)
	for _, c := range calls {
		if c.deadline.Before(soon) {
			return false
		}
	}
	return true
}

func (l *linger) wait() { l.sleep(l.most) }
