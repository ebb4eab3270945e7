package adapter

import (
	"context"
	"sync"
	"sync/atomic"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"treasurehunt.example/go-compat/playerstate"
)

// huntsMax bounds the hunts in memory, those that ended included: an ended one goes
// on being answered for.
const huntsMax = 10_000

// Adapter is the old engine as the seam has it. It is safe for concurrent use.
type Adapter struct {
	closed atomic.Bool

	mu    sync.Mutex // guards hunts; never held while one is worked on
	hunts map[string]*hunt
}

var _ playerstate.Commander = (*Adapter)(nil)

// New makes an adapter without hunts.
func New() *Adapter { return &Adapter{hunts: map[string]*hunt{}} }

// Close takes no more calls. Calls in hand are answered; a second Close does nothing.
func (a *Adapter) Close(context.Context) error {
	a.closed.Store(true)
	return nil
}

// enter begins a call: it gives ctx the default deadline if it has none.
func (a *Adapter) enter(ctx context.Context) (context.Context, context.CancelFunc, error) {
	if a.closed.Load() {
		return nil, nil, playerstate.NotApplied(codes.Unavailable, "the engine is closed")
	}
	if ctx.Err() != nil {
		return nil, nil, left(ctx)
	}
	if _, ok := ctx.Deadline(); ok {
		return ctx, func() {}, nil
	}
	ctx, cancel := context.WithTimeout(ctx, playerstate.DefaultTimeout)
	return ctx, cancel, nil
}

// left is the failure of a caller who left, or whose time was up, before anything
// was done.
func left(ctx context.Context) *playerstate.Failure {
	return playerstate.FromStatus(playerstate.FateNotApplied, status.FromContextError(ctx.Err()).Err())
}

func (a *Adapter) find(huntID string) *hunt {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.hunts[huntID]
}

// with works on a hunt, when it is its caller's turn.
func with[Resp any](ctx context.Context, a *Adapter, huntID string, malformed *playerstate.Failure, work func(*hunt) (Resp, error)) (Resp, error) {
	var none Resp
	ctx, cancel, err := a.enter(ctx)
	if err != nil {
		return none, err
	}
	defer cancel()
	if malformed != nil {
		return none, malformed
	}
	h := a.find(huntID)
	if h == nil {
		return none, playerstate.NotApplied(codes.NotFound, "hunt %s is not known here", huntID)
	}
	if failure := h.take(ctx); failure != nil {
		return none, failure
	}
	defer h.give()
	return work(h)
}

// errUnknown is what the adapter does not know of the old engine: a new error of it,
// say. What became of the command is not known either.
func errUnknown(err error) *playerstate.Failure {
	return playerstate.Unknown(codes.Internal, "the old engine failed").WithCause(err)
}
