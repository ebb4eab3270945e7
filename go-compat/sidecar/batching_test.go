package sidecar

import (
	"context"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"

	pb "treasurehunt.example/go-compat/gen/playerstatev1"
	"treasurehunt.example/go-compat/playerstate"
)

func TestCallersGatherIntoOneBatchWhileACallIsOut(t *testing.T) {
	batch, arrived, release := gated()
	c := startFake(t, batch).client(t, Config{})
	ctx := within(t, 2*time.Second)

	var all sync.WaitGroup
	apply := func(id uint64) {
		outcome, err := c.Apply(ctx, dig(id, id))
		if err != nil || outcome.GetRequestId() != id {
			t.Errorf("request %d: %v, %v", id, outcome, err)
		}
	}
	all.Go(func() { apply(1) })
	if n := <-arrived; n != 1 {
		t.Fatalf("a lone caller's batch has %d commands", n)
	}
	for id := range uint64(500) {
		all.Go(func() { apply(id + 2) })
	}
	queued(t, c, 500)
	release <- struct{}{}
	if n := <-arrived; n != 500 {
		t.Errorf("500 callers gathered into a batch of %d", n)
	}
	release <- struct{}{}
	all.Wait()
}

func TestEachCommandArrivesAsItWasGivenWithItsBudget(t *testing.T) {
	f := startFake(t, nil)
	c := f.client(t, Config{})
	given := []*pb.Command{
		{HuntId: "a.b_c:d-1", PlayerId: 1, RequestId: 9, ExpectedVersion: 3, Epoch: 7, Action: &pb.Command_Join{Join: &pb.Join{}}},
		{HuntId: "h", PlayerId: 2, RequestId: 10, BudgetMs: 1000, Action: &pb.Command_Move{Move: &pb.Move{X: 4, Y: 5}}},
		{HuntId: "h", PlayerId: 3, RequestId: 11, BudgetMs: 60_000, Action: &pb.Command_UsePowerUp{UsePowerUp: &pb.UsePowerUp{PowerUp: "blink", TargetPlayerId: 8}}},
	}
	if _, err := c.ApplyBatch(within(t, 2*time.Second), given); err != nil {
		t.Fatal(err)
	}
	got := slices.Concat(f.received()...)
	if diff := cmp.Diff(given, got, protocmp.Transform(), protocmp.IgnoreFields(&pb.Command{}, "budget_ms")); diff != "" {
		t.Error(diff)
	}
	for i, most := range []uint32{2000, 1000, 2000} { // the sooner of the call's deadline and the command's own budget
		if budget := got[i].GetBudgetMs(); budget == 0 || budget > most || budget < most/2 {
			t.Errorf("command %d has a budget of %d ms; %d were left", i, budget, most)
		}
	}
}

func TestABatchAnswersInTheOrderOfItsCommandsOverAllLanes(t *testing.T) {
	c := startFake(t, nil).client(t, Config{Lanes: 4})
	var cmds []*pb.Command
	for id := range uint64(playerstate.MaxBatch) {
		cmds = append(cmds, dig(id%300+1, id+1))
	}
	cmds[5] = &pb.Command{HuntId: "new\nline", PlayerId: 1, RequestId: 6}
	outcomes, err := c.ApplyBatch(within(t, 2*time.Second), cmds)
	if err != nil {
		t.Fatal(err)
	}
	for i, outcome := range outcomes {
		want := pb.Verdict_VERDICT_APPLIED
		if i == 5 {
			want = pb.Verdict_VERDICT_REFUSED
		}
		if outcome.GetRequestId() != uint64(i+1) || outcome.GetVerdict() != want {
			t.Fatalf("outcome %d is %v", i, outcome)
		}
	}
}

func TestATickOfAnySizeIsAnsweredInItsOrderInAsFewCallsAsThereCanBe(t *testing.T) {
	f := startFake(t, nil)
	c := f.client(t, Config{Lanes: 2, QueueCommands: 3000})
	for _, size := range []int{0, 1, 256, 2500, 7000} {
		before := len(f.received())
		var cmds []*pb.Command
		for id := range uint64(size) {
			cmds = append(cmds, dig(id+1, id+1))
		}
		outcomes, err := c.ApplyAll(within(t, 2*time.Second), cmds)
		if err != nil || len(outcomes) != size {
			t.Fatalf("%d commands: %d outcomes, %v", size, len(outcomes), err)
		}
		for i, outcome := range outcomes {
			if outcome.GetRequestId() != uint64(i+1) || outcome.GetVerdict() != pb.Verdict_VERDICT_APPLIED {
				t.Fatalf("%d commands: outcome %d is %v", size, i, outcome)
			}
		}
		// A portion may be cut once more where a lane begins to send before all of it is there.
		portions := (size + 2999) / 3000
		most := 2 * (portions + size/playerstate.MaxBatch + 1)
		if calls := len(f.received()) - before; calls > most {
			t.Errorf("%d commands took %d calls, and should take %d at most", size, calls, most)
		}
	}
}

// TestATickThatEndsEarlySaysOfEachCommandWhatIsKnown has a second portion whose call is
// never answered.
func TestATickThatEndsEarlySaysOfEachCommandWhatIsKnown(t *testing.T) {
	var calls atomic.Int64
	f := startFake(t, func(ctx context.Context, cmds []*pb.Command) (*pb.ApplyBatchResponse, error) {
		if calls.Add(1) == 1 {
			return applied(cmds), nil
		}
		<-ctx.Done()
		return nil, ctx.Err()
	})
	c := f.client(t, Config{QueueCommands: 2})
	cmds := []*pb.Command{dig(1, 1), dig(2, 2), dig(3, 3), dig(4, 4), dig(5, 5)}
	outcomes, err := c.ApplyAll(within(t, 200*time.Millisecond), cmds)
	if err != nil {
		t.Fatal(err)
	}
	var verdicts []pb.Verdict
	for i, outcome := range outcomes {
		if outcome.GetRequestId() != uint64(i+1) {
			t.Errorf("outcome %d is of request %d", i, outcome.GetRequestId())
		}
		verdicts = append(verdicts, outcome.GetVerdict())
	}
	want := []pb.Verdict{
		pb.Verdict_VERDICT_APPLIED, pb.Verdict_VERDICT_APPLIED,
		pb.Verdict_VERDICT_UNKNOWN, pb.Verdict_VERDICT_UNKNOWN, pb.Verdict_VERDICT_EXPIRED,
	}
	if !slices.Equal(verdicts, want) {
		t.Errorf("the verdicts are %v, and should be %v", verdicts, want)
	}
}

func TestAPlayersCommandsAreNeverInTwoCallsAtOnceAndAtMostFourInOne(t *testing.T) {
	var mu sync.Mutex
	var inFlight, order = map[uint64]int{}, map[uint64][]uint64{}
	f := startFake(t, func(_ context.Context, cmds []*pb.Command) (*pb.ApplyBatchResponse, error) {
		here := map[uint64]int{}
		for _, cmd := range cmds {
			here[cmd.GetPlayerId()]++
		}
		mu.Lock()
		for _, cmd := range cmds {
			order[cmd.GetPlayerId()] = append(order[cmd.GetPlayerId()], cmd.GetRequestId())
		}
		for player, n := range here {
			if n > playerCommandsMax {
				t.Errorf("%d commands of player %d in one call", n, player)
			}
			if inFlight[player]++; inFlight[player] > 1 {
				t.Errorf("player %d is in %d calls at once", player, inFlight[player])
			}
		}
		mu.Unlock()
		time.Sleep(time.Millisecond) // so that calls of several lanes overlap
		mu.Lock()
		defer mu.Unlock()
		for player := range here {
			inFlight[player]--
		}
		return applied(cmds), nil
	})
	c := f.client(t, Config{Lanes: 4})
	ctx := within(t, 2*time.Second)
	var all sync.WaitGroup
	for player := range uint64(20) {
		all.Go(func() {
			var cmds []*pb.Command
			for id := range uint64(30) {
				cmds = append(cmds, dig(player+1, id+1))
			}
			if _, err := c.ApplyBatch(ctx, cmds); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	for player, ids := range order {
		if len(ids) != 30 || !slices.IsSorted(ids) {
			t.Errorf("the commands of player %d arrived as %v", player, ids)
		}
	}
}

func TestPlayersAreSpreadOverTheLanes(t *testing.T) {
	batch, arrived, release := gated()
	c := startFake(t, batch).client(t, Config{Lanes: 2})
	ctx := within(t, 2*time.Second)
	var all sync.WaitGroup
	for id := range uint64(32) {
		all.Go(func() {
			if _, err := c.Apply(ctx, dig(id+1, id+1)); err != nil {
				t.Error(err)
			}
		})
	}
	for range 2 {
		select {
		case <-arrived:
		case <-ctx.Done():
			t.Fatal("no second call came while the first was out")
		}
	}
	close(release)
	all.Wait()
}

func TestMalformedCommandsAreRefusedAndNeverSent(t *testing.T) {
	f := startFake(t, nil)
	c := f.client(t, Config{})
	use := func(name string) *pb.Command {
		return &pb.Command{HuntId: "h", PlayerId: 1, RequestId: 1, Action: &pb.Command_UsePowerUp{UsePowerUp: &pb.UsePowerUp{PowerUp: name}}}
	}
	for want, cmds := range map[string][]*pb.Command{
		"hunt_id":    {nil, {}, {HuntId: "\xff"}, {HuntId: "a b"}, {HuntId: strings.Repeat("x", 65)}},
		"player_id":  {{HuntId: "h"}},
		"request_id": {{HuntId: "h", PlayerId: 1}},
		"action":     {{HuntId: "h", PlayerId: 1, RequestId: 1}},
		"power_up":   {use(""), use(strings.Repeat("x", 33)), use("\xff")},
	} {
		for _, cmd := range cmds {
			outcome, err := c.Apply(within(t, time.Second), cmd)
			refusal := outcome.GetRefusal()
			if err != nil || refusal.GetReason() != pb.Refusal_REASON_INVALID || refusal.GetDetail() != want {
				t.Errorf("%v: %v, %v; want INVALID %s", cmd, outcome, err, want)
			}
		}
	}
	if n := len(f.received()); n != 0 {
		t.Errorf("%d batches were sent", n)
	}
}

// large is a command with a field that this schema does not know.
func large(id uint64, bytes int) *pb.Command {
	cmd := dig(id, id)
	unknown := protowire.AppendTag(nil, 1000, protowire.BytesType)
	cmd.ProtoReflect().SetUnknown(protowire.AppendBytes(unknown, make([]byte, bytes)))
	return cmd
}

func TestABatchOverTheMessageCapIsSplitAndACommandOverItRefused(t *testing.T) {
	f := startFake(t, nil)
	c := f.client(t, Config{})
	var cmds []*pb.Command
	for id := range uint64(10) {
		cmds = append(cmds, large(id+1, 100<<10))
	}
	cmds[3] = large(4, playerstate.MaxMessageBytes)
	outcomes, err := c.ApplyBatch(within(t, 2*time.Second), cmds)
	if err != nil {
		t.Fatal(err)
	}
	for i, outcome := range outcomes {
		want := pb.Verdict_VERDICT_APPLIED
		if i == 3 {
			want = pb.Verdict_VERDICT_REFUSED
		}
		if outcome.GetVerdict() != want {
			t.Errorf("outcome %d is %v", i, outcome)
		}
	}
	for _, batch := range f.received() {
		if size := proto.Size(&pb.ApplyBatchRequest{Commands: batch}); size > playerstate.MaxMessageBytes {
			t.Errorf("a message of %d bytes", size)
		}
	}
}

func TestABatchOfNoneOrTooManyIsRefusedByName(t *testing.T) {
	c := startFake(t, nil).client(t, Config{})
	for _, n := range []int{0, playerstate.MaxBatch + 1} {
		_, err := c.ApplyBatch(within(t, time.Second), make([]*pb.Command, n))
		if err == nil || !strings.Contains(err.Error(), "commands") {
			t.Errorf("%d commands: %v", n, err)
		}
	}
}

func TestACommandIsTheCallersAgainWhenApplyReturns(t *testing.T) {
	batch, arrived, release := gated()
	f := startFake(t, batch)
	c := f.client(t, Config{})
	cmd := dig(1, 1)
	ctx, leave := context.WithCancel(within(t, 2*time.Second))
	go func() { <-arrived; leave() }()
	if _, err := c.Apply(ctx, cmd); err == nil {
		t.Fatal("answered")
	}
	cmd.HuntId, cmd.Action = "other", nil // the race detector watches
	release <- struct{}{}
	if got := f.received()[0][0].GetHuntId(); got != "h" {
		t.Errorf("hunt %q was sent", got)
	}
}
