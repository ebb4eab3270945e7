// Package gate counts the calls that are inside something, so that whoever closes
// it can wait until the last of them has left.
package gate

import (
	"context"
	"sync/atomic"
)

// Gate lets calls in until it is shut. Entering costs two atomics and no lock.
// Safe for concurrent use; make one with [New].
type Gate struct {
	inside atomic.Int64
	closed atomic.Bool
	empty  chan struct{} // gets one token when the gate is shut and nobody is inside
}

// New is a gate that is open.
func New() *Gate { return &Gate{empty: make(chan struct{}, 1)} }

// Enter tells whether the caller is inside, and has to leave.
func (g *Gate) Enter() bool {
	g.inside.Add(1)
	if g.closed.Load() {
		g.Leave()
		return false
	}
	return true
}

// Leave is called once by each who entered.
func (g *Gate) Leave() {
	if g.inside.Add(-1) == 0 && g.closed.Load() {
		g.tell()
	}
}

// Shut lets nobody in from now on. The channel gets one token when all have left:
// it is for one to wait on.
func (g *Gate) Shut() <-chan struct{} {
	g.closed.Store(true)
	if g.inside.Load() == 0 {
		g.tell()
	}
	return g.empty
}

// ShutAndWait shuts the gate, and returns nil when all have left, or ctx's error
// when it is over first.
func (g *Gate) ShutAndWait(ctx context.Context) error {
	empty := g.Shut()
	select {
	case <-empty: // also where ctx is over already
		return nil
	default:
	}
	select {
	case <-empty:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (g *Gate) tell() {
	select {
	case g.empty <- struct{}{}:
	default: // told already
	}
}
