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

// ApplyBatch implements [playerstate.Commander]. Each engine gets its commands in
// one call, both at the same time, and the outcomes come back in the order of
// cmds. One engine's failure is never the other's: a command that failed has
// [playerstate.Failure.Outcome], which says UNKNOWN for what may have been applied.
// The error is for a batch of which no command was answered, as the sidecar's
// client has it.
func (r *Router) ApplyBatch(ctx context.Context, cmds []*pb.Command) ([]*pb.Outcome, error) {
	if failure := r.enter(); failure != nil {
		return nil, failure
	}
	defer r.gate.Leave()
	if failure := playerstate.CheckBatch(len(cmds)); failure != nil {
		return nil, failure
	}
	ctx, cancel := bounded(ctx, playerstate.DefaultTimeout)
	defer cancel()
	b := r.newBatch(cmds)
	b.send(ctx)
	if b.enlistAgain(b.movedOn) {
		b.send(ctx)
	}
	if b.enlistAgain(b.claimed(ctx)) {
		b.send(ctx)
	}
	return b.outcomes()
}

// batch is the commands of one ApplyBatch on their ways. Not safe for concurrent
// use; the two parts write to different answers.
type batch struct {
	router  *Router
	cmds    []*pb.Command
	came    time.Time
	late    map[int]*pb.Command // by place: those that waited for a claim
	entries []*ledger.Entry     // who takes each; nil: the router answers it
	answers []answer

	legacy, sidecar []int // the commands of the next calls, by place
}

func (r *Router) newBatch(cmds []*pb.Command) *batch {
	b := &batch{
		router:  r,
		cmds:    cmds,
		came:    time.Now(),
		late:    map[int]*pb.Command{},
		entries: make([]*ledger.Entry, len(cmds)),
		answers: make([]answer, len(cmds)),
	}
	for i, cmd := range cmds {
		if b.entries[i], b.answers[i] = r.route(cmd); b.entries[i] != nil {
			b.enlist(i)
		}
	}
	return b
}

// enlist puts a command into the part of its owner.
func (b *batch) enlist(i int) {
	if b.entries[i].Owner == ledger.Sidecar {
		b.sidecar = append(b.sidecar, i)
		return
	}
	b.legacy = append(b.legacy, i)
}

// send makes the calls that are due, and returns when all are answered: each
// engine answers within ctx.
func (b *batch) send(ctx context.Context) {
	var other sync.WaitGroup
	if len(b.sidecar) > 0 && len(b.legacy) > 0 {
		other.Go(func() { b.sendPart(ctx, b.router.sidecar, b.sidecar) })
	} else if len(b.sidecar) > 0 {
		b.sendPart(ctx, b.router.sidecar, b.sidecar)
	}
	if len(b.legacy) > 0 {
		b.sendPart(ctx, b.router.legacy, b.legacy)
	}
	other.Wait()
	b.legacy, b.sidecar = nil, nil
}

// command is what is sent for a place: the caller's, or with less budget where it waited.
func (b *batch) command(i int) *pb.Command {
	if late := b.late[i]; late != nil {
		return late
	}
	return b.cmds[i]
}

func (b *batch) sendPart(ctx context.Context, to *engine, part []int) {
	cmds := make([]*pb.Command, len(part))
	for n, i := range part {
		cmds[n] = atEpoch(b.command(i), b.entries[i].Epoch)
	}
	outcomes, err := to.applyBatch(ctx, cmds)
	if err == nil && len(outcomes) != len(cmds) {
		err = playerstate.Unknown(codes.Internal, "the %s engine answered %d outcomes to %d commands", to.owner, len(outcomes), len(cmds))
	}
	for n, i := range part {
		if err != nil {
			b.answers[i] = answer{failure: b.router.recovering(b.entries[i], failureOf(err))}
			continue
		}
		b.answers[i] = answer{outcome: outcomes[n]}
	}
}

// enlistAgain enlists the commands that are to be asked again, each where next says.
// nil: its answer stands.
func (b *batch) enlistAgain(next func(i int) *ledger.Entry) (any bool) {
	for i, e := range b.entries {
		if e == nil {
			continue
		}
		e = next(i)
		if e == nil {
			continue
		}
		late, outcome := lessBudget(b.cmds[i], time.Since(b.came))
		if outcome != nil {
			b.answers[i] = answer{outcome: b.router.metrics.own.refused(outcome)}
			continue
		}
		b.late[i] = late
		b.entries[i] = e
		b.enlist(i)
	}
	return len(b.legacy)+len(b.sidecar) > 0
}

func (b *batch) movedOn(i int) *ledger.Entry { return b.router.movedOn(b.entries[i], b.answers[i]) }

// claimed waits for the claims of hunts, once for all commands of a hunt.
func (b *batch) claimed(ctx context.Context) func(i int) *ledger.Entry {
	claimed := map[string]*ledger.Entry{}
	return func(i int) *ledger.Entry {
		e := b.entries[i]
		if !b.answers[i].unclaimed() {
			return nil
		}
		next, waited := claimed[e.HuntID]
		if !waited {
			next = b.router.awaitClaim(ctx, e, budgetOf(b.cmds[i]))
			claimed[e.HuntID] = next
		}
		return next
	}
}

// outcomes are the answers, each in its place.
func (b *batch) outcomes() ([]*pb.Outcome, error) {
	outcomes := make([]*pb.Outcome, len(b.cmds))
	var failed int
	var worst *playerstate.Failure
	for i, e := range b.entries {
		a := b.answers[i]
		if e != nil {
			a = b.router.judge(e, a)
		}
		if a.failure == nil {
			outcomes[i] = a.outcome
			continue
		}
		failed++
		if worst == nil || a.failure.Fate == playerstate.FateUnknown {
			worst = a.failure
		}
		outcomes[i] = a.failure.Outcome(b.cmds[i].GetRequestId())
	}
	if failed == len(b.cmds) {
		return nil, worst
	}
	return outcomes, nil
}
