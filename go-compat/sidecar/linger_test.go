package sidecar

import (
	"testing"
	"time"
)

// ready is calls that are to be sent, with so much time left.
func ready(commands int, left time.Duration, now time.Time) []*call {
	calls := make([]*call, commands)
	for i := range calls {
		calls[i] = &call{deadline: now.Add(left)}
	}
	return calls
}

func TestASenderWaitsOnlyWhereMoreWillCome(t *testing.T) {
	const flight = 100 * time.Microsecond
	now := time.Now()
	for _, c := range []struct {
		name     string
		arrived  []uint64 // while each call was out
		commands int
		left     time.Duration
		most     time.Duration
		want     bool
	}{
		{"a caller alone", []uint64{0, 0, 0, 0}, 1, time.Second, DefaultLinger, false},
		{"nothing was sent yet", nil, 1, time.Second, DefaultLinger, false},
		{"10,000/s in two lanes", []uint64{0, 1, 0, 1, 1, 0, 0, 1}, 1, time.Second, DefaultLinger, true},
		{"one in a hundred calls", append([]uint64{1}, make([]uint64, 40)...), 1, time.Second, DefaultLinger, false},
		{"enough is there", []uint64{9, 9, 9}, lingerBelow, time.Second, DefaultLinger, false},
		{"a deadline is near", []uint64{3, 3, 3}, 1, DefaultLinger, DefaultLinger, false},
		{"never", []uint64{3, 3, 3}, 1, time.Second, -1, false},
		{"enough for a short wait", []uint64{9, 9, 9}, lingerBelow, time.Second, LingerMax, true},
		{"enough for a long one", []uint64{9, 9, 9}, lingerBelow * int(LingerMax/DefaultLinger), time.Second, LingerMax, false},
	} {
		l := linger{most: c.most, sleep: func(time.Duration) {}}
		for _, arrived := range c.arrived {
			l.landed(flight, 1, arrived)
		}
		if got := l.pays(ready(c.commands, c.left, now), now); got != c.want {
			t.Errorf("%s: it waits: %v", c.name, got)
		}
	}
}

func TestOneLaneIsEnoughForFewCommandsOfCallersWhoDoNotWaitForEachOther(t *testing.T) {
	const flight, lanes = 100 * time.Microsecond, 2
	for _, c := range []struct {
		name    string
		sent    int    // in each call
		arrived uint64 // while it was out
		most    time.Duration
		already bool
		want    bool
	}{
		{"10,000/s", 1, 1, DefaultLinger, false, true},
		{"callers alone, one in each lane", 1, 0, DefaultLinger, false, false},
		{"the same, of which one wait was too much", 2, 0, DefaultLinger, true, false},
		{"few", quietFrom/lanes - 1, 1, DefaultLinger, false, true},
		{"more", quietFrom/lanes + 1, 1, DefaultLinger, false, false},
		{"as many as one stands", quietUntil - 1, 9, DefaultLinger, true, true},
		{"more than that", quietUntil + 1, 9, DefaultLinger, true, false},
		{"few for a wait of twice the time", 2*quietFrom/lanes - 1, 1, 2 * DefaultLinger, false, true},
		{"more for a wait of twice the time", 2*quietFrom/lanes + 1, 1, 2 * DefaultLinger, false, false},
		{"no more than that for a shorter one", quietUntil - 1, 9, DefaultLinger / 2, true, true},
	} {
		l := linger{most: c.most, sleep: func(time.Duration) {}}
		for range 50 {
			l.landed(flight, c.sent, c.arrived)
		}
		if got := l.quiet(c.already, lanes); got != c.want {
			t.Errorf("%s: quiet: %v", c.name, got)
		}
	}
}

// TestWhatComesInTheWaitIsInTheSameCall holds a call until others are queued, so that
// the next one waits, and has one more come meanwhile.
func TestWhatComesInTheWaitIsInTheSameCall(t *testing.T) {
	batch, arrived, release := gated()
	c := startFake(t, batch).client(t, Config{})
	apply, wait := applying(within(t, 2*time.Second), t, c)
	apply(1)
	<-arrived
	// The sender is in its call, and looks at this after it.
	c.lanes[0].linger.sleep = func(time.Duration) {
		apply(4)
		queued(t, c, 1)
	}
	c.lanes[0].linger.most = 100 * time.Millisecond
	apply(2)
	apply(3)
	queued(t, c, 2)
	release <- struct{}{}
	if n := <-arrived; n != 3 {
		t.Errorf("the call after the wait carries %d commands, and should carry 3", n)
	}
	release <- struct{}{}
	wait()
}

func TestASleepOfLessThanAMillisecondIsNoLonger(t *testing.T) {
	s, err := newSleeper()
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	best := time.Hour
	for range 100 { // a busy machine may hold up some, and not all
		began := time.Now()
		s.sleep(DefaultLinger)
		best = min(best, time.Since(began))
	}
	if best < DefaultLinger || best > 2*DefaultLinger {
		t.Errorf("the shortest of 100 sleeps of %s took %s", DefaultLinger, best)
	}
}
