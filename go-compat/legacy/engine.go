package legacy

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"treasurehunt.example/go-compat/internal/gate"
	"treasurehunt.example/go-compat/playerstate"
)

// Config is what an engine stands on. The zero value of each field is its default.
type Config struct {
	Claim    Claim        // ClaimRouter
	Rulesets Rulesets     // nil: BuiltInRulesets
	Limits   Limits       // DefaultLimits
	Clock    Clock        // nil: SystemClock
	Logger   *slog.Logger // nil: slog.Default()
}

// Engine keeps hunts in this process. It is safe for concurrent use.
type Engine struct {
	limits   Limits
	rulesets atomic.Pointer[Rulesets] // of new hunts; never nil
	clock    Clock
	log      *slog.Logger

	claims   claims
	hunts    directory
	gone     goneIDs
	serials  atomic.Uint64 // of hunts
	room     room
	feed     feed
	counters counters
	reloads  reloads
	calls    callPool

	incarnation atomic.Uint64 // of this start; never 0

	door    *gate.Gate         // every call is inside while it runs
	closing context.CancelFunc // ends what waits
	stop    context.CancelFunc // ends every hunt
	running sync.WaitGroup     // the hunts' goroutines and the sweep
	life    context.Context    // of the hunts; over after stop
	closed  sync.Once
}

var (
	_ playerstate.Engine = (*Engine)(nil)
	_ playerstate.Mover  = (*Engine)(nil)
)

// New starts an engine without hunts. Close ends it.
func New(config Config) *Engine {
	e := &Engine{
		limits:   config.Limits.withDefaults(),
		clock:    config.Clock,
		log:      config.Logger,
		claims:   claims{by: config.Claim},
		counters: newCounters(),
		reloads:  newReloads(),
		door:     gate.New(),
	}
	rulesets := config.Rulesets
	if rulesets == nil {
		rulesets = BuiltInRulesets()
	}
	e.rulesets.Store(&rulesets)
	if e.clock == nil {
		e.clock = SystemClock()
	}
	if e.log == nil {
		e.log = slog.Default()
	}
	e.incarnation.Store(newIncarnation())
	e.gone.most = e.limits.GoneIDs
	e.life, e.stop = context.WithCancel(context.Background())
	waits, closing := context.WithCancel(e.life)
	e.closing = closing
	e.feed = feed{
		ring:        newRing(e.limits.FeedRecords, e.limits.FeedBytes),
		incarnation: rand.Uint64(),
		waitersMax:  e.limits.FeedWaiters,
		closing:     waits.Done(),
	}
	e.running.Go(e.sweep)
	return e
}

// Close takes no more calls, lets those in hand finish, and ends every hunt's
// goroutine. When ctx ends first, what is still in hand is answered as refused
// or failed, and the error says so. The hunts are gone with the engine.
func (e *Engine) Close(ctx context.Context) error {
	empty := e.door.Shut()
	e.closing()
	var late error
	e.closed.Do(func() {
		select {
		case <-empty:
		case <-ctx.Done():
			late = fmt.Errorf("legacy: closed with calls in hand: %w", ctx.Err())
		}
		e.stop()
		late = errors.Join(late, e.awaitHunts(ctx))
	})
	return late
}

// stopWithin is what hunts get to end, also when there is no time left: they end
// as soon as they are told to, unless one is stuck.
const stopWithin = 100 * time.Millisecond

func (e *Engine) awaitHunts(ctx context.Context) error {
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		e.running.Wait()
	}()
	select {
	case <-stopped:
		return nil
	case <-ctx.Done():
	}
	select {
	case <-stopped:
		return nil
	case <-time.After(stopWithin):
		return errors.New("legacy: a hunt does not stop; its goroutine is left behind")
	}
}

// enter begins a call: it counts it in, and gives ctx the default deadline if it
// has none.
func (e *Engine) enter(ctx context.Context) (context.Context, func(), error) {
	if !e.door.Enter() {
		return nil, nil, playerstate.NotApplied(codes.Unavailable, "this engine is closed")
	}
	if ctx.Err() != nil {
		e.door.Leave()
		return nil, nil, leftEarly(ctx, playerstate.FateNotApplied)
	}
	if _, ok := ctx.Deadline(); ok {
		return ctx, e.door.Leave, nil
	}
	ctx, cancel := context.WithTimeout(ctx, playerstate.DefaultTimeout)
	return ctx, func() { cancel(); e.door.Leave() }, nil
}

// leftEarly is the failure of a call whose caller left or whose deadline passed.
func leftEarly(ctx context.Context, fate playerstate.Fate) *playerstate.Failure {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return failure(fate, codes.DeadlineExceeded, "the deadline passed before the hunt answered")
	}
	return failure(fate, codes.Canceled, "the caller left before the hunt answered")
}

func failure(fate playerstate.Fate, code codes.Code, text string) *playerstate.Failure {
	return playerstate.FromStatus(fate, status.Error(code, text))
}
