package legacy

import (
	"sync"
	"sync/atomic"
	"time"

	pb "treasurehunt.example/go-compat/gen/playerstatev1"
	"treasurehunt.example/go-compat/legacy/rules"
)

// command is one command of a call, copied out of its message: the message is
// the caller's again when the call returns, which may be before it is applied.
type command struct {
	rules.Command
	epoch   uint64        // 0: not checked
	expires time.Duration // by the engine's clock
}

// target is where a command goes: a hunt, and its place in the call.
type target struct {
	hunt *hunt
	at   int
}

// call is one Apply or ApplyBatch in flight, spread over the hunts it is about.
// Whoever finishes it last wakes the caller.
type call struct {
	commands []command
	targets  []target
	outcomes []*pb.Outcome // by place in the call; each is written by one goroutine
	bytes    atomic.Int64  // of the outcomes, where there are many
	pending  atomic.Int32  // parts that are not answered yet
	stage    atomic.Int32
	done     chan struct{} // gets a token when pending falls to 0
}

// The stages of a call. Only one of a hunt and the caller moves it on from waiting.
const (
	waiting int32 = iota
	taken         // a hunt began to apply it
	left          // the caller left before that: nothing of it was applied, nothing will be
	leftMid       // the caller left after that
)

// callPool saves the garbage of calls that are over. An engine has its own, so
// that engines share nothing.
type callPool struct{ pool sync.Pool }

// get takes a call. The outcomes are the caller's to give: they outlive the call.
func (p *callPool) get(outcomes []*pb.Outcome) *call {
	c, ok := p.pool.Get().(*call)
	if !ok {
		c = &call{done: make(chan struct{}, 1)}
	}
	c.outcomes = outcomes
	c.bytes.Store(0)
	c.stage.Store(waiting)
	return c
}

// put gives a call back, once every part is answered. A call whose caller left
// is not given back: hunts may still hold it.
func (p *callPool) put(c *call) {
	clear(c.commands)
	clear(c.targets)
	c.commands, c.targets, c.outcomes = c.commands[:0], c.targets[:0], nil
	p.pool.Put(c)
}

// begin tells whether a hunt may work on the call.
func (c *call) begin() bool {
	return c.stage.CompareAndSwap(waiting, taken) || c.stage.Load() == taken
}

// abandoned tells whether the caller left.
func (c *call) abandoned() bool { return c.stage.Load() >= left }

// leave ends the caller's interest, and tells whether surely nothing was applied.
func (c *call) leave() (nothingApplied bool) {
	if c.stage.CompareAndSwap(waiting, left) {
		return true
	}
	c.stage.Store(leftMid)
	return false
}

// finish answers one part.
func (c *call) finish() {
	if c.pending.Add(-1) == 0 {
		c.done <- struct{}{} // has room: it happens once a call
	}
}
