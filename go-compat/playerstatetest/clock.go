package playerstatetest

import (
	"context"
	"sync"
	"time"

	pb "treasurehunt.example/go-compat/gen/playerstatev1"
	"treasurehunt.example/go-compat/legacy"
)

// Epoch is the time of day at which a fake begins.
var Epoch = time.Date(2026, time.January, 1, 0, 0, 0, 0, time.UTC)

// handClock stands still until it is advanced. It is safe for concurrent use.
type handClock struct {
	mu      sync.Mutex // guards elapsed
	elapsed time.Duration
}

var _ legacy.Clock = (*handClock)(nil)

func (c *handClock) Elapsed() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.elapsed
}

func (c *handClock) Wall() time.Time { return Epoch.Add(c.Elapsed()) }

func (c *handClock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.elapsed += d
}

// Now is the fake's time of day.
func (f *Fake) Now() time.Time { return f.clock.Wall() }

// Advance moves the fake's time on. When it returns, each hunt whose time is up by
// then has ended, and its end is in the feed. Commands that are held have their
// budgets used up by it.
func (f *Fake) Advance(d time.Duration) {
	f.t.Helper()
	hand, ok := f.clock.(*handClock)
	if !ok {
		f.t.Fatal("playerstatetest: Advance of a fake that is OnSystemClock: its time passes by itself")
	}
	hand.advance(d)
	engine, hunts := f.running()
	if engine == nil {
		return
	}
	for _, id := range hunts { // a hunt that is asked looks at its time first
		_, _ = engine.GetHunt(context.Background(), &pb.GetHuntRequest{HuntId: id}) // one that was dropped has ended long ago
	}
}
