package router

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/failsafe-go/failsafe-go/circuitbreaker"
	"golang.org/x/sync/singleflight"
	"google.golang.org/grpc/codes"

	"treasurehunt.example/go-compat/internal/gate"
	"treasurehunt.example/go-compat/playerstate"
	"treasurehunt.example/go-compat/router/ledger"
)

// Router is both engines as one. Safe for concurrent use.
type Router struct {
	config  Config
	log     *slog.Logger
	ledger  *ledger.Ledger
	legacy  *engine
	sidecar *engine
	metrics *metrics

	gate      *gate.Gate
	creations singleflight.Group // one attempt a hunt at a time
	recheck   chan struct{}      // holds a value when the sidecar's hunts are to be looked for

	waits       *claimWaits
	unanswered  *unansweredClaims
	missingNow  missingHunts
	recovery    recovery
	incarnation atomic.Uint64          // of the sidecar that said hello last; 0: none did
	unfit       atomic.Pointer[string] // why the sidecar gets no new hunts

	life     context.Context // over when the router stops: of its own goroutines and of waiting reads
	stop     context.CancelFunc
	own      sync.WaitGroup // the router's own goroutines
	stopOnce sync.Once
	stopErr  error
}

var _ playerstate.Engine = (*Router)(nil)

// New opens the ledger, looks for the hunts that it gives to the engine in Go, and
// serves. Hunts of that engine which it does not have are LOST from then on. The
// sidecar need not be there.
//
// An error is a Config that cannot work, or a ledger that cannot be used: locked by
// another process ([ledger.ErrLocked]), or unreadable ([ledger.DamagedError]).
// The engines are the router's only when New has succeeded.
func New(config Config) (*Router, error) {
	config = config.withDefaults()
	if err := config.check(); err != nil {
		return nil, err
	}
	kept, err := ledger.Open(ledger.Config{Path: config.LedgerPath, HuntsMax: config.HuntsMax})
	if err != nil {
		return nil, fmt.Errorf("router: %w", err)
	}
	r := newRouter(config, kept)
	if err := r.metrics.register(config.Registerer); err != nil {
		return nil, errors.Join(fmt.Errorf("router: metrics: %w", err), kept.Close())
	}
	r.start()
	return r, nil
}

func newRouter(config Config, kept *ledger.Ledger) *Router {
	r := &Router{
		config:  config,
		log:     config.Logger,
		ledger:  kept,
		gate:    gate.New(),
		recheck: make(chan struct{}, 1),

		waits: newClaimWaits(), unanswered: newUnansweredClaims(),
	}
	r.life, r.stop = context.WithCancel(context.Background())
	r.metrics = newMetrics(r)
	feeder, _ := config.Legacy.(playerstate.Feeder)
	r.legacy = &engine{owner: ledger.Go, commander: config.Legacy, feeder: feeder, metrics: r.metrics.of(ledger.Go)}
	mover, _ := config.Sidecar.(playerstate.Mover)
	r.sidecar = &engine{owner: ledger.Sidecar, commander: config.Sidecar, feeder: config.Sidecar, mover: mover, metrics: r.metrics.of(ledger.Sidecar)}
	r.sidecar.breaker = newBreaker(r.log, r.breakerChanged)
	return r
}

func (r *Router) start() {
	meta := r.ledger.Meta()
	r.log.Info("the ledger is open", "path", r.config.LedgerPath, "ledger_id", meta.LedgerID, "router_incarnation", meta.Incarnation)
	r.adoptLegacy()
	r.recheckSidecar()
	r.own.Go(func() { r.probe(r.life) })
	r.own.Go(func() { r.keep(r.life) })
	r.own.Go(func() { r.recoverHunts(r.life) })
}

// breakerChanged counts a change. A sidecar that was away may have come back with its
// hunts unclaimed, or without them.
func (r *Router) breakerChanged(state circuitbreaker.State) {
	r.metrics.breakerChanges.WithLabelValues(state.String()).Inc()
	switch state {
	case circuitbreaker.OpenState:
		r.recovery.begin(time.Now())
	case circuitbreaker.ClosedState:
		r.recheckSidecar()
	case circuitbreaker.HalfOpenState:
	}
}

func (r *Router) recheckSidecar() {
	select {
	case r.recheck <- struct{}{}:
	default: // it will be looked for already
	}
}

// Failed is closed when the ledger could not be written. Every call fails from then
// on; the process should exit, and begin again from what is on disk. Err says why.
func (r *Router) Failed() <-chan struct{} { return r.ledger.Failed() }

// Err is why the router failed; nil while it has not.
func (r *Router) Err() error { return r.ledger.Err() }

// Close lets no more calls in, ends reads that wait for records, and waits for the
// calls in hand. Then it closes both engines and the ledger. When ctx is over first
// it closes them all the same, and says so. A second Close waits for the first.
func (r *Router) Close(ctx context.Context) error {
	r.stopOnce.Do(func() { r.stopErr = r.close(ctx) })
	return r.stopErr
}

func (r *Router) close(ctx context.Context) error {
	r.stop()
	inHand := r.gate.ShutAndWait(ctx)
	r.own.Wait() // their calls end with life
	closeLegacy := func(context.Context) error { return nil }
	if legacy, ok := r.config.Legacy.(interface{ Close(context.Context) error }); ok {
		closeLegacy = legacy.Close
	}
	err := errors.Join(inHand, r.config.Sidecar.Close(ctx), closeLegacy(ctx), r.ledger.Close())
	r.metrics.unregister(r.config.Registerer)
	if err != nil {
		return fmt.Errorf("close the router: %w", err)
	}
	return nil
}

// enter lets a call in. Who enters leaves the gate.
func (r *Router) enter() *playerstate.Failure {
	if err := r.ledger.Err(); err != nil {
		return playerstate.NotApplied(codes.Unavailable, "the router has stopped: %v", err)
	}
	if !r.gate.Enter() {
		return playerstate.NotApplied(codes.Unavailable, "the router is closed")
	}
	return nil
}

// engine is the engine of an owner.
func (r *Router) engine(owner ledger.Owner) *engine {
	if owner == ledger.Sidecar {
		return r.sidecar
	}
	return r.legacy
}

// bounded gives ctx a deadline where it has none.
func bounded(ctx context.Context, timeout time.Duration) (context.Context, context.CancelFunc) {
	if _, ok := ctx.Deadline(); ok {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, timeout)
}
