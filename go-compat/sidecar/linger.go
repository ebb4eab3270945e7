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

	// Sums over the last calls, which fade: how long they were out, how many commands
	// they had, and how many came meanwhile.
	flight               time.Duration
	calls, sent, arrived float64
}

const (
	// lingerBelow is how many commands are enough: what a call costs is then a small
	// part of what they cost themselves. This and the next two are for DefaultLinger.
	lingerBelow = 8
	// lingerExpects is how many more commands a wait must promise.
	lingerExpects = 0.5
	// lingerFades is what is left of the sums with each call.
	lingerFades = 7.0 / 8
	// quietFrom and quietUntil are so few commands a call that one lane is enough for all:
	// from the one on, in all lanes together, and up to the other.
	quietFrom, quietUntil = 12, 24
	// lingerSpares commands whose deadline is nearer than so many waits.
	lingerSpares = 8
)

// landed notes a call: how long it was out, how many commands it had, and how many came
// meanwhile.
func (l *linger) landed(flight time.Duration, sent int, arrived uint64) {
	l.flight = time.Duration(float64(l.flight)*lingerFades) + flight
	l.calls = l.calls*lingerFades + 1
	l.sent = l.sent*lingerFades + float64(sent)
	l.arrived = l.arrived*lingerFades + float64(arrived)
}

// promises says whether more commands will come in a wait.
func (l *linger) promises() bool {
	if l.sleep == nil || l.most <= 0 || l.flight <= 0 {
		return false
	}
	return l.arrived*float64(l.most)/float64(l.flight) >= lingerExpects
}

// quiet says whether so few commands come that one of so many lanes should send them all,
// or go on to. Of callers who wait for each other's answers that is never said.
func (l *linger) quiet(already bool, lanes int) bool {
	switch {
	case !l.promises():
		return false
	case already:
		return l.sent <= l.scaled(quietUntil)*l.calls
	default:
		return l.sent*float64(lanes) <= l.scaled(quietFrom)*l.calls
	}
}

// scaled is a number of commands for a wait that is longer than DefaultLinger: whoever
// sets one wants as much larger calls.
func (l *linger) scaled(commands float64) float64 {
	return commands * max(1, float64(l.most)/float64(DefaultLinger))
}

// pays says whether calls that are ready to be sent should wait.
func (l *linger) pays(calls []*call, now time.Time) bool {
	if float64(len(calls)) >= l.scaled(lingerBelow) || !l.promises() {
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
