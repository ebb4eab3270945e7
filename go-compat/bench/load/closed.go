package load

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// Send sends one command, waits for its answer, and says what came of it.
type Send func(ctx context.Context) (Kind, error)

// Play sends some commands at once, waits for the answers, and counts them.
type Play func(ctx context.Context, counted *Tally)

// OneByOne lets callers play whose every command is a call of its own.
func OneByOne(sends []Send) []Play {
	plays := make([]Play, len(sends))
	for i, send := range sends {
		plays[i] = func(ctx context.Context, counted *Tally) { counted.Count(send(ctx)) }
	}
	return plays
}

// Closed is a closed loop: each caller plays again when it is answered.
type Closed struct {
	Callers []Play
	// What is answered in the time of Length after the time of WarmUp is counted.
	WarmUp, Length time.Duration
	// Border, if any, is called at the beginning and at the end of what is counted.
	Border func()
}

// ClosedResult is what a closed loop counted.
type ClosedResult struct {
	Tally
	// Callers is how many played at any time.
	Callers int `json:"callers"`
	// Seconds is how long was measured.
	Seconds float64 `json:"seconds"`
}

// AppliedPerSecond is the rate of the commands that changed something.
func (r ClosedResult) AppliedPerSecond() float64 { return float64(r.Applied) / r.Seconds }

// AnsweredPerSecond is the rate of all that were answered.
func (r ClosedResult) AnsweredPerSecond() float64 { return float64(r.Answered()) / r.Seconds }

// Run plays, and waits for the last answer.
func (c Closed) Run(ctx context.Context) (ClosedResult, error) {
	var measuring, over atomic.Bool
	tallies := make([]Tally, len(c.Callers))
	var all sync.WaitGroup
	for i, play := range c.Callers {
		all.Go(func() {
			var own Tally // and not a part of tallies, whose neighbours other callers write to
			for !over.Load() && ctx.Err() == nil {
				var now Tally
				play(ctx, &now)
				if measuring.Load() {
					own.Add(now)
				}
			}
			tallies[i] = own
		})
	}
	sleep(ctx, c.WarmUp)
	from := time.Now()
	border(c.Border)
	measuring.Store(true)
	sleep(ctx, c.Length)
	measuring.Store(false)
	border(c.Border)
	result := ClosedResult{Callers: len(c.Callers), Seconds: time.Since(from).Seconds()}
	over.Store(true)
	all.Wait()
	for _, own := range tallies {
		result.Add(own)
	}
	return result, ctx.Err()
}

func border(passed func()) {
	if passed != nil {
		passed()
	}
}

func sleep(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
