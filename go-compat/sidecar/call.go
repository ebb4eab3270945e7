package sidecar

import (
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pb "treasurehunt.example/go-compat/gen/playerstatev1"
	"treasurehunt.example/go-compat/playerstate"
)

// call is one command on its way from a caller to an outcome. It has two sides:
// the caller, which makes it and may leave, and the lane's sender, which answers
// it. A call that its caller left is never looked at again by that caller.
type call struct {
	requestID uint64
	player    uint64    // a hash of hunt and player: the same for the same player, and chooses the lane
	deadline  time.Time // of this command alone: after it the command is not to be applied
	until     time.Time // its caller waits for the answer, at or after deadline
	encoded   []byte    // the command as protobuf, with whatever budget its caller gave it
	span      trace.SpanContext
	group     *group

	// The place in the queue; guarded by the lane's mutex.
	previous, next *call
	queued         bool

	// The answer. Written once, before answered is set; read only after that.
	answered atomic.Bool
	outcome  *pb.Outcome
	failure  *playerstate.Failure
}

// group is the calls that one caller waits for.
type group struct {
	pending atomic.Int32
	done    chan struct{} // gets one value when pending comes to 0
}

func newGroup(calls int) *group {
	g := &group{done: make(chan struct{}, 1)}
	g.pending.Store(int32(calls))
	return g
}

// reset makes an answered call ready for another command; what it grew stays.
func (c *call) reset() {
	c.answered.Store(false)
	c.outcome, c.failure = nil, nil
}

// resolve gives the command its outcome.
func (c *call) resolve(outcome *pb.Outcome) {
	c.outcome = outcome
	c.finish()
}

// fail gives the command a failure.
func (c *call) fail(failure *playerstate.Failure) {
	c.failure = failure
	c.finish()
}

// finish is the last touch of whoever answers: the caller may reuse the call.
func (c *call) finish() {
	group := c.group
	c.answered.Store(true)
	if group.pending.Add(-1) == 0 {
		group.done <- struct{}{}
	}
}

// left is the failure of a call whose caller does not wait any more, for this error of a
// context.
func left(why error, fate playerstate.Fate) *playerstate.Failure {
	code := status.FromContextError(why).Code()
	if fate == playerstate.FateNotApplied {
		return playerstate.NotApplied(code, "%s while the command was waiting to be sent", why)
	}
	return playerstate.Unknown(code, "%s while the command was under way; ask again under the same request_id", why)
}

// closed is the failure of a call that came too late.
func closed() *playerstate.Failure {
	return playerstate.NotApplied(codes.Unavailable, "the sidecar client is closed")
}
