package router

import (
	"context"
	"time"

	"google.golang.org/protobuf/proto"

	pb "treasurehunt.example/go-compat/gen/playerstatev1"
	"treasurehunt.example/go-compat/playerstate"
	"treasurehunt.example/go-compat/router/ledger"
)

// Apply implements [playerstate.Commander]. A command for a hunt that the ledger
// does not know is REFUSED UNKNOWN_HUNT, for one that is being created REFUSED
// NOT_ACTIVE. One that its owner recovered and the router has not claimed yet waits for
// the claim, within ctx and its budget. Where its owner is away, or has not got the hunt, it is a failure
// with codes.Unavailable; where the hunt was lost, with codes.FailedPrecondition.
func (r *Router) Apply(ctx context.Context, cmd *pb.Command) (*pb.Outcome, error) {
	if failure := r.enter(); failure != nil {
		return nil, failure
	}
	defer r.gate.Leave()
	ctx, cancel := bounded(ctx, playerstate.DefaultTimeout)
	defer cancel()
	came := time.Now()
	e, a := r.route(cmd)
	if e != nil {
		a = r.send(ctx, e, cmd)
		if next := r.movedOn(e, a); next != nil {
			e, a = next, r.send(ctx, next, cmd)
		}
		if a.unclaimed() { // also there: the ledger has a claim's epoch before the engine has
			if next := r.awaitClaim(ctx, e, budgetOf(cmd)); next != nil {
				e, a = next, r.sendLate(ctx, next, cmd, came)
			}
		}
		a = r.judge(e, a)
	}
	if a.failure != nil { // a nil *Failure must not become an error
		return nil, a.failure
	}
	return a.outcome, nil
}

// answer is an outcome or a failure. The zero answer is none yet.
type answer struct {
	outcome *pb.Outcome
	failure *playerstate.Failure
}

// unclaimed says of an answer what [unclaimed] says of a refusal.
func (a answer) unclaimed() bool {
	return a.outcome.GetVerdict() == pb.Verdict_VERDICT_REFUSED && unclaimed(a.outcome.GetRefusal())
}

// route finds who takes cmd, or answers it where nobody does.
func (r *Router) route(cmd *pb.Command) (*ledger.Entry, answer) {
	e, ok := r.ledger.Lookup(cmd.GetHuntId())
	if !ok {
		return nil, answer{outcome: r.metrics.own.refused(unroutable(cmd))}
	}
	text := idle(e)
	if text == "" {
		return e, answer{} // its owner looks at the syntax
	}
	field := playerstate.MalformedField(cmd)
	switch {
	case field != "":
		return nil, answer{outcome: r.metrics.own.refused(playerstate.InvalidOutcome(cmd.GetRequestId(), field))}
	case e.State == ledger.Lost:
		return nil, answer{failure: notActive(e, text)}
	}
	return nil, answer{outcome: r.metrics.own.refused(playerstate.Refused(cmd.GetRequestId(), refusalOf(e, text)))}
}

// unroutable refuses a command for a hunt that is not in the ledger. RULES ask for
// the syntax first.
func unroutable(cmd *pb.Command) *pb.Outcome {
	if field := playerstate.MalformedField(cmd); field != "" {
		return playerstate.InvalidOutcome(cmd.GetRequestId(), field)
	}
	return playerstate.Refused(cmd.GetRequestId(), &pb.Refusal{
		Reason: pb.Refusal_REASON_UNKNOWN_HUNT,
		Detail: "the hunt is not in the router's ledger",
	})
}

func (r *Router) send(ctx context.Context, e *ledger.Entry, cmd *pb.Command) answer {
	outcome, err := r.engine(e.Owner).apply(ctx, atEpoch(cmd, e.Epoch))
	if err != nil {
		return answer{failure: r.recovering(e, failureOf(err))}
	}
	return answer{outcome: outcome}
}

func budgetOf(cmd *pb.Command) time.Duration {
	return time.Duration(cmd.GetBudgetMs()) * time.Millisecond
}

// sendLate sends a command that waited: what is left of its budget counts.
func (r *Router) sendLate(ctx context.Context, e *ledger.Entry, cmd *pb.Command, came time.Time) answer {
	late, outcome := lessBudget(cmd, time.Since(came))
	if outcome != nil {
		return answer{outcome: r.metrics.own.refused(outcome)}
	}
	return r.send(ctx, e, late)
}

// lessBudget is cmd with what is left of its budget, or its outcome if nothing is.
func lessBudget(cmd *pb.Command, waited time.Duration) (*pb.Command, *pb.Outcome) {
	if cmd.GetBudgetMs() == 0 {
		return cmd, nil
	}
	left := (budgetOf(cmd) - waited).Milliseconds()
	if left <= 0 {
		return nil, &pb.Outcome{RequestId: cmd.GetRequestId(), Verdict: pb.Verdict_VERDICT_EXPIRED}
	}
	late := proto.CloneOf(cmd) // it is the caller's
	late.BudgetMs = uint32(left)
	return late, nil
}

// atEpoch is cmd with the epoch at which the ledger has its hunt, so that an
// engine whose copy is not the owner's refuses it. A caller's own epoch stays. cmd
// is the caller's, so the epoch goes on a copy.
func atEpoch(cmd *pb.Command, epoch uint64) *pb.Command {
	if cmd.GetEpoch() != 0 {
		return cmd
	}
	return &pb.Command{
		HuntId:          cmd.GetHuntId(),
		PlayerId:        cmd.GetPlayerId(),
		RequestId:       cmd.GetRequestId(),
		ExpectedVersion: cmd.GetExpectedVersion(),
		BudgetMs:        cmd.GetBudgetMs(),
		Epoch:           epoch,
		Action:          cmd.GetAction(),
	}
}

// movedOn is where to follow a refusal to: the entry of a hunt that the ledger
// gives to another owner or epoch by now. nil: there is nothing to follow.
func (r *Router) movedOn(e *ledger.Entry, a answer) *ledger.Entry {
	if a.outcome == nil || !disowned(a.outcome) {
		return nil
	}
	next, ok := r.ledger.Lookup(e.HuntID)
	if !ok || next.SameOwnership(e) || idle(next) != "" {
		return nil
	}
	return next
}

// disowned says that an engine did not take a command because the hunt is not its own.
func disowned(outcome *pb.Outcome) bool {
	if outcome.GetVerdict() != pb.Verdict_VERDICT_REFUSED {
		return false
	}
	switch outcome.GetRefusal().GetReason() {
	case pb.Refusal_REASON_STALE_OWNER, pb.Refusal_REASON_STALE_EPOCH, pb.Refusal_REASON_SEALED,
		pb.Refusal_REASON_NOT_ACTIVE, pb.Refusal_REASON_UNKNOWN_HUNT:
		return true
	case pb.Refusal_REASON_UNSPECIFIED, pb.Refusal_REASON_INVALID, pb.Refusal_REASON_OVERLOADED, pb.Refusal_REASON_REQUEST_TOO_OLD,
		pb.Refusal_REASON_DRAINING, pb.Refusal_REASON_QUARANTINED:
	}
	return false
}

// judge turns UNKNOWN_HUNT from an owner that should have the hunt into what it is:
// a hunt whose state is not where the ledger trusts it to be.
func (r *Router) judge(e *ledger.Entry, a answer) answer {
	if a.outcome.GetRefusal().GetReason() != pb.Refusal_REASON_UNKNOWN_HUNT || e.State != ledger.Owned {
		return a
	}
	return answer{failure: r.missing(e)}
}

// missing is the failure of a call for a hunt that its owner has not got, counted.
func (r *Router) missing(e *ledger.Entry) *playerstate.Failure {
	r.metrics.of(e.Owner).missingAnswers.Inc()
	if e.Owner == ledger.Sidecar && !r.missingNow.has(e.HuntID) {
		r.recheckSidecar() // it must have restarted
	}
	return missing(e)
}
