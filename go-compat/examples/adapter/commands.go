package adapter

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"treasurehunt.example/go-compat/examples/adapter/oldengine"
	pb "treasurehunt.example/go-compat/gen/playerstatev1"
	"treasurehunt.example/go-compat/playerstate"
)

// rememberedMax is how many requests of a player are remembered, as the rules of
// the seam have it.
const rememberedMax = 4

// Apply implements [playerstate.Commander].
func (a *Adapter) Apply(ctx context.Context, cmd *pb.Command) (*pb.Outcome, error) {
	ctx, cancel, err := a.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer cancel()
	outcome, failure := a.apply(ctx, time.Now(), cmd)
	if failure != nil { // a nil *Failure must not become an error
		return nil, failure
	}
	return outcome, nil
}

// ApplyBatch implements [playerstate.Commander]. A command that fails has its
// failure as its outcome, so that it is the only one. Outcomes are too small here
// for the bound on a batch's bytes.
func (a *Adapter) ApplyBatch(ctx context.Context, cmds []*pb.Command) ([]*pb.Outcome, error) {
	ctx, cancel, err := a.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer cancel()
	if failure := playerstate.CheckBatch(len(cmds)); failure != nil {
		return nil, failure
	}
	came := time.Now()
	outcomes := make([]*pb.Outcome, len(cmds))
	for i, cmd := range cmds {
		outcome, failure := a.apply(ctx, came, cmd)
		if failure != nil {
			outcome = failure.Outcome(cmd.GetRequestId())
		}
		outcomes[i] = outcome
	}
	return outcomes, nil
}

// apply takes one command of a call that came at a time. What it asks, and in which
// order, is the seam's; the old engine is asked last.
func (a *Adapter) apply(ctx context.Context, came time.Time, cmd *pb.Command) (*pb.Outcome, *playerstate.Failure) {
	if field := playerstate.MalformedField(cmd); field != "" {
		return playerstate.InvalidOutcome(cmd.GetRequestId(), field), nil
	}
	h := a.find(cmd.GetHuntId())
	if h == nil {
		return playerstate.Refused(cmd.GetRequestId(), &pb.Refusal{Reason: pb.Refusal_REASON_UNKNOWN_HUNT}), nil
	}
	if failure := h.take(ctx); failure != nil {
		return nil, failure
	}
	defer h.give()
	budget := time.Duration(cmd.GetBudgetMs()) * time.Millisecond
	switch {
	case ctx.Err() != nil:
		return nil, left(ctx)
	case budget != 0 && time.Since(came) >= budget:
		return &pb.Outcome{RequestId: cmd.GetRequestId(), Verdict: pb.Verdict_VERDICT_EXPIRED}, nil
	case cmd.GetEpoch() != 0 && cmd.GetEpoch() != h.epoch:
		return playerstate.Refused(cmd.GetRequestId(), &pb.Refusal{Reason: pb.Refusal_REASON_STALE_EPOCH, Epoch: h.epoch}), nil
	}
	return h.apply(cmd)
}

func (h *hunt) apply(cmd *pb.Command) (*pb.Outcome, *playerstate.Failure) {
	outcome := &pb.Outcome{RequestId: cmd.GetRequestId()}
	p := h.players[cmd.GetPlayerId()]
	if p == nil {
		p = &player{} // kept when something of theirs is applied
	}
	if h.isRepeated(p, cmd, outcome) {
		return outcome, nil
	}
	rejection, failure := h.ask(p, cmd, outcome)
	switch {
	case failure != nil:
		return nil, failure
	case rejection != pb.Rejection_REJECTION_UNSPECIFIED:
		outcome.Verdict, outcome.Rejection = pb.Verdict_VERDICT_REJECTED, rejection
	default:
		h.sequence++
		p.version++
		p.remember(request{id: cmd.GetRequestId(), sequence: h.sequence})
		h.players[cmd.GetPlayerId()] = p
		outcome.Verdict, outcome.Epoch, outcome.Sequence = pb.Verdict_VERDICT_APPLIED, h.epoch, h.sequence
	}
	outcome.Player = h.summary(cmd.GetPlayerId())
	return outcome, nil
}

// isRepeated answers a request that was applied before, or may have been.
func (h *hunt) isRepeated(p *player, cmd *pb.Command, outcome *pb.Outcome) bool {
	at, there := slices.BinarySearchFunc(p.remembered, cmd.GetRequestId(), func(r request, id uint64) int { return cmp.Compare(r.id, id) })
	switch {
	case there:
		outcome.Verdict, outcome.Sequence = pb.Verdict_VERDICT_DUPLICATE, p.remembered[at].sequence
		outcome.Player = h.summary(cmd.GetPlayerId())
	case at == 0 && len(p.remembered) == rememberedMax:
		outcome.Verdict, outcome.Refusal = pb.Verdict_VERDICT_REFUSED, &pb.Refusal{Reason: pb.Refusal_REASON_REQUEST_TOO_OLD}
	default:
		return false
	}
	return true
}

// remember keeps the largest ids.
func (p *player) remember(r request) {
	at, _ := slices.BinarySearchFunc(p.remembered, r, func(a, b request) int { return cmp.Compare(a.id, b.id) })
	p.remembered = slices.Insert(p.remembered, at, r)
	if len(p.remembered) > rememberedMax {
		p.remembered = slices.Delete(p.remembered, 0, 1)
	}
}

// ask has the old engine do it, and says its No as the schema does.
func (h *hunt) ask(p *player, cmd *pb.Command, outcome *pb.Outcome) (pb.Rejection, *playerstate.Failure) {
	who := uuidOf(cmd.GetPlayerId())
	over, _ := h.game.Over()
	_, _, in, _ := h.game.Look(who)
	switch {
	case over:
		return pb.Rejection_REJECTION_HUNT_ENDED, nil
	case !in && cmd.GetJoin() == nil:
		return pb.Rejection_REJECTION_NOT_JOINED, nil
	case cmd.GetExpectedVersion() != 0 && cmd.GetExpectedVersion() != p.version:
		return pb.Rejection_REJECTION_VERSION_MISMATCH, nil
	}
	return rejectionOf(h.do(who, cmd, outcome))
}

// errNoSuchThing is for actions of the schema that the old engine does not have.
var errNoSuchThing = errors.New("this engine has no power-ups")

func (h *hunt) do(who oldengine.UUID, cmd *pb.Command, outcome *pb.Outcome) error {
	switch action := cmd.GetAction().(type) {
	case *pb.Command_Join:
		return h.game.Enter(who)
	case *pb.Command_Leave:
		return h.game.Exit(who)
	case *pb.Command_Move:
		return h.game.Walk(who, oldengine.Spot{X: int(action.Move.GetX()), Y: int(action.Move.GetY())})
	case *pb.Command_Dig:
		gold, err := h.game.Dig(who)
		if err != nil {
			return err
		}
		at, _, _, _ := h.game.Look(who)
		outcome.Treasures = []*pb.Treasure{{X: uint32(at.X), Y: uint32(at.Y), Value: uint32(gold)}}
		return nil
	case *pb.Command_PickUp:
		return oldengine.ErrNothing
	case *pb.Command_UsePowerUp:
	}
	return errNoSuchThing
}

// rejectionOf says an error of the old engine as the schema does. One that it does
// not know is a failure, and never taken for a No of the game.
func rejectionOf(err error) (pb.Rejection, *playerstate.Failure) {
	switch {
	case err == nil:
		return pb.Rejection_REJECTION_UNSPECIFIED, nil
	case errors.Is(err, oldengine.ErrOver):
		return pb.Rejection_REJECTION_HUNT_ENDED, nil
	case errors.Is(err, oldengine.ErrFull):
		return pb.Rejection_REJECTION_HUNT_FULL, nil
	case errors.Is(err, oldengine.ErrNotIn):
		return pb.Rejection_REJECTION_NOT_JOINED, nil
	case errors.Is(err, oldengine.ErrOffMap):
		return pb.Rejection_REJECTION_OUT_OF_BOUNDS, nil
	case errors.Is(err, oldengine.ErrTooFar):
		return pb.Rejection_REJECTION_TOO_FAR, nil
	case errors.Is(err, oldengine.ErrNothing):
		return pb.Rejection_REJECTION_NOTHING_HERE, nil
	case errors.Is(err, errNoSuchThing):
		return pb.Rejection_REJECTION_UNKNOWN_POWER_UP, nil
	}
	return pb.Rejection_REJECTION_UNSPECIFIED, errUnknown(err)
}
