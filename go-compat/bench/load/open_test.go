package load

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// arrivals are the times of a schedule, from its beginning.
func arrivals(seed uint64, perSecond float64, length time.Duration) (times []time.Duration) {
	gap := Poisson(seed, perSecond)
	for at := gap(); at < length; at += gap() {
		times = append(times, at)
	}
	return times
}

// stalling is a server that answers at once, but for one stall, in which nobody is
// answered.
type stalling struct {
	from, length time.Duration
	began        time.Time
}

func (s stalling) send(context.Context) (Kind, error) {
	in := time.Since(s.began)
	if in >= s.from && in < s.from+s.length {
		time.Sleep(s.from + s.length - in)
	}
	return Applied, nil
}

// TestAStallIsCountedForEveryCommandThatItHeldUp is coordinated omission: callers that
// wait for their answers would have asked little in the stall, and so found little.
func TestAStallIsCountedForEveryCommandThatItHeldUp(t *testing.T) {
	const perSecond, length, stall = 2000, time.Second, 100 * time.Millisecond
	server := stalling{from: 300 * time.Millisecond, length: stall, began: time.Now()}
	result, err := Open{
		Seed: 7, PerSecond: perSecond, Length: length, Window: length,
		Sends: slices.Repeat([]Send{server.send}, perSecond),
	}.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if want := len(arrivals(7, perSecond, length)); result.Answered() != uint64(want) {
		t.Errorf("%d commands were answered of the schedule's %d", result.Answered(), want)
	}
	// Who came in the stall's first half, one in twenty, waited for the other half at least.
	if half := float64(stall.Milliseconds()) / 2; result.Latency.P99 < half {
		t.Errorf("the p99 is %v ms: the stall was counted for too few", result.Latency.P99)
	}
	if result.StallMs < 90 {
		t.Errorf("the stall of %s was found as %v ms", stall, result.StallMs)
	}
}

// TestCommandsThatFindNobodyFreeAreErrors has fewer callers than a stall holds up.
func TestCommandsThatFindNobodyFreeAreErrors(t *testing.T) {
	const perSecond, length = 2000, 500 * time.Millisecond
	server := stalling{from: 100 * time.Millisecond, length: 100 * time.Millisecond, began: time.Now()}
	result, err := Open{
		Seed: 7, PerSecond: perSecond, Length: length, Window: length, Sends: slices.Repeat([]Send{server.send}, 10),
	}.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if result.Errors[errNoneFree.Error()] == 0 {
		t.Errorf("nothing was said of commands that were never sent: %v", result.Errors)
	}
	if want := len(arrivals(7, perSecond, length)); result.Answered()+result.Failed() != uint64(want) {
		t.Errorf("%d answered and %d errors, of a schedule of %d", result.Answered(), result.Failed(), want)
	}
}

func TestTheScheduleWaitsForNobody(t *testing.T) {
	const perSecond, length = 1000, 300 * time.Millisecond
	from := time.Now()
	var got []time.Duration
	pace(t.Context(), Poisson(3, perSecond), from, from.Add(length), func(scheduled time.Time) {
		if got = append(got, scheduled.Sub(from)); len(got) == 20 {
			time.Sleep(100 * time.Millisecond)
		}
		if early := time.Until(scheduled); early > 0 {
			t.Errorf("arrival %d came %s early", len(got), early)
		}
	})
	if want := arrivals(3, perSecond, length); !slices.Equal(got, want) {
		t.Errorf("%d arrivals, and not the schedule's %d at its times", len(got), len(want))
	}
}

func TestPoissonArrivalsComeAtTheRate(t *testing.T) {
	if n := len(arrivals(1, 10_000, 10*time.Second)); n < 98_000 || n > 102_000 {
		t.Errorf("%d arrivals in 10 s at 10,000/s", n)
	}
}

func TestAnOpenLoopGoesOnUntilItIsDoneButNotForEver(t *testing.T) {
	none := func(context.Context) (Kind, error) { return Applied, nil }
	for _, c := range []struct {
		done func() bool
		want float64
	}{
		{nil, 0.1},
		{func() bool { return true }, 0.1},
		{func() bool { return false }, 1.1},
	} {
		result, err := Open{
			PerSecond: 100, Length: 100 * time.Millisecond, LengthMax: time.Second, Done: c.done, Window: time.Second, Sends: []Send{none},
		}.Run(t.Context())
		if err != nil || result.Seconds != c.want {
			t.Errorf("it lasted %v s, and should %v (%v)", result.Seconds, c.want, err)
		}
	}
}

func TestErrorsAreInNoLatency(t *testing.T) {
	broken := errors.New("broken")
	var calls atomic.Int64
	send := func(context.Context) (Kind, error) {
		if calls.Add(1)%2 == 0 {
			return Applied, broken
		}
		return Rejected, nil
	}
	result, err := Open{Seed: 1, PerSecond: 1000, Length: 200 * time.Millisecond, Window: time.Second, Sends: slices.Repeat([]Send{send}, 100)}.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if result.Failed() == 0 || result.Errors["broken"] != result.Failed() {
		t.Errorf("the errors are %v", result.Errors)
	}
	if uint64(result.Latency.Count) != result.Answered() || result.Answered() != result.Rejected {
		t.Errorf("%d latencies of %d answers, %d of them rejected", result.Latency.Count, result.Answered(), result.Rejected)
	}
}

func TestAClosedLoopCountsItsTimeAlone(t *testing.T) {
	var mu sync.Mutex
	var under, most int
	send := func(context.Context) (Kind, error) {
		mu.Lock()
		under++
		most = max(most, under)
		mu.Unlock()
		time.Sleep(5 * time.Millisecond)
		mu.Lock()
		under--
		mu.Unlock()
		return Applied, nil
	}
	result, err := Closed{Callers: OneByOne(slices.Repeat([]Send{send}, 8)), WarmUp: 100 * time.Millisecond, Length: 200 * time.Millisecond}.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if most != 8 {
		t.Errorf("%d commands were under way at once, of 8 callers", most)
	}
	// 8 callers at 5 ms each: 1,600 a second at the very most.
	if rate := result.AppliedPerSecond(); rate <= 0 || rate > 1700 {
		t.Errorf("%v commands a second", rate)
	}
}

func TestATallyTellsFewErrorsApart(t *testing.T) {
	var tally Tally
	for i := range 100 {
		tally.Count(Applied, errors.New(string(rune('A'+i))))
	}
	if len(tally.Errors) > errorNamesMax+1 || tally.Failed() != 100 {
		t.Errorf("%d names for %d errors", len(tally.Errors), tally.Failed())
	}
}

func TestASpreadIsOfAllLatencies(t *testing.T) {
	var latencies []time.Duration
	for ms := range 1000 {
		latencies = append(latencies, time.Duration(1000-ms)*time.Millisecond)
	}
	got := SpreadOf(latencies)
	near := func(got, want float64) bool { return got >= want && got <= want*1.002 } // three digits
	if got.Count != 1000 || !near(got.P50, 500) || !near(got.P99, 990) || !near(got.P999, 999) || !near(got.Max, 1000) {
		t.Errorf("1 ms to 1 s: %+v", got)
	}
}
