package enginetest

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pb "treasurehunt.example/go-compat/gen/playerstatev1"
	"treasurehunt.example/go-compat/playerstate"
)

// failuresAreTrue asks with contexts that are over or run out meanwhile, and then
// finds out what was applied: by asking again under the same request_id.
func failuresAreTrue(b *bench) {
	hunt := b.hunt()
	b.mustApply(b.join(hunt, 1))
	contexts := map[string]func() (context.Context, context.CancelFunc){
		"cancelled before": func() (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancel(b.Context())
			cancel()
			return ctx, cancel
		},
		"past its deadline": func() (context.Context, context.CancelFunc) {
			return context.WithTimeout(b.Context(), -time.Second)
		},
		"about to end": func() (context.Context, context.CancelFunc) {
			return context.WithTimeout(b.Context(), 20*time.Microsecond)
		},
	}
	player := uint64(2)
	for name, made := range contexts {
		for range 50 {
			one, many := b.join(hunt, player), []*pb.Command{b.join(hunt, player+1), b.join(hunt, player+2)}
			player += 3

			ctx, cancel := made()
			outcome, err := b.engine.Apply(ctx, again(one))
			cancel()
			b.wantTruth(name, one, outcome, err)

			ctx, cancel = made()
			outcomes, err := b.engine.ApplyBatch(ctx, []*pb.Command{again(many[0]), again(many[1])})
			cancel()
			for i, cmd := range many {
				if err != nil {
					b.wantTruth(name, cmd, nil, err)
				} else {
					b.wantTruth(name, cmd, outcomes[i], nil)
				}
			}
		}
	}
	ctx, cancel := contexts["cancelled before"]()
	defer cancel()
	if _, err := b.engine.GetHunt(ctx, &pb.GetHuntRequest{HuntId: hunt}); err != nil {
		b.wantEndOfContext(b.failure(err))
	}
}

// wantTruth holds an answer against what was applied.
func (b *bench) wantTruth(name string, cmd *pb.Command, outcome *pb.Outcome, err error) {
	b.Helper()
	said := outcome.GetVerdict()
	if err != nil {
		failure := b.failure(err)
		b.wantEndOfContext(failure)
		said = pb.Verdict_VERDICT_UNKNOWN
		if failure.Fate == playerstate.FateNotApplied {
			said = pb.Verdict_VERDICT_EXPIRED
		}
	}
	now := b.apply(again(cmd)).GetVerdict()
	switch {
	case said == pb.Verdict_VERDICT_APPLIED && now == pb.Verdict_VERDICT_DUPLICATE:
	case said == pb.Verdict_VERDICT_EXPIRED && now == pb.Verdict_VERDICT_APPLIED:
	case said == pb.Verdict_VERDICT_UNKNOWN && (now == pb.Verdict_VERDICT_APPLIED || now == pb.Verdict_VERDICT_DUPLICATE):
	default:
		b.Fatalf("a context that is %s: the command was answered %v, %v; asked again, it is %s", name, outcome, err, now)
	}
}

func (b *bench) wantEndOfContext(failure *playerstate.Failure) {
	b.Helper()
	if code := status.Code(failure); code != codes.Canceled && code != codes.DeadlineExceeded {
		b.Errorf("got %v; want CANCELLED or DEADLINE_EXCEEDED of a context that is over", failure)
	}
}

const (
	crowdPlayers = 64  // of each caller
	crowdMost    = 128 // callers
	// lateAfter is over which a call whose commands have 1 ms was surely late for
	// some of them.
	lateAfter = 10 * time.Millisecond
)

// budgetIsHeld sends more at once than a hunt can do within the commands' budgets.
// How much of it expires is the engine's and the machine's; what did expire must
// have changed nothing, and calls that took long must have let something expire.
func budgetIsHeld(b *bench) {
	for callers := crowdMost / 8; ; callers *= 2 {
		hunt := b.hunt()
		seen := b.crowd(hunt, callers)
		for player, want := range seen.applied {
			if player%crowdPlayers > 2 {
				continue // a few of each caller's are enough
			}
			got := b.getPlayer(hunt, player).GetPlayer().GetVersion()
			if most := want + seen.unknown[player]; got < want || got > most {
				b.Errorf("player %d is at version %d; %d commands were answered APPLIED, %d UNKNOWN, the others were late", player, got, want, seen.unknown[player])
			}
		}
		switch {
		case seen.expired > 0 || len(seen.unknown) > 0 || b.Failed():
			b.mustApply(b.join(hunt, 1)) // one that has time
			return
		case seen.late >= callers/4:
			b.Fatalf("%d callers waited over %s for commands with a budget of 1 ms, and none expired: budget_ms runs from when the engine takes the call", seen.late, lateAfter)
		case callers == crowdMost:
			b.Skipf("nothing shown: %d commands at once were all applied before any was late", callers*playerstate.MaxBatch)
		}
	}
}

// crowdAnswers is what a crowd was answered.
type crowdAnswers struct {
	applied map[uint64]uint32 // by player
	unknown map[uint64]uint32 // likewise: a client may leave a call when the budgets of its commands are over
	expired int
	late    int // callers who waited over lateAfter
}

func (c *crowdAnswers) add(cmd *pb.Command, verdict pb.Verdict) {
	switch verdict {
	case pb.Verdict_VERDICT_APPLIED:
		c.applied[cmd.GetPlayerId()]++
	case pb.Verdict_VERDICT_UNKNOWN:
		c.unknown[cmd.GetPlayerId()]++
	case pb.Verdict_VERDICT_EXPIRED:
		c.expired++
	case pb.Verdict_VERDICT_UNSPECIFIED, pb.Verdict_VERDICT_DUPLICATE, pb.Verdict_VERDICT_REJECTED, pb.Verdict_VERDICT_REFUSED:
	}
}

// crowd has callers send a full batch each, all at once, whose commands have 1 ms.
func (b *bench) crowd(hunt string, callers int) *crowdAnswers {
	b.Helper()
	seen := &crowdAnswers{applied: map[uint64]uint32{}, unknown: map[uint64]uint32{}}
	var mu sync.Mutex // guards seen
	var all sync.WaitGroup
	for caller := range uint64(callers) {
		all.Go(func() {
			cmds := b.hurried(hunt, caller*crowdPlayers)
			ctx := b.ctx()
			began := time.Now()
			outcomes, err := b.engine.ApplyBatch(ctx, cmds)
			took := time.Since(began)
			mu.Lock()
			defer mu.Unlock()
			if took > lateAfter {
				seen.late++
			}
			for i, cmd := range cmds {
				outcome := &pb.Outcome{Verdict: pb.Verdict_VERDICT_UNKNOWN} // of a call that failed
				if err == nil {
					outcome = outcomes[i]
				}
				seen.add(cmd, outcome.GetVerdict())
				if refusal := outcome.GetRefusal(); refusal != nil && refusal.GetReason() != pb.Refusal_REASON_OVERLOADED {
					b.Errorf("got %v; want APPLIED, EXPIRED or REFUSED OVERLOADED", outcome)
				}
			}
		})
	}
	all.Wait()
	return seen
}

// hurried is a batch of players' commands with a budget of 1 ms each.
func (b *bench) hurried(hunt string, after uint64) []*pb.Command {
	var cmds []*pb.Command
	for i := range uint64(playerstate.MaxBatch) {
		cmd := b.join(hunt, after+1+i%crowdPlayers)
		cmd.BudgetMs = 1
		cmds = append(cmds, cmd)
	}
	return cmds
}

// hangMost is when a caller is surely late who should be back after the default. It
// tells an engine with a default from one without, on a busy machine too.
const hangMost = 4 * playerstate.DefaultTimeout

func hangIsBounded(b *bench) {
	if b.stall == nil {
		b.Skip("nothing shown: the engine cannot be stalled; give enginetest.Stall to have this tested")
	}
	hunt := b.hunt()
	b.mustApply(b.join(hunt, 1))
	resume := sync.OnceFunc(b.stall(b.TB, b.engine, hunt))
	b.Cleanup(resume)
	late := time.AfterFunc(hangMost, resume) // an engine without a default hangs no longer than that
	defer late.Stop()
	cmd := b.join(hunt, 2)
	var calls sync.WaitGroup
	var answered error
	b.hangs(&calls, "Apply", func(ctx context.Context) ([]*pb.Outcome, error) {
		outcome, err := b.engine.Apply(ctx, again(cmd))
		answered = err
		return []*pb.Outcome{outcome}, err
	})
	b.hangs(&calls, "ApplyBatch", func(ctx context.Context) ([]*pb.Outcome, error) {
		return b.engine.ApplyBatch(ctx, []*pb.Command{b.join(hunt, 3), b.join(hunt, 4)})
	})
	b.hangs(&calls, "GetHunt", func(ctx context.Context) ([]*pb.Outcome, error) {
		_, err := b.engine.GetHunt(ctx, &pb.GetHuntRequest{HuntId: hunt})
		return nil, err
	})
	b.hangs(&calls, "GetPlayer", func(ctx context.Context) ([]*pb.Outcome, error) {
		_, err := b.engine.GetPlayer(ctx, &pb.GetPlayerRequest{HuntId: hunt, PlayerId: 1})
		return nil, err
	})
	b.hangs(&calls, "EndHunt", func(ctx context.Context) ([]*pb.Outcome, error) {
		_, err := b.engine.EndHunt(ctx, &pb.EndHuntRequest{HuntId: hunt})
		return nil, err
	})
	calls.Wait()
	resume()
	if answered != nil && playerstate.FateOf(answered) == playerstate.FateNotApplied {
		if outcome := b.apply(cmd); outcome.GetVerdict() == pb.Verdict_VERDICT_DUPLICATE {
			b.Errorf("its caller was told that it was not applied; asked again, it is %v", outcome)
		}
	}
}

// hangs makes a call without a deadline, which the engine does not answer.
func (b *bench) hangs(calls *sync.WaitGroup, method string, call func(context.Context) ([]*pb.Outcome, error)) {
	calls.Go(func() {
		began := time.Now()
		outcomes, err := call(context.Background())
		if took := time.Since(began); took >= hangMost {
			b.Errorf("%s: its caller was back after %s; want the default, %s", method, took, playerstate.DefaultTimeout)
		}
		if status.Code(err) == codes.DeadlineExceeded || err == nil && len(outcomes) > 0 && !slices.ContainsFunc(outcomes, isAnswer) {
			return
		}
		b.Errorf("%s: %v, %v; want DEADLINE_EXCEEDED, or outcomes that are EXPIRED or UNKNOWN", method, outcomes, err)
	})
}

// isAnswer says that an outcome is an engine's that worked on the command.
func isAnswer(outcome *pb.Outcome) bool {
	return outcome.GetVerdict() != pb.Verdict_VERDICT_EXPIRED && outcome.GetVerdict() != pb.Verdict_VERDICT_UNKNOWN
}

func closedIsUnavailable(b *bench) {
	closer, ok := b.engine.(interface{ Close(context.Context) error })
	if !ok {
		b.Skipf("nothing shown: %T has no Close(ctx)", b.engine)
	}
	hunt := b.hunt()
	ctx := b.ctx()
	var closed atomic.Bool
	var calls sync.WaitGroup
	for player := range uint64(16) {
		calls.Go(func() { b.callUntil(ctx, &closed, hunt, player+1) })
	}
	if err := closer.Close(ctx); err != nil {
		b.Errorf("Close: %v", err)
	}
	closed.Store(true)
	calls.Wait()
	_, err := b.engine.ApplyBatch(b.ctx(), []*pb.Command{b.join(hunt, 1)})
	b.wantNotApplied(err, codes.Unavailable)
	_, err = b.engine.GetHunt(b.ctx(), &pb.GetHuntRequest{HuntId: hunt})
	b.wantNotApplied(err, codes.Unavailable)
	_, err = b.engine.CreateHunt(b.ctx(), b.createRequest(newID()))
	b.wantNotApplied(err, codes.Unavailable)
}

// callUntil calls until the engine is closed: each call is answered or told that it
// was not applied.
func (b *bench) callUntil(ctx context.Context, closed *atomic.Bool, hunt string, player uint64) {
	for {
		late := closed.Load()
		outcome, err := b.engine.Apply(ctx, b.join(hunt, player))
		switch {
		case err != nil:
			b.wantNotApplied(err, codes.Unavailable)
			return
		case outcome.GetRefusal().GetReason() == pb.Refusal_REASON_DRAINING:
			return
		case late:
			b.Errorf("a call after Close: %v", outcome)
			return
		case outcome.GetVerdict() != pb.Verdict_VERDICT_APPLIED:
			b.Errorf("a call while the engine closes: %v", outcome)
			return
		}
	}
}
