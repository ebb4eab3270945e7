package router

import (
	"context"
	"sync"
	"time"

	"google.golang.org/grpc/codes"

	pb "treasurehunt.example/go-compat/gen/playerstatev1"
	"treasurehunt.example/go-compat/playerstate"
	"treasurehunt.example/go-compat/router/ledger"
)

// answerWithin is how long before its caller's deadline a call stops to wait for a
// claim: a refusal in time is worth more than none.
const answerWithin = 20 * time.Millisecond

// claimWaits is the calls that found their hunt recovered and not yet claimed. Safe
// for concurrent use. It is bounded by the calls in flight.
type claimWaits struct {
	mu    sync.Mutex // guards hunts; never held over a call
	hunts map[string]*claimWait
}

// claimWait is the end of one hunt's claim, for all who wait for it.
type claimWait struct {
	calls   int           // that wait
	done    chan struct{} // closed when the claim was tried
	claimed bool          // how it ended; written before done is closed
}

func newClaimWaits() *claimWaits { return &claimWaits{hunts: map[string]*claimWait{}} }

// join waits with the others. Who joins leaves.
func (w *claimWaits) join(huntID string) *claimWait {
	w.mu.Lock()
	defer w.mu.Unlock()
	wait := w.hunts[huntID]
	if wait == nil {
		wait = &claimWait{done: make(chan struct{})}
		w.hunts[huntID] = wait
	}
	wait.calls++
	return wait
}

func (w *claimWaits) leave(huntID string, wait *claimWait) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if wait.calls--; wait.calls == 0 && w.hunts[huntID] == wait {
		delete(w.hunts, huntID)
	}
}

// release lets those go on who wait for a hunt.
func (w *claimWaits) release(huntID string, claimed bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if wait := w.hunts[huntID]; wait != nil {
		delete(w.hunts, huntID)
		wait.claimed = claimed
		close(wait.done)
	}
}

// awaitClaim asks for a hunt's claim and waits for it: until ctx is nearly over, and
// no longer than limit, 0 being none, nor than a recovery may take. It returns the
// entry to ask again at; nil: the answer that there is stands.
func (r *Router) awaitClaim(ctx context.Context, e *ledger.Entry, limit time.Duration) *ledger.Entry {
	if e.Owner != ledger.Sidecar || r.missingNow.has(e.HuntID) {
		return nil
	}
	most := r.config.RecoverWithin
	if limit > 0 {
		most = min(most, limit)
	}
	if deadline, ok := ctx.Deadline(); ok {
		most = min(most, time.Until(deadline)-answerWithin)
	}
	if most <= 0 {
		return nil
	}
	late := time.NewTimer(most)
	defer late.Stop()
	wait := r.waits.join(e.HuntID)
	defer r.waits.leave(e.HuntID, wait)
	r.recheckSidecar()
	select {
	case <-wait.done:
	case <-late.C:
		return nil
	case <-ctx.Done():
		return nil
	case <-r.life.Done():
		return nil
	}
	if next, ok := r.ledger.Lookup(e.HuntID); ok && wait.claimed && idle(next) == "" {
		return next
	}
	return nil
}

// unclaimed says that an engine has a hunt, and waits to be told that it owns it.
func unclaimed(refusal *pb.Refusal) bool {
	return refusal.GetReason() == pb.Refusal_REASON_NOT_ACTIVE
}

// recovering says of a call that found the sidecar away what that means for the hunt.
func (r *Router) recovering(e *ledger.Entry, failure *playerstate.Failure) *playerstate.Failure {
	said := failure.GRPCStatus()
	if e.Owner != ledger.Sidecar || said.Code() != codes.Unavailable || playerstate.RetryInfoOf(said) != nil {
		return failure
	}
	again := playerstate.NotApplied
	if failure.Fate == playerstate.FateUnknown {
		again = playerstate.Unknown
	}
	if r.recovery.overdue(time.Now(), r.config.RecoverWithin) {
		return again(codes.Unavailable, "hunt %q is still recovering after %s, the most of RecoverWithin: %s",
			e.HuntID, r.config.RecoverWithin, said.Message()).WithCause(failure)
	}
	return again(codes.Unavailable, "hunt %q is recovering: %s", e.HuntID, said.Message()).WithCause(failure)
}
