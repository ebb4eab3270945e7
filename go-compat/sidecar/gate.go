package sidecar

import (
	"context"
	"sync"
	"time"

	"google.golang.org/grpc/codes"

	"treasurehunt.example/go-compat/playerstate"
)

// gate bounds the calls that carry no commands, and knows when the last of them
// is back. Safe for concurrent use.
type gate struct {
	max int

	mu     sync.Mutex // guards what follows; never held over a call
	calls  int
	closed bool
	idle   chan struct{} // closed when the gate is closed and no call is out
}

// retryLater is when to try again for a place in the gate.
const retryLater = 50 * time.Millisecond

func newGate(limit int) *gate {
	return &gate{max: limit, idle: make(chan struct{})}
}

// enter refuses a call at the bound, or when the gate is closed. Who enters leaves.
func (g *gate) enter() *playerstate.Failure {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return closed()
	}
	if g.calls >= g.max {
		return playerstate.RetryLater(codes.ResourceExhausted, retryLater,
			"%d calls are out, the most of CallsInFlight of the sidecar client; send less, or try again later", g.max)
	}
	g.calls++
	return nil
}

func (g *gate) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.calls--
	g.signal()
}

// close lets nobody in any more.
func (g *gate) close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = true
	g.signal()
}

func (g *gate) signal() {
	if g.closed && g.calls == 0 {
		close(g.idle)
	}
}

// await returns when the last call is back, or ctx is over.
func (g *gate) await(ctx context.Context) error {
	select {
	case <-g.idle:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
