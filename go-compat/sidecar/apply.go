package sidecar

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"slices"
	"time"

	"go.opentelemetry.io/otel/trace"

	pb "treasurehunt.example/go-compat/gen/playerstatev1"
	"treasurehunt.example/go-compat/playerstate"
)

// single is what one Apply needs. It is used again once its call was answered;
// one whose caller left is the sender's until it is garbage.
type single struct {
	call  call
	group *group
	timer *time.Timer // for a caller whose own deadline is later than the client's
}

func newSingle() *single {
	s := &single{group: newGroup(0), timer: time.NewTimer(time.Hour)}
	s.timer.Stop()
	s.call.group = s.group
	return s
}

// Apply implements [playerstate.Commander]. It is answered within its deadline,
// at most 2 s. A malformed command is REFUSED INVALID, one for which the queue has
// no room REFUSED OVERLOADED, both unsent. A [*playerstate.Failure] says what is
// known of a command that was not answered.
func (c *Client) Apply(ctx context.Context, cmd *pb.Command) (*pb.Outcome, error) {
	s := c.singles.Get().(*single)
	until, isOurs := bound(ctx, 0, callTimeMax)
	if refusal := c.prepare(ctx, until, &s.call, cmd); refusal != nil {
		c.singles.Put(s)
		return refusal, nil
	}
	var expired <-chan time.Time
	if isOurs { // a context for it would be most of what a command allocates
		s.timer.Reset(time.Until(until))
		expired = s.timer.C
	}
	s.group.pending.Store(1)
	c.laneOf(&s.call).put(&s.call)
	select {
	case <-s.group.done:
		outcome, failure := s.call.outcome, s.call.failure
		s.call.reset()
		s.timer.Stop() // before another has it
		c.singles.Put(s)
		return c.answer(outcome, failure)
	case <-expired:
		return c.answer(c.leave(context.DeadlineExceeded, &s.call))
	case <-ctx.Done():
		s.timer.Stop()
		return c.answer(c.leave(ctx.Err(), &s.call))
	}
}

func (c *Client) answer(outcome *pb.Outcome, failure *playerstate.Failure) (*pb.Outcome, error) {
	if failure != nil {
		c.metrics.failed(failure.Fate)
		return nil, failure
	}
	return outcome, nil
}

// ApplyBatch implements [playerstate.Commander]. The commands go through the
// lanes as those of Apply do, next to those of other callers, so a batch of one
// player's commands may take several calls. The error is for a batch of which no
// command was answered; else a command that failed has [playerstate.Failure.Outcome].
func (c *Client) ApplyBatch(ctx context.Context, cmds []*pb.Command) ([]*pb.Outcome, error) {
	if failure := playerstate.CheckBatch(len(cmds)); failure != nil {
		return nil, failure
	}
	return c.ApplyAll(ctx, cmds)
}

// ApplyAll is for callers with a tick: it takes any number of commands, sends them in as
// few calls as the lanes and their bounds allow, and answers as many outcomes in the same
// order, within its deadline, at most 2 s. A player's commands are applied in their order.
// More than QueueCommands go one portion after the other. Errors are as of ApplyBatch, of
// all that is left where a portion was not answered at all.
func (c *Client) ApplyAll(ctx context.Context, cmds []*pb.Command) ([]*pb.Outcome, error) {
	ctx, cancel := bounded(ctx, 0, callTimeMax)
	defer cancel()
	if len(cmds) <= c.portion {
		return c.applyPortion(ctx, cmds)
	}
	outcomes := make([]*pb.Outcome, 0, len(cmds))
	for portion := range slices.Chunk(cmds, c.portion) {
		answered, err := c.applyPortion(ctx, portion)
		var failure *playerstate.Failure
		switch {
		case errors.As(err, &failure) && len(outcomes) > 0:
			for _, cmd := range portion {
				outcomes = append(outcomes, failure.Outcome(cmd.GetRequestId()))
			}
		case err != nil:
			return nil, err
		default:
			outcomes = append(outcomes, answered...)
		}
	}
	return outcomes, nil
}

// encodedBytes is what most commands take. One that takes more has memory of its own.
const encodedBytes = 80

func (c *Client) applyPortion(ctx context.Context, cmds []*pb.Command) ([]*pb.Outcome, error) {
	calls, all := make([]call, len(cmds)), newGroup(len(cmds))
	if len(cmds) == 0 {
		return nil, nil
	}
	encoded := make([]byte, len(cmds)*encodedBytes)
	for i := range calls {
		calls[i].encoded = encoded[i*encodedBytes : i*encodedBytes : (i+1)*encodedBytes]
	}
	for i, queued := range c.byLane(ctx, calls, cmds, all) {
		c.lanes[i].put(queued...)
	}
	select {
	case <-all.done:
	case <-ctx.Done():
	}
	return c.outcomes(ctx, calls)
}

// byLane prepares the calls. What is malformed is answered at once; the others
// are returned for each lane, in order.
func (c *Client) byLane(ctx context.Context, calls []call, cmds []*pb.Command, all *group) [][]*call {
	lanes := make([][]*call, len(c.lanes))
	for i := range lanes {
		lanes[i] = make([]*call, 0, 2*len(cmds)/len(lanes)) // they share about evenly
	}
	until, _ := ctx.Deadline() // bounded gave it one
	for i, cmd := range cmds {
		call := &calls[i]
		call.group = all
		if refusal := c.prepare(ctx, until, call, cmd); refusal != nil {
			call.resolve(refusal)
			continue
		}
		lane := c.laneIndex(call)
		lanes[lane] = append(lanes[lane], call)
	}
	return lanes
}

// outcomes collects the answers of calls, leaving those that have none.
func (c *Client) outcomes(ctx context.Context, calls []call) ([]*pb.Outcome, error) {
	outcomes := make([]*pb.Outcome, len(calls))
	var failed int
	var worst *playerstate.Failure
	for i := range calls {
		outcome, failure := c.leave(ctx.Err(), &calls[i])
		if failure != nil {
			c.metrics.failed(failure.Fate)
			failed++
			if worst == nil || failure.Fate == playerstate.FateUnknown {
				worst = failure
			}
			outcome = failure.Outcome(calls[i].requestID)
		}
		outcomes[i] = outcome
	}
	if failed == len(calls) {
		return nil, worst
	}
	return outcomes, nil
}

// leave stops waiting for a call, as a context's error says why: it gives the answer if
// there is one, else what is known of the command.
func (c *Client) leave(why error, call *call) (*pb.Outcome, *playerstate.Failure) {
	if !call.answered.Load() && c.laneOf(call).withdraw(call) {
		return nil, left(why, playerstate.FateNotApplied)
	}
	if call.answered.Load() { // before, or since it was sent
		return call.outcome, call.failure
	}
	return nil, left(why, playerstate.FateUnknown)
}

// prepare makes call ready to be queued, or refuses a command that must not be
// sent: one that an engine would refuse for its syntax, and one that no message
// has room for. Its caller waits until then. cmd is not looked at again.
func (c *Client) prepare(ctx context.Context, until time.Time, call *call, cmd *pb.Command) *pb.Outcome {
	call.requestID = cmd.GetRequestId()
	if field := playerstate.MalformedField(cmd); field != "" {
		return c.refuse(call, field)
	}
	encoded, err := appendCommand(call.encoded[:0], cmd)
	if err != nil {
		return c.refuse(call, err.Error())
	}
	if size := wireBytesMax(len(encoded)); size > playerstate.MaxMessageBytes {
		// Only fields that this schema does not know make a command so large.
		return c.refuse(call, fmt.Sprintf("the command takes %d bytes of a message, which has at most %d", size, playerstate.MaxMessageBytes))
	}
	call.encoded = encoded
	call.player = maphash.Comparable(c.seed, playerKey{cmd.GetHuntId(), cmd.GetPlayerId()})
	call.until = until
	call.deadline = deadlineOf(until, cmd)
	call.span = trace.SpanContextFromContext(ctx)
	return nil
}

func (c *Client) refuse(call *call, detail string) *pb.Outcome {
	c.metrics.malformed.Inc()
	return playerstate.InvalidOutcome(call.requestID, detail)
}

// playerKey is what the remembered requests of RULES belong to.
type playerKey struct {
	huntID   string
	playerID uint64
}

func (c *Client) laneIndex(call *call) int { return int(call.player % uint64(len(c.lanes))) }

func (c *Client) laneOf(call *call) *lane { return c.lanes[c.laneIndex(call)] }

// deadlineOf is the end of the command's own budget, or until if that is sooner.
func deadlineOf(until time.Time, cmd *pb.Command) time.Time {
	if budget := cmd.GetBudgetMs(); budget > 0 {
		if own := time.Now().Add(time.Duration(budget) * time.Millisecond); own.Before(until) {
			return own
		}
	}
	return until
}
