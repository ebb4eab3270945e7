package playerstatetest_test

import (
	"context"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pb "treasurehunt.example/go-compat/gen/playerstatev1"
	"treasurehunt.example/go-compat/playerstate"
	"treasurehunt.example/go-compat/playerstatetest"
	"treasurehunt.example/go-compat/sidecar"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// dial is the batching client over the wire in memory.
func dial(t testing.TB, fake *playerstatetest.Fake) *sidecar.Client {
	t.Helper()
	client, err := sidecar.Dial(sidecar.Config{Target: fake.Target(), Dialer: fake.Dial})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := client.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return client
}

// bothWays runs a test on the fake itself, and through the wire.
func bothWays(t *testing.T, test func(t *testing.T, fake *playerstatetest.Fake, engine playerstate.Engine)) {
	t.Run("in process", func(t *testing.T) {
		fake := playerstatetest.New(t)
		test(t, fake, fake)
	})
	t.Run("over the wire", func(t *testing.T) {
		fake := playerstatetest.New(t)
		test(t, fake, dial(t, fake))
	})
}

func within(t testing.TB, limit time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	t.Cleanup(cancel)
	return ctx
}

func create(t testing.TB, engine playerstate.Engine, huntID string) {
	t.Helper()
	_, err := engine.CreateHunt(within(t, 5*time.Second), &pb.CreateHuntRequest{HuntId: huntID, Settings: &pb.HuntSettings{
		Seed: 7, Width: 8, Height: 8, Treasures: 20, MaxPlayers: 10, DurationMs: 60_000,
	}})
	if err != nil {
		t.Fatal(err)
	}
}

func join(huntID string, player, request uint64) *pb.Command {
	return &pb.Command{HuntId: huntID, PlayerId: player, RequestId: request, Action: &pb.Command_Join{Join: &pb.Join{}}}
}

func wantVerdict(t testing.TB, engine playerstate.Engine, cmd *pb.Command, want pb.Verdict) {
	t.Helper()
	outcome, err := engine.Apply(within(t, 5*time.Second), cmd)
	if err != nil || outcome.GetVerdict() != want {
		t.Errorf("%v, %v; want %s", outcome, err, want)
	}
}

func wantFailure(t testing.TB, err error, code codes.Code, fate playerstate.Fate) {
	t.Helper()
	if status.Code(err) != code || playerstate.FateOf(err) != fate {
		t.Errorf("%v; want %s (%s)", err, code, fate)
	}
}

func TestAHuntEndsWhenTheTestSaysSoAndItsEndIsInTheFeed(t *testing.T) {
	bothWays(t, func(t *testing.T, fake *playerstatetest.Fake, engine playerstate.Engine) {
		create(t, engine, "h")
		fake.Advance(time.Minute - time.Millisecond)
		wantVerdict(t, engine, join("h", 1, 1), pb.Verdict_VERDICT_APPLIED)
		fake.Advance(time.Millisecond)
		page, err := engine.ReadRecords(within(t, 5*time.Second), &pb.ReadRecordsRequest{MaxRecords: 10})
		if err != nil || len(page.GetRecords()) != 3 || page.GetRecords()[2].GetEnded() == nil {
			t.Fatalf("%v, %v", page, err)
		}
		if at := page.GetRecords()[2].GetAtMs(); at != playerstatetest.Epoch.Add(time.Minute).UnixMilli() || at != fake.Now().UnixMilli() {
			t.Errorf("it ended at %d", at)
		}
	})
}

func TestRefusalsMeetTheCommandsTheyAreForAndNoneBesides(t *testing.T) {
	bothWays(t, func(t *testing.T, fake *playerstatetest.Fake, engine playerstate.Engine) {
		create(t, engine, "h")
		create(t, engine, "other")
		fake.Refuse(pb.Refusal_REASON_SEALED, playerstatetest.InHunt("h"), playerstatetest.OfPlayer(2), playerstatetest.Times(1))
		outcomes, err := engine.ApplyBatch(within(t, 5*time.Second), []*pb.Command{
			join("h", 1, 1), join("h", 2, 1), join("other", 2, 1), {HuntId: "h", PlayerId: 2}, join("h", 2, 2),
		})
		if err != nil {
			t.Fatal(err)
		}
		for i, want := range []pb.Refusal_Reason{0, pb.Refusal_REASON_SEALED, 0, pb.Refusal_REASON_INVALID, 0} {
			if got := outcomes[i].GetRefusal().GetReason(); got != want {
				t.Errorf("command %d: %v; want %s", i, outcomes[i], want)
			}
		}
		wantVerdict(t, engine, join("h", 2, 1), pb.Verdict_VERDICT_APPLIED) // what was refused was not applied
	})
}

func TestFailuresComeBeforeTheCallIsDone(t *testing.T) {
	fake := playerstatetest.New(t)
	client := dial(t, fake)
	create(t, client, "h")
	fake.Fail(playerstate.RetryLater(codes.ResourceExhausted, time.Second, "full"), playerstatetest.On(playerstatetest.Apply), playerstatetest.Times(1))
	_, err := client.Apply(within(t, 5*time.Second), join("h", 1, 1))
	wantFailure(t, err, codes.ResourceExhausted, playerstate.FateNotApplied)
	fake.Fail(playerstate.NotApplied(codes.Unavailable, "away"))
	_, err = fake.Apply(t.Context(), join("h", 1, 1))
	wantFailure(t, err, codes.Unavailable, playerstate.FateNotApplied)
	_, err = client.Apply(within(t, 5*time.Second), join("h", 1, 1))
	wantFailure(t, err, codes.Unavailable, playerstate.FateUnknown) // over the wire it could be the wire
	fake.Heal()
	wantVerdict(t, client, join("h", 1, 1), pb.Verdict_VERDICT_APPLIED)
	if got := fake.Calls(playerstatetest.Apply); got != 4 {
		t.Errorf("%d calls came; want 4", got)
	}
}

func TestAnAnswerThatIsLostWasApplied(t *testing.T) {
	bothWays(t, func(t *testing.T, fake *playerstatetest.Fake, engine playerstate.Engine) {
		create(t, engine, "h")
		fake.LoseAnswers(playerstatetest.Times(1))
		_, err := engine.Apply(within(t, 5*time.Second), join("h", 1, 1))
		wantFailure(t, err, codes.Unavailable, playerstate.FateUnknown)
		wantVerdict(t, engine, join("h", 1, 1), pb.Verdict_VERDICT_DUPLICATE)
	})
}

func TestACallIsHeldBeforeOrAfterItIsDoneUntilItIsReleased(t *testing.T) {
	bothWays(t, func(t *testing.T, fake *playerstatetest.Fake, engine playerstate.Engine) {
		create(t, engine, "h")
		for name, hold := range map[string]func(...playerstatetest.Which) *playerstatetest.Held{"before": fake.Hold, "after": fake.HoldAnswers} {
			request, player := uint64(1), uint64(len(name))
			held := hold(playerstatetest.On(playerstatetest.Apply), playerstatetest.OfPlayer(player))
			answered := make(chan *pb.Outcome)
			go func() {
				outcome, err := engine.Apply(within(t, 5*time.Second), join("h", player, request))
				if err != nil {
					t.Error(err)
				}
				answered <- outcome
			}()
			held.Await(t, 1)
			_, err := fake.GetPlayer(t.Context(), &pb.GetPlayerRequest{HuntId: "h", PlayerId: player})
			if done := err == nil; done != (name == "after") {
				t.Errorf("held %s it was done: the player is there: %t, %v", name, done, err)
			}
			held.Release()
			if outcome := <-answered; outcome.GetVerdict() != pb.Verdict_VERDICT_APPLIED {
				t.Errorf("held %s: %v", name, outcome)
			}
		}
	})
}

func TestACallerOfAHeldCallIsBackAtItsDeadlineAndKnowsNothing(t *testing.T) {
	bothWays(t, func(t *testing.T, fake *playerstatetest.Fake, engine playerstate.Engine) {
		create(t, engine, "h")
		fake.Hold(playerstatetest.On(playerstatetest.Apply))
		began := time.Now()
		_, err := engine.Apply(context.Background(), join("h", 1, 1))
		wantFailure(t, err, codes.DeadlineExceeded, playerstate.FateUnknown)
		if took := time.Since(began); took < playerstate.DefaultTimeout {
			t.Errorf("back after %s", took)
		}
	})
}

func TestABudgetRunsOutByTheFakesClockWhileACommandIsHeld(t *testing.T) {
	bothWays(t, func(t *testing.T, fake *playerstatetest.Fake, engine playerstate.Engine) {
		create(t, engine, "h")
		held := fake.Hold(playerstatetest.On(playerstatetest.Apply))
		late := join("h", 1, 1)
		late.BudgetMs = 1000
		ctx := within(t, 5*time.Second)
		answered := make(chan []*pb.Outcome)
		go func() {
			// Of one player, so that they come in one call.
			outcomes, err := engine.ApplyBatch(ctx, []*pb.Command{late, join("h", 1, 2)})
			if err != nil {
				t.Error(err)
			}
			answered <- outcomes
		}()
		held.Await(t, 1)
		fake.Advance(time.Second)
		held.Release()
		outcomes := <-answered
		if outcomes[0].GetVerdict() != pb.Verdict_VERDICT_EXPIRED || outcomes[1].GetVerdict() != pb.Verdict_VERDICT_APPLIED {
			t.Errorf("the late one and its neighbour: %v", outcomes)
		}
		wantVerdict(t, engine, late, pb.Verdict_VERDICT_APPLIED)
	})
}

func TestACutConnectionComesBackAndWhatWasUnderWayIsUnknown(t *testing.T) {
	fake := playerstatetest.New(t)
	client := dial(t, fake)
	create(t, client, "h")
	held := fake.HoldAnswers(playerstatetest.On(playerstatetest.Apply), playerstatetest.Times(1))
	failed := make(chan error)
	go func() {
		_, err := client.Apply(within(t, 5*time.Second), join("h", 1, 1))
		failed <- err
	}()
	held.Await(t, 1)
	fake.Cut()
	wantFailure(t, <-failed, codes.Unavailable, playerstate.FateUnknown)
	eventuallyServed(t, client, "h")
	wantVerdict(t, client, join("h", 1, 1), pb.Verdict_VERDICT_DUPLICATE)
}

// eventuallyServed waits until the client is connected again.
func eventuallyServed(t *testing.T, client *sidecar.Client, huntID string) {
	t.Helper()
	ctx := within(t, 5*time.Second)
	served := func(err error) bool { return err == nil || status.Code(err) == codes.NotFound }
	for {
		_, err := client.GetHunt(ctx, &pb.GetHuntRequest{HuntId: huntID})
		if served(err) {
			_, err = client.Apply(ctx, &pb.Command{HuntId: huntID, PlayerId: 99, RequestId: 1, Action: &pb.Command_Leave{Leave: &pb.Leave{}}})
		}
		if ctx.Err() != nil {
			t.Fatalf("the client does not come back: %v", err)
		}
		if served(err) {
			return
		}
		time.Sleep(time.Millisecond)
	}
}

func TestAFakeThatIsKilledIsAwayAndComesBackWithoutItsHunts(t *testing.T) {
	fake := playerstatetest.New(t)
	client := dial(t, fake)
	create(t, client, "h")
	fake.Kill()
	_, err := fake.Apply(t.Context(), join("h", 1, 1))
	wantFailure(t, err, codes.Unavailable, playerstate.FateNotApplied)
	_, err = client.GetHunt(within(t, 5*time.Second), &pb.GetHuntRequest{HuntId: "h"})
	if status.Code(err) != codes.Unavailable {
		t.Errorf("through the wire: %v", err)
	}
	fake.Restart()
	eventuallyServed(t, client, "h")
	if fake.Has("h") {
		t.Error("it still has the hunt")
	}
	create(t, client, "h")
}

func TestAFakeForARouterTakesItsEpochs(t *testing.T) {
	fake := playerstatetest.New(t, playerstatetest.ClaimedByRouter())
	settings := &pb.HuntSettings{Width: 8, Height: 8, MaxPlayers: 10, DurationMs: 60_000}
	_, err := fake.CreateHunt(t.Context(), &pb.CreateHuntRequest{HuntId: "h", Settings: settings})
	wantFailure(t, err, codes.FailedPrecondition, playerstate.FateNotApplied)
	resp, err := fake.CreateHunt(t.Context(), &pb.CreateHuntRequest{HuntId: "h", Settings: settings, Epoch: 3, RouterIncarnation: 1})
	if err != nil || resp.GetEpoch() != 3 {
		t.Errorf("%v, %v", resp, err)
	}
}
