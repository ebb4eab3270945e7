package legacy

import (
	"cmp"
	"context"
	"slices"
	"time"

	pb "treasurehunt.example/go-compat/gen/playerstatev1"
	"treasurehunt.example/go-compat/legacy/rules"
	"treasurehunt.example/go-compat/playerstate"
)

// Apply implements [playerstate.Commander]. A failure whose fate is unknown means
// that the hunt may still be applying the command.
func (e *Engine) Apply(ctx context.Context, cmd *pb.Command) (*pb.Outcome, error) {
	cmds, outcomes := [1]*pb.Command{cmd}, make([]*pb.Outcome, 1)
	if err := e.apply(ctx, cmds[:], outcomes); err != nil {
		return nil, err
	}
	return outcomes[0], nil
}

// ApplyBatch implements [playerstate.Commander]. The commands of one hunt are
// applied in their order; those of several hunts run side by side. Once the
// outcomes reach [playerstate.MaxBatchOutcomeBytes] the rest is refused OVERLOADED.
func (e *Engine) ApplyBatch(ctx context.Context, cmds []*pb.Command) ([]*pb.Outcome, error) {
	if f := playerstate.CheckBatch(len(cmds)); f != nil {
		return nil, f
	}
	outcomes := make([]*pb.Outcome, len(cmds))
	if err := e.apply(ctx, cmds, outcomes); err != nil {
		return nil, err
	}
	return outcomes, nil
}

func (e *Engine) apply(ctx context.Context, cmds []*pb.Command, outcomes []*pb.Outcome) error {
	ctx, leave, err := e.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	c := e.calls.get(outcomes)
	e.take(ctx, c, cmds)
	e.dispatch(c)
	select {
	case <-c.done:
		e.calls.put(c)
		return nil
	case <-ctx.Done():
		if c.leave() {
			return leftEarly(ctx, playerstate.FateNotApplied)
		}
		return leftEarly(ctx, playerstate.FateUnknown)
	}
}

// take copies the commands, answers those that reach no hunt, and finds the
// hunts of the others.
func (e *Engine) take(ctx context.Context, c *call, cmds []*pb.Command) {
	now := e.clock.Elapsed()
	deadline, _ := ctx.Deadline() // enter made sure of one
	end := now + time.Until(deadline)
	for i, m := range cmds {
		if field := playerstate.MalformedField(m); field != "" {
			e.counters.refused(pb.Refusal_REASON_INVALID)
			c.outcomes[i] = playerstate.InvalidOutcome(m.GetRequestId(), field)
			c.commands = append(c.commands, command{})
			continue
		}
		expires := end
		if budget := m.GetBudgetMs(); budget != 0 {
			expires = min(end, now+time.Duration(budget)*time.Millisecond)
		}
		c.commands = append(c.commands, command{Command: rules.CommandOf(m), epoch: m.GetEpoch(), expires: expires})
		h := e.hunts.find(m.GetHuntId())
		if h == nil {
			c.outcomes[i] = e.refuse(m.GetRequestId(), unknownHunt())
			continue
		}
		c.targets = append(c.targets, target{hunt: h, at: i})
	}
}

// dispatch gives each hunt its part. The call itself counts as one part, so that
// it is not done before all parts are out.
func (e *Engine) dispatch(c *call) {
	slices.SortStableFunc(c.targets, func(a, b target) int { return cmp.Compare(a.hunt.serial, b.hunt.serial) })
	c.pending.Store(1)
	for rest := c.targets; len(rest) > 0; {
		h, n := rest[0].hunt, 1
		for n < len(rest) && rest[n].hunt == h {
			n++
		}
		part := rest[:n]
		rest = rest[n:]
		c.pending.Add(1)
		if how := h.post(job{call: c, part: part}); how != postedOK {
			h.refusePart(c, part, how)
		}
	}
	c.finish()
}

// refusePart answers a part that did not get into the mailbox.
func (h *hunt) refusePart(c *call, part []target, how posted) {
	for _, t := range part {
		refusal := h.goneRefusal()
		if how == postedFull {
			refusal = overloaded("%d calls wait for this hunt, which is the limit (see legacy_refusals_total)", h.engine.limits.QueueCalls)
		}
		c.outcomes[t.at] = h.refuse(c.commands[t.at].RequestID, refusal)
	}
	c.finish()
}
