package load

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// Send sends one command, waits for its answer, and says what came of it.
type Send func(ctx context.Context) (Kind, error)

// ClosedResult is what a closed loop counted.
type ClosedResult struct {
	Tally
	// Callers is how many commands were under way at any time.
	Callers int `json:"callers"`
	// Seconds is how long was measured.
	Seconds float64 `json:"seconds"`
}

// AppliedPerSecond is the rate of the commands that changed something.
func (r ClosedResult) AppliedPerSecond() float64 { return float64(r.Applied) / r.Seconds }

// Closed lets each caller send one command after the other. What is answered in the
// time of length after the time of warmUp is counted.
func Closed(ctx context.Context, callers []Send, warmUp, length time.Duration) (ClosedResult, error) {
	var measuring, over atomic.Bool
	tallies := make([]Tally, len(callers))
	var all sync.WaitGroup
	for i, send := range callers {
		all.Go(func() {
			var own Tally // and not a part of tallies, whose neighbours other callers write to
			for !over.Load() && ctx.Err() == nil {
				kind, err := send(ctx)
				if measuring.Load() {
					own.Count(kind, err)
				}
			}
			tallies[i] = own
		})
	}
	sleep(ctx, warmUp)
	from := time.Now()
	measuring.Store(true)
	sleep(ctx, length)
	measuring.Store(false)
	result := ClosedResult{Callers: len(callers), Seconds: time.Since(from).Seconds()}
	over.Store(true)
	all.Wait()
	for _, own := range tallies {
		result.Add(own)
	}
	return result, ctx.Err()
}

func sleep(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
