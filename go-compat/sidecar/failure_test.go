package sidecar

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pb "treasurehunt.example/go-compat/gen/playerstatev1"
	"treasurehunt.example/go-compat/playerstate"
)

// fails checks that err is a failure of this code and fate.
func fails(t *testing.T, err error, code codes.Code, fate playerstate.Fate) {
	t.Helper()
	if status.Code(err) != code || playerstate.FateOf(err) != fate {
		t.Errorf("got %v; want %s (%s)", err, code, fate)
	}
}

func TestACallerThatLeavesTheQueueIsAnsweredAtOnceAndItsCommandNeverSent(t *testing.T) {
	batch, arrived, release := gated()
	f := startFake(t, batch)
	c := f.client(t, Config{})
	ctx := within(t, 2*time.Second)
	first := make(chan error, 1)
	go func() { _, err := c.Apply(ctx, dig(1, 1)); first <- err }()
	<-arrived

	leaving, leave := context.WithCancel(ctx)
	second := make(chan error, 1)
	go func() { _, err := c.Apply(leaving, dig(2, 2)); second <- err }()
	queued(t, c, 1)
	leave()
	fails(t, <-second, codes.Canceled, playerstate.FateNotApplied)
	queued(t, c, 0)

	release <- struct{}{}
	if err := <-first; err != nil {
		t.Error(err)
	}
	if n := len(f.received()); n != 1 {
		t.Errorf("%d batches were sent", n)
	}
}

func TestACallerThatLeavesACallUnderWayLearnsThatItsFateIsUnknown(t *testing.T) {
	batch, arrived, release := gated()
	c := startFake(t, batch).client(t, Config{})
	ctx, leave := context.WithCancel(within(t, 2*time.Second))
	left := make(chan error, 1)
	go func() { _, err := c.Apply(ctx, dig(1, 1)); left <- err }()
	<-arrived
	leave()
	fails(t, <-left, codes.Canceled, playerstate.FateUnknown)
	close(release)
}

func TestAFullQueueRefusesAtOnceByName(t *testing.T) {
	batch, arrived, release := gated()
	c := startFake(t, batch).client(t, Config{QueueCommands: 2})
	ctx := within(t, 2*time.Second)
	var all sync.WaitGroup
	apply := func(id uint64) {
		if _, err := c.Apply(ctx, dig(id, id)); err != nil {
			t.Error(err)
		}
	}
	all.Go(func() { apply(1) })
	<-arrived
	all.Go(func() { apply(2) })
	all.Go(func() { apply(3) })
	queued(t, c, 2)

	outcome, err := c.Apply(ctx, dig(4, 4))
	refusal := outcome.GetRefusal()
	if err != nil || refusal.GetReason() != pb.Refusal_REASON_OVERLOADED || outcome.GetRequestId() != 4 {
		t.Errorf("%v, %v", outcome, err)
	}
	for _, named := range []string{"2 commands", "QueueCommands", metricQueueCommands} {
		if !strings.Contains(refusal.GetDetail(), named) {
			t.Errorf("%q does not name %q", refusal.GetDetail(), named)
		}
	}
	close(release)
	all.Wait()
}

// TestACallerWaitsForTheVerdictOfACommandWhoseBudgetIsOver: the budget says until when
// it may be applied, and the caller's context how long the caller has time to hear.
func TestACallerWaitsForTheVerdictOfACommandWhoseBudgetIsOver(t *testing.T) {
	expired := func(ctx context.Context, cmds []*pb.Command) (*pb.ApplyBatchResponse, error) {
		budget := time.NewTimer(time.Duration(cmds[0].GetBudgetMs()) * time.Millisecond)
		defer budget.Stop()
		select {
		case <-budget.C:
			return &pb.ApplyBatchResponse{Outcomes: []*pb.Outcome{{RequestId: 1, Verdict: pb.Verdict_VERDICT_EXPIRED}}}, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	c := startFake(t, expired).client(t, Config{})
	brief := dig(1, 1)
	brief.BudgetMs = 100
	outcome, err := c.Apply(within(t, 2*time.Second), brief)
	if err != nil || outcome.GetVerdict() != pb.Verdict_VERDICT_EXPIRED {
		t.Errorf("got %v, %v, and the sidecar said EXPIRED", outcome, err)
	}
}

func TestALateCommandExpiresUnsentAndSparesItsNeighbours(t *testing.T) {
	batch, arrived, release := gated()
	f := startFake(t, batch)
	c := f.client(t, Config{})
	ctx := within(t, 2*time.Second)
	first := make(chan error, 1)
	go func() { _, err := c.Apply(ctx, dig(1, 1)); first <- err }()
	<-arrived

	late, good := dig(2, 2), dig(3, 3)
	late.BudgetMs = 1
	answers := make(chan []*pb.Outcome, 1)
	go func() {
		outcomes, err := c.ApplyBatch(ctx, []*pb.Command{late, good})
		if err != nil {
			t.Error(err)
		}
		answers <- outcomes
	}()
	queued(t, c, 2)
	await(t, "the budget's end", func() bool {
		lane := c.lanes[0]
		lane.mu.Lock()
		defer lane.mu.Unlock()
		return time.Now().After(lane.queue.first.deadline)
	})
	close(release)
	outcomes := <-answers
	if outcomes[0].GetVerdict() != pb.Verdict_VERDICT_EXPIRED || outcomes[1].GetVerdict() != pb.Verdict_VERDICT_APPLIED {
		t.Errorf("%v", outcomes)
	}
	if got := f.received()[1]; len(got) != 1 || got[0].GetRequestId() != 3 {
		t.Errorf("sent %v", got)
	}
	<-first
}

func TestAnAbsentSidecarIsUnavailableAtOnceAndNothingWasApplied(t *testing.T) {
	c := dial(t, Config{Target: "unix:" + filepath.Join(t.TempDir(), "none.sock")})
	ctx := within(t, 2*time.Second)
	_, err := c.Apply(ctx, dig(1, 1))
	fails(t, err, codes.Unavailable, playerstate.FateNotApplied)
	_, err = c.GetHunt(ctx, &pb.GetHuntRequest{HuntId: "h"})
	fails(t, err, codes.Unavailable, playerstate.FateNotApplied)
	_, err = c.ApplyBatch(ctx, []*pb.Command{dig(1, 1), dig(2, 2)})
	fails(t, err, codes.Unavailable, playerstate.FateNotApplied)
	if ctx.Err() != nil {
		t.Error("it took the whole deadline")
	}
	_, err = c.Apply(ctx, dig(3, 3))
	forPeople(t, err)
}

// forPeople checks that a failure says what to do, keeps what the transport said to
// itself, and has it for the log.
func forPeople(t *testing.T, err error) {
	t.Helper()
	for _, inside := range []string{".sock", "transport", "desc =", "EOF"} {
		if strings.Contains(err.Error(), inside) {
			t.Errorf("%v: it shows %q to a player", err, inside)
		}
	}
	if !strings.Contains(err.Error(), "again") {
		t.Errorf("%v: it does not say what to do", err)
	}
	if cause := errors.Unwrap(err); status.Code(cause) != codes.Unavailable || cause.Error() == err.Error() {
		t.Errorf("what the transport said is lost: %v", cause)
	}
}

func TestALostConnectionFailsOnlyWhatWasUnderWay(t *testing.T) {
	batch, arrived, _ := gated()
	f := startFake(t, batch)
	c := f.client(t, Config{})
	ctx := within(t, 2*time.Second)
	underWay := make(chan error, 1)
	go func() { _, err := c.Apply(ctx, dig(1, 1)); underWay <- err }()
	<-arrived
	waiting := make(chan error, 1)
	go func() { _, err := c.Apply(ctx, dig(2, 2)); waiting <- err }()
	queued(t, c, 1)
	f.server.Stop()
	lost := <-underWay
	fails(t, lost, codes.Unavailable, playerstate.FateUnknown)
	forPeople(t, lost)
	fails(t, <-waiting, codes.Unavailable, playerstate.FateNotApplied)
}

func TestAServersOwnRefusalsSayThatNothingWasApplied(t *testing.T) {
	shed, err := status.New(codes.ResourceExhausted, "4096 calls in flight").WithDetails(&errdetails.RetryInfo{})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		answer error
		fate   playerstate.Fate
	}{
		{shed.Err(), playerstate.FateNotApplied},
		{status.Error(codes.InvalidArgument, "commands"), playerstate.FateNotApplied},
		{status.Error(codes.ResourceExhausted, "could be the size of the answer"), playerstate.FateUnknown},
		{status.Error(codes.Unavailable, "could be the transport"), playerstate.FateUnknown},
		{status.Error(codes.DeadlineExceeded, "could be after"), playerstate.FateUnknown},
		{status.Error(codes.Internal, "bug"), playerstate.FateUnknown},
	} {
		client := startFake(t, func(context.Context, []*pb.Command) (*pb.ApplyBatchResponse, error) { return nil, c.answer }).client(t, Config{})
		_, err := client.Apply(within(t, time.Second), dig(1, 1))
		fails(t, err, status.Code(c.answer), c.fate)
		if said := status.Convert(c.answer).Message(); status.Convert(err).Message() != said {
			t.Errorf("%v: the server said %q", err, said)
		}
	}
}

func TestAnswersThatCannotBelongToTheCommandsAreUnknown(t *testing.T) {
	for name, doctor := range map[string]func(*pb.ApplyBatchResponse){
		"one too few":   func(r *pb.ApplyBatchResponse) { r.Outcomes = r.Outcomes[1:] },
		"one too many":  func(r *pb.ApplyBatchResponse) { r.Outcomes = append(r.Outcomes, &pb.Outcome{}) },
		"another's":     func(r *pb.ApplyBatchResponse) { r.Outcomes[0].RequestId = 99 },
		"no answer all": func(r *pb.ApplyBatchResponse) { r.Outcomes = nil },
	} {
		t.Run(name, func(t *testing.T) {
			c := startFake(t, func(_ context.Context, cmds []*pb.Command) (*pb.ApplyBatchResponse, error) {
				reply := applied(cmds)
				doctor(reply)
				return reply, nil
			}).client(t, Config{})
			_, err := c.Apply(within(t, time.Second), dig(1, 1))
			fails(t, err, codes.Internal, playerstate.FateUnknown)
		})
	}
}

func TestABatchOfWhichSomeFailedAnswersTheOthers(t *testing.T) {
	f := startFake(t, func(_ context.Context, cmds []*pb.Command) (*pb.ApplyBatchResponse, error) {
		if len(cmds) < playerCommandsMax { // the second call of the player's five commands
			return nil, status.Error(codes.Internal, "bug")
		}
		return applied(cmds), nil
	})
	c := f.client(t, Config{})
	var cmds []*pb.Command
	for id := range uint64(playerCommandsMax + 1) {
		cmds = append(cmds, dig(1, id+1))
	}
	outcomes, err := c.ApplyBatch(within(t, time.Second), cmds)
	if err != nil {
		t.Fatal(err)
	}
	for i, outcome := range outcomes {
		want := pb.Verdict_VERDICT_APPLIED
		if i == playerCommandsMax {
			want = pb.Verdict_VERDICT_UNKNOWN
		}
		if outcome.GetVerdict() != want || outcome.GetRequestId() != uint64(i+1) {
			t.Errorf("outcome %d is %v", i, outcome)
		}
	}
}

func TestEveryCallerIsBackInTimeWhenTheServerStopsAnswering(t *testing.T) {
	f := startFake(t, func(ctx context.Context, _ []*pb.Command) (*pb.ApplyBatchResponse, error) {
		<-ctx.Done()
		time.Sleep(50 * time.Millisecond) // a server that is late even to fail
		return nil, ctx.Err()
	})
	c := f.client(t, Config{Lanes: 2})
	var all sync.WaitGroup
	for id := range uint64(400) {
		all.Go(func() {
			limit := time.Duration(50+id) * time.Millisecond
			start := time.Now()
			outcome, err := c.Apply(within(t, limit), dig(id+1, id+1))
			if status.Code(err) != codes.DeadlineExceeded && outcome.GetVerdict() != pb.Verdict_VERDICT_EXPIRED {
				t.Errorf("answered with %v, %v", outcome, err)
			}
			if late := time.Since(start) - limit; late > 100*time.Millisecond {
				t.Errorf("back %s after its deadline", late)
			}
		})
	}
	all.Wait()
}

func TestTenThousandAbandonedCallsLeaveNothingBehind(t *testing.T) {
	release := make(chan struct{})
	c := startFake(t, func(_ context.Context, cmds []*pb.Command) (*pb.ApplyBatchResponse, error) {
		<-release
		return applied(cmds), nil
	}).client(t, Config{})
	ctx, leave := context.WithCancel(within(t, 2*time.Second))
	var all sync.WaitGroup
	for id := range uint64(10_000) {
		all.Go(func() { _, _ = c.Apply(ctx, dig(id+1, id+1)) })
	}
	await(t, "a full queue", func() bool { return c.lanes[0].waiting() > 8000 })
	leave()
	all.Wait()
	queued(t, c, 0)
	close(release)
	if outcome, err := c.Apply(within(t, time.Second), dig(1, 20_000)); err != nil || outcome.GetVerdict() != pb.Verdict_VERDICT_APPLIED {
		t.Errorf("after them: %v, %v", outcome, err)
	}
	await(t, "the last call's end", func() bool { return c.metrics.calls.Load() == 0 })
}
