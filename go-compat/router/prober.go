package router

import (
	"context"
	"fmt"
	"time"

	"google.golang.org/grpc/codes"

	pb "treasurehunt.example/go-compat/gen/playerstatev1"
)

const (
	probeEvery = 250 * time.Millisecond
	// stallAfter is how long a probe may stand unanswered, with every other call.
	stallAfter = time.Second
	// probeHuntID is a hunt that nobody has: NOT_FOUND is the good answer of a sidecar
	// that does not know Probe.
	probeHuntID = "router-probe"
)

// probe asks the sidecar for a sign of life until ctx is over: while the breaker
// is closed, so that a sidecar which hangs is found also when nobody calls; after
// it opened, to close it.
func (r *Router) probe(ctx context.Context) {
	ticker := time.NewTicker(probeEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			r.probeOnce(ctx)
		case <-ctx.Done():
			return
		}
	}
}

func (r *Router) probeOnce(ctx context.Context) {
	b := r.sidecar.breaker
	closed, wasOpen := b.closed(), b.circuit.IsOpen()
	if !closed && !b.circuit.TryAcquirePermit() {
		return
	}
	answers := b.answers.Load()
	ctx, cancel := context.WithTimeout(ctx, stallAfter)
	defer cancel()
	began := time.Now()
	err := r.sidecar.sign(ctx)
	if !closed {
		health := judge(time.Since(began), err)
		b.tried(health)
		if wasOpen && health.answered { // its hunts need not wait for the breaker, which is for new ones
			r.recheckSidecar()
		}
		return
	}
	if codeOf(err) == codes.DeadlineExceeded && b.answers.Load() == answers {
		b.open(fmt.Sprintf("the sidecar answered nothing for %s", stallAfter))
	}
	if err == nil {
		r.noticeRestart(ctx)
	}
}

// noticeRestart looks for the sidecar's hunts when another life of it answers than the
// one that was met last: it may have restarted between two probes, and nobody called.
func (r *Router) noticeRestart(ctx context.Context) {
	met := r.incarnation.Load()
	if met == 0 { // the first round of claims has not met it yet, or it knows no Hello
		return
	}
	resp, err := r.sidecar.hello(ctx, r.greeting())
	if err == nil && resp.GetEngineIncarnation() != met {
		r.recheckSidecar()
	}
}

// sign is a sign of life: Probe, or where that is not known a read.
func (e *engine) sign(ctx context.Context) error {
	if e.mover != nil {
		if _, err := e.probe(ctx, &pb.ProbeRequest{}); codeOf(err) != codes.Unimplemented {
			return err
		}
	}
	_, err := e.getHunt(ctx, &pb.GetHuntRequest{HuntId: probeHuntID})
	return err
}

// tried counts a probe that had a permit. One that says nothing gives it back as
// a failure: without an answer the sidecar is not known to be well.
func (b *breaker) tried(h health) {
	if h.answered && !h.failed {
		b.circuit.RecordSuccess()
		return
	}
	b.circuit.RecordFailure()
}
