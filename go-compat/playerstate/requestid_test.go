package playerstate

import (
	"slices"
	"sync"
	"testing"
	"time"
)

func TestRequestIDsAscendWhenTheClockStepsBack(t *testing.T) {
	clock := time.UnixMilli(1_800_000_000_000)
	ids := &RequestIDs{now: func() time.Time { return clock }}

	previous := ids.Next()
	for _, step := range []time.Duration{0, time.Millisecond, -time.Hour, -100 * 365 * 24 * time.Hour, time.Hour} {
		clock = clock.Add(step)
		next := ids.Next()
		if next <= previous {
			t.Fatalf("after a step of %s: %d does not follow %d", step, next, previous)
		}
		previous = next
	}
}

func TestRequestIDsOfALaterServiceFollowThoseOfAnEarlierOne(t *testing.T) {
	clock := time.UnixMilli(1_800_000_000_000)
	now := func() time.Time { return clock }
	earlier, later := &RequestIDs{now: now}, &RequestIDs{now: now}

	var last uint64
	for range 1000 {
		last = earlier.Next()
	}
	clock = clock.Add(time.Millisecond)
	if first := later.Next(); first <= last {
		t.Fatalf("the later service begins with %d, below %d", first, last)
	}
}

func TestRequestIDsAreNeverZero(t *testing.T) {
	ids := &RequestIDs{now: func() time.Time { return time.UnixMilli(-1) }}
	if id := ids.Next(); id == 0 {
		t.Fatal("an id of 0")
	}
}

func TestRequestIDsAscendAndNeverRepeatUnderConcurrency(t *testing.T) {
	const callers, each = 8, 2000
	ids := NewRequestIDs()
	issued := make([][]uint64, callers)
	var all sync.WaitGroup
	for caller := range callers {
		all.Go(func() {
			for range each {
				issued[caller] = append(issued[caller], ids.Next())
			}
		})
	}
	all.Wait()

	for caller, own := range issued {
		if !slices.IsSorted(own) {
			t.Errorf("the ids of caller %d do not ascend", caller)
		}
	}
	every := slices.Sorted(slices.Values(slices.Concat(issued...)))
	if distinct := len(slices.Compact(every)); distinct != callers*each {
		t.Errorf("%d distinct ids of %d", distinct, callers*each)
	}
}
