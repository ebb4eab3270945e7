package router

import (
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/failsafe-go/failsafe-go/circuitbreaker"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

const (
	// Over 5 % errors of the last 200 calls.
	ratedCalls    = 200
	ratedFailures = ratedCalls*5/100 + 1

	openFor       = time.Second // then probes may try
	probesToClose = 3           // in a row

	// remindEvery is how often the log says again that the breaker is not closed.
	remindEvery = time.Minute

	// patience is the shortest deadline whose end says something of the sidecar: a
	// caller who gives it less learns about himself.
	patience = 50 * time.Millisecond
)

// breaker says whether new hunts may be placed at the sidecar. It stops nothing
// else: a hunt that is there has nowhere else to go.
//
// It opens when the connection is lost, when nothing was answered for a second
// (see prober), or when over 5 % of the last 200 calls failed. A second later
// probes begin, and three good ones in a row close it. Safe for concurrent use.
type breaker struct {
	circuit circuitbreaker.CircuitBreaker[any]
	answers atomic.Uint64          // calls that the sidecar answered, with whatever: its progress
	cause   atomic.Pointer[string] // what open was told, until note takes it
	opened  atomic.Pointer[string] // why it opened last
	told    atomic.Int64           // when the log said so last, in Unix nanoseconds
	log     *slog.Logger
	changed func(state circuitbreaker.State)
}

// newBreaker makes a closed breaker. changed is called at each change of its
// state, and must not block.
func newBreaker(log *slog.Logger, changed func(circuitbreaker.State)) *breaker {
	b := &breaker{log: log, changed: changed}
	b.circuit = circuitbreaker.NewBuilder[any]().
		WithFailureThresholdRatio(ratedFailures, ratedCalls).
		WithDelay(openFor).
		WithSuccessThreshold(probesToClose).
		OnStateChanged(b.note).
		Build()
	return b
}

// closed says that new hunts may go to the sidecar.
func (b *breaker) closed() bool { return b.circuit.IsClosed() }

// observe judges one call.
func (b *breaker) observe(m method, took time.Duration, err error) {
	health := judge(took, err)
	if health.answered {
		b.answers.Add(1)
	}
	if health.lost {
		b.open(fmt.Sprintf("the sidecar is away: %s", transportSaid(err)))
		return
	}
	// A feed's call waits as long as its reader likes, and open and half-open are the
	// probes' to end.
	if m == methodReadRecords || m == methodGetRecord || !b.closed() {
		return
	}
	switch {
	case health.failed:
		b.circuit.RecordFailure()
	case health.answered:
		b.circuit.RecordSuccess()
	}
}

// transportSaid is what stands behind a failure that is worded for callers.
func transportSaid(err error) string {
	if behind := errors.Unwrap(err); behind != nil {
		err = behind
	}
	return status.Convert(err).Message()
}

// failedInPart counts a call that was answered, but not for all of its commands.
func (b *breaker) failedInPart() {
	if b.closed() {
		b.circuit.RecordFailure()
	}
}

// open stops placing. On an open breaker it does nothing.
func (b *breaker) open(cause string) {
	if b.circuit.IsOpen() {
		return
	}
	b.cause.Store(&cause)
	b.circuit.Open()
	b.cause.CompareAndSwap(&cause, nil) // where another opened it first, and note did not take this one
}

// why is what opened the breaker last; "" if nothing did.
func (b *breaker) why() string {
	if cause := b.opened.Load(); cause != nil {
		return *cause
	}
	return ""
}

func (b *breaker) note(event circuitbreaker.StateChangedEvent) {
	switch event.NewState {
	case circuitbreaker.OpenState:
		cause := b.causeOf(event)
		b.opened.Store(&cause)
		b.tellOpen(event.OldState, cause)
	case circuitbreaker.HalfOpenState:
		b.log.Debug("the breaker is half open: probes try the sidecar")
	case circuitbreaker.ClosedState:
		b.log.Info("the breaker closed: new hunts follow the flag again")
	}
	b.changed(event.NewState)
}

// tellOpen warns when a closed breaker opens, and once a minute while probes fail:
// they do every second or so, for as long as the sidecar is away.
func (b *breaker) tellOpen(from circuitbreaker.State, cause string) {
	now := time.Now()
	if from == circuitbreaker.ClosedState {
		b.told.Store(now.UnixNano())
		b.log.Warn("the breaker opened: new hunts go to Go", "cause", cause)
		return
	}
	last := b.told.Load()
	if now.Sub(time.Unix(0, last)) >= remindEvery && b.told.CompareAndSwap(last, now.UnixNano()) {
		b.log.Warn("the breaker is still open: new hunts go to Go", "cause", cause)
		return
	}
	b.log.Debug("the breaker opened again: a probe failed", "cause", cause)
}

// causeOf tells why it opened: what open was told, or what the circuit counted.
func (b *breaker) causeOf(event circuitbreaker.StateChangedEvent) string {
	if told := b.cause.Swap(nil); told != nil {
		return *told
	}
	if event.OldState == circuitbreaker.HalfOpenState {
		return "a probe failed while it was half open"
	}
	return fmt.Sprintf("%d of the last %d calls failed, over 5 %%", event.Metrics().Failures(), ratedCalls)
}

// health is what one call says of the sidecar. A call may say nothing: its caller
// left, or gave it no time.
type health struct {
	answered bool // the sidecar said something: it makes progress
	failed   bool // as it should not
	lost     bool // nobody is there
}

func judge(took time.Duration, err error) health {
	switch codeOf(err) {
	case codes.OK, codes.InvalidArgument, codes.NotFound, codes.AlreadyExists, codes.FailedPrecondition, codes.OutOfRange, codes.Unimplemented:
		return health{answered: true} // also its refusals are answers
	case codes.Canceled:
		return health{}
	case codes.DeadlineExceeded:
		return health{failed: took >= patience}
	case codes.Unavailable:
		return health{lost: true}
	case codes.ResourceExhausted: // perhaps the client's own bound: no progress
		return health{failed: true}
	case codes.Unknown, codes.PermissionDenied, codes.Aborted, codes.Internal, codes.DataLoss, codes.Unauthenticated:
	}
	return health{answered: true, failed: true}
}
