package router

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc/codes"

	pb "treasurehunt.example/go-compat/gen/playerstatev1"
	"treasurehunt.example/go-compat/playerstate"
	"treasurehunt.example/go-compat/router/ledger"
)

const (
	keepEvery   = 2 * time.Second
	keepAtOnce  = 16   // calls and changes at a time
	keepMost    = 1024 // hunts of one round; the others wait for the next
	namesALine  = 100  // hunts named in one line of the log
	keptAtOnce  = 256  // so many changes share a commit when a whole engine's hunts are lost or claimed
	closeSlack  = 10 * time.Second
	lostAtStart = "the Go process that had it has ended, and no other copy is left"
	lostAtEnd   = "at the time of its end its owner did not know it any more"
)

// keep looks after the hunts that nobody calls for, until ctx is over: it goes on
// asking for those that are CREATING, closes those whose time is over, forgets
// those that have long been over, and says when the sidecar's are late.
func (r *Router) keep(ctx context.Context) {
	ticker := time.NewTicker(keepEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			r.tend(ctx)
			r.tellOverdue(time.Now())
		case <-r.ledger.Failed():
			r.log.Error("the router has stopped: end the process, and begin again from the ledger", "error", r.ledger.Err())
			return
		case <-ctx.Done():
			return
		}
	}
}

// tend does one round of what is due.
func (r *Router) tend(ctx context.Context) {
	var round errgroup.Group
	round.SetLimit(keepAtOnce)
	left, now := keepMost, time.Now()
	for e := range r.ledger.Live() {
		if left == 0 {
			break
		}
		if task := r.due(e, now); task != nil {
			left--
			round.Go(func() error { task(ctx, e); return nil })
		}
	}
	forget := now.Add(-r.config.ClosedRetention).UnixMilli()
	for e := range r.ledger.Over() {
		if left == 0 {
			break
		}
		if e.ChangedAtMs < forget {
			left--
			round.Go(func() error { r.failed("forget", e, r.ledger.Prune(ctx, e.HuntID, forget)); return nil })
		}
	}
	_ = round.Wait() // no task has an error of its own
}

// due is what to do for a live hunt; nil: nothing, or not while its owner is away.
func (r *Router) due(e *ledger.Entry, now time.Time) func(context.Context, *ledger.Entry) {
	if e.Owner == ledger.Sidecar && !r.sidecar.breaker.closed() {
		return nil
	}
	switch {
	case e.State == ledger.Creating:
		return r.createAgain
	case now.UnixMilli() > e.EndsAtMs()+closeSlack.Milliseconds():
		return r.closeEnded
	}
	return nil
}

// createAgain asks for a hunt whose creation was not answered. Its caller may be
// long gone: then the hunt is created, and ends at its time.
func (r *Router) createAgain(ctx context.Context, e *ledger.Entry) {
	if _, failure := r.create(ctx, e.HuntID, e.Settings); failure != nil {
		r.failed("create", e, failure)
	}
}

// closeEnded closes a hunt that its owner says has ended.
func (r *Router) closeEnded(ctx context.Context, e *ledger.Entry) {
	hunt, err := r.find(ctx, e)
	switch {
	case err != nil: // asked again in the next round
	case hunt == nil:
		r.lose(ctx, e, lostAtEnd)
		r.nameLost([]string{e.HuntID}, lostAtEnd)
		r.recheckSidecar() // one less that is missing
	case hunt.GetEnded():
		_, err := r.ledger.Finish(ctx, e.HuntID)
		r.failed("close", e, err)
	}
}

// failed logs what could not be done for a hunt now; it is tried again.
func (r *Router) failed(what string, e *ledger.Entry, err error) {
	if err != nil && r.life.Err() == nil {
		r.log.Warn("the router will try again to "+what+" a hunt", "hunt_id", e.HuntID, "engine", e.Owner, "error", err)
	}
}

// find asks an owner for its hunt. nil: it has none, or another one under this id.
func (r *Router) find(ctx context.Context, e *ledger.Entry) (*pb.GetHuntResponse, error) {
	ctx, cancel := context.WithTimeout(ctx, playerstate.DefaultTimeout)
	defer cancel()
	hunt, err := r.engine(e.Owner).getHunt(ctx, &pb.GetHuntRequest{HuntId: e.HuntID})
	if codeOf(err) == codes.NotFound {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if hunt.GetStartsAtMs() != e.StartsAtMs {
		return nil, nil
	}
	return hunt, nil
}

// adoptLegacy looks for the hunts of the engine in Go, before anything is served.
// In a process that has just begun it has none, and they are LOST.
func (r *Router) adoptLegacy() {
	absent, err := r.absent(r.life, ledger.Go)
	if err != nil {
		r.log.Warn("the engine in Go was not asked for all of its hunts; those that it lacks answer UNAVAILABLE", "error", err)
	}
	var losing errgroup.Group
	losing.SetLimit(keptAtOnce)
	names := make([]string, len(absent))
	for i, e := range absent {
		names[i] = e.HuntID
		losing.Go(func() error { r.lose(r.life, e, lostAtStart); return nil })
	}
	_ = losing.Wait() // lose has logged what went wrong
	r.nameLost(names, lostAtStart)
}

func (r *Router) lose(ctx context.Context, e *ledger.Entry, why string) {
	if _, err := r.ledger.Lose(ctx, e.HuntID, why); err != nil {
		r.failed("mark as LOST", e, err)
		return
	}
	r.metrics.huntsLost.Inc()
}

func (r *Router) nameLost(names []string, why string) {
	for line := range slices.Chunk(names, namesALine) {
		r.log.Error("hunts are LOST", "hunts", len(names), "hunt_ids", line, "cause", why)
	}
}

// lookForSidecarHunts says which of its hunts a sidecar lacks that knows nothing of
// claims.
func (r *Router) lookForSidecarHunts(ctx context.Context) {
	absent, err := r.absent(ctx, ledger.Sidecar)
	if err != nil {
		if r.sidecar.breaker.closed() { // else its closing begins this anew
			time.AfterFunc(keepEvery, r.recheckSidecar)
		}
		return
	}
	missing := make([]MissingHunt, len(absent))
	for i, e := range absent {
		missing[i] = MissingHunt{HuntID: e.HuntID, Owner: e.Owner, Epoch: e.Epoch, Why: "the engine has not got it"}
	}
	r.tellMissing(missing)
	r.recovery.over()
}

// absent asks an owner for all of its hunts, and returns those that it lacks. It
// stops at the first call that is not answered.
func (r *Router) absent(ctx context.Context, owner ledger.Owner) ([]*ledger.Entry, error) {
	var mu sync.Mutex // guards absent; never held over a call
	var absent []*ledger.Entry
	asking, ctx := errgroup.WithContext(ctx)
	asking.SetLimit(keepAtOnce)
	for e := range r.ledger.Live() {
		if e.State != ledger.Owned || e.Owner != owner {
			continue
		}
		if ctx.Err() != nil {
			break
		}
		asking.Go(func() error {
			hunt, err := r.find(ctx, e)
			if codeOf(err) == codes.FailedPrecondition {
				return nil // a refusal to show it, as in quarantine: it is there
			}
			if err != nil {
				return fmt.Errorf("hunt %q: %w", e.HuntID, err)
			}
			if hunt == nil {
				mu.Lock()
				absent = append(absent, e)
				mu.Unlock()
			}
			return nil
		})
	}
	err := asking.Wait()
	if errors.Is(err, context.Canceled) {
		err = ctx.Err()
	}
	return absent, err
}
