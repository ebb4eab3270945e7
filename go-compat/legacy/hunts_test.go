package legacy

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	pb "treasurehunt.example/go-compat/gen/playerstatev1"
	"treasurehunt.example/go-compat/internal/logbook"
	"treasurehunt.example/go-compat/legacy/rules"
	"treasurehunt.example/go-compat/playerstate"
)

func TestAHuntCreatedAgainAnswersTheSame(t *testing.T) {
	inBubble(t, auto(), func(t *testing.T, e *Engine) {
		req := &pb.CreateHuntRequest{HuntId: "a", Settings: testSettings()}
		first, err := e.CreateHunt(t.Context(), req)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		again, err := e.CreateHunt(t.Context(), req)
		if err != nil || !proto.Equal(first, again) {
			t.Errorf("first %v, again %v, %v", first, again, err)
		}
		other := testSettings()
		other.Ruleset = "classic" // "" and "classic" play the same, and are different settings
		_, err = e.CreateHunt(t.Context(), &pb.CreateHuntRequest{HuntId: "a", Settings: other})
		wantCode(t, err, codes.AlreadyExists)
	})
}

func TestWhoClaimsDecidesTheEpoch(t *testing.T) {
	for name, test := range map[string]struct {
		claim              Claim
		epoch, incarnation uint64
		want               codes.Code
	}{
		"auto, no epoch":               {ClaimAuto, 0, 0, codes.OK},
		"auto, an epoch":               {ClaimAuto, 1, 0, codes.FailedPrecondition},
		"auto, a router":               {ClaimAuto, 0, 1, codes.FailedPrecondition},
		"router, no epoch":             {ClaimRouter, 0, 5, codes.FailedPrecondition},
		"router, no incarnation":       {ClaimRouter, 1, 0, codes.FailedPrecondition},
		"router, both":                 {ClaimRouter, 1, 5, codes.OK},
		"router, one that was before":  {ClaimRouter, 1, 4, codes.FailedPrecondition},
		"router, one that comes after": {ClaimRouter, 7, 6, codes.OK},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, Config{Claim: test.claim}, func(t *testing.T, e *Engine) {
				e.claims.see(5)
				reply, err := e.CreateHunt(t.Context(), &pb.CreateHuntRequest{
					HuntId: "a", Settings: testSettings(), Epoch: test.epoch, RouterIncarnation: test.incarnation,
				})
				wantCode(t, err, test.want)
				if err == nil && reply.GetEpoch() != max(test.epoch, 1) {
					t.Errorf("epoch %d", reply.GetEpoch())
				}
			})
		})
	}
}

func TestAHuntKnownAtAnotherEpochIsNotCreated(t *testing.T) {
	inBubble(t, Config{}, func(t *testing.T, e *Engine) {
		req := &pb.CreateHuntRequest{HuntId: "a", Settings: testSettings(), Epoch: 1, RouterIncarnation: 1}
		if _, err := e.CreateHunt(t.Context(), req); err != nil {
			t.Fatal(err)
		}
		req.Epoch = 2
		_, err := e.CreateHunt(t.Context(), req)
		wantCode(t, err, codes.FailedPrecondition)
	})
}

func TestBadRequestsNameTheirField(t *testing.T) {
	spoilt := func(spoil func(*pb.HuntSettings)) *pb.CreateHuntRequest {
		s := testSettings()
		spoil(s)
		return &pb.CreateHuntRequest{HuntId: "a", Settings: s}
	}
	inBubble(t, auto(), func(t *testing.T, e *Engine) {
		for field, req := range map[string]*pb.CreateHuntRequest{
			"hunt_id":              {HuntId: "a b", Settings: testSettings()},
			"settings":             {HuntId: "a"},
			"settings.width":       spoilt(func(s *pb.HuntSettings) { s.Width = 4097 }),
			"settings.height":      spoilt(func(s *pb.HuntSettings) { s.Height = 0 }),
			"settings.treasures":   spoilt(func(s *pb.HuntSettings) { s.Treasures = 33 }),
			"settings.caches":      spoilt(func(s *pb.HuntSettings) { s.Caches = 33 }),
			"settings.max_players": spoilt(func(s *pb.HuntSettings) { s.MaxPlayers = 10_001 }),
			"settings.duration_ms": spoilt(func(s *pb.HuntSettings) { s.DurationMs = 1<<31 + 1 }),
			"settings.ruleset":     spoilt(func(s *pb.HuntSettings) { s.Ruleset = "baroque" }),
		} {
			_, err := e.CreateHunt(t.Context(), req)
			wantCode(t, err, codes.InvalidArgument)
			if !strings.HasPrefix(status.Convert(err).Message(), field+": ") || len(status.Convert(err).Details()) != 1 {
				t.Errorf("%s: %v", field, err)
			}
		}
	})
}

func TestReadsOfWhatIsNotThereAreNotFound(t *testing.T) {
	inBubble(t, auto(), func(t *testing.T, e *Engine) {
		create(t, e, "a")
		_, err := e.GetHunt(t.Context(), &pb.GetHuntRequest{HuntId: "b"})
		wantCode(t, err, codes.NotFound)
		_, err = e.EndHunt(t.Context(), &pb.EndHuntRequest{HuntId: "b"})
		wantCode(t, err, codes.NotFound)
		_, err = e.GetPlayer(t.Context(), &pb.GetPlayerRequest{HuntId: "a", PlayerId: 1})
		wantCode(t, err, codes.NotFound)
		_, err = e.GetRecord(t.Context(), &pb.GetRecordRequest{HuntId: "a", Sequence: 2})
		wantCode(t, err, codes.NotFound)
	})
}

func TestAHuntIsOverviewedAndEndedOnce(t *testing.T) {
	inBubble(t, auto(), func(t *testing.T, e *Engine) {
		create(t, e, "a")
		apply(t, e, join("a", 1, 1))
		overview, err := e.GetHunt(t.Context(), &pb.GetHuntRequest{HuntId: "a", Top: 5})
		if err != nil || overview.GetPlayers() != 1 || overview.GetSequence() != 2 || overview.GetEnded() || len(overview.GetTop()) != 1 {
			t.Fatalf("overview %v, %v", overview, err)
		}
		if overview.GetEndsAtMs() != overview.GetStartsAtMs()+60_000 {
			t.Errorf("ends at %d", overview.GetEndsAtMs())
		}
		time.Sleep(time.Second)
		first, err := e.EndHunt(t.Context(), &pb.EndHuntRequest{HuntId: "a"})
		if err != nil {
			t.Fatal(err)
		}
		again, err := e.EndHunt(t.Context(), &pb.EndHuntRequest{HuntId: "a"})
		if err != nil || !proto.Equal(first, again) || first.GetPlayers() != 1 {
			t.Errorf("first %v, again %v, %v", first, again, err)
		}
		if n := len(readAll(t, e)); n != 3 {
			t.Errorf("%d records, want one end", n)
		}
		overview, err = e.GetHunt(t.Context(), &pb.GetHuntRequest{HuntId: "a"})
		if err != nil || !overview.GetEnded() || overview.GetEndsAtMs() != overview.GetStartsAtMs()+1000 {
			t.Errorf("after the end: %v, %v", overview, err)
		}
	})
}

func TestAHuntThatEndedLongAgoIsDroppedAndItsIDStaysTaken(t *testing.T) {
	inBubble(t, auto(), func(t *testing.T, e *Engine) {
		create(t, e, "a")
		apply(t, e, join("a", 1, 1))
		time.Sleep(time.Minute + 10*time.Minute + time.Second)
		synctest.Wait()
		if got := brief(apply(t, e, join("a", 1, 2))); got != "UNKNOWN_HUNT" {
			t.Errorf("a command: %s", got)
		}
		if h, p, n := e.room.hunts.Load(), e.room.players.Load(), e.room.placed.Load(); h != 0 || p != 0 || n != 0 {
			t.Errorf("room still taken: %d hunts, %d players, %d placed", h, p, n)
		}
		_, err := e.CreateHunt(t.Context(), &pb.CreateHuntRequest{HuntId: "a", Settings: testSettings()})
		wantCode(t, err, codes.AlreadyExists)
	})
}

func TestTheBoundsOfTheEngineRefuse(t *testing.T) {
	config := auto()
	config.Limits = Limits{Hunts: 2, Players: 1, Placed: 79}
	inBubble(t, config, func(t *testing.T, e *Engine) {
		create(t, e, "a") // places 40
		_, err := e.CreateHunt(t.Context(), &pb.CreateHuntRequest{HuntId: "b", Settings: testSettings()})
		wantCode(t, err, codes.ResourceExhausted)
		small := testSettings()
		small.Treasures, small.Caches = 0, 0
		if _, err := e.CreateHunt(t.Context(), &pb.CreateHuntRequest{HuntId: "b", Settings: small}); err != nil {
			t.Fatal(err)
		}
		_, err = e.CreateHunt(t.Context(), &pb.CreateHuntRequest{HuntId: "c", Settings: small})
		wantCode(t, err, codes.ResourceExhausted)
		apply(t, e, join("a", 1, 1))
		if got := brief(apply(t, e, join("b", 2, 1))); got != "OVERLOADED" {
			t.Errorf("one player more: %s", got)
		}
		if got := brief(apply(t, e, join("a", 1, 2))); got != "APPLIED" {
			t.Errorf("a player who is known: %s", got)
		}
	})
}

// block has a hunt's goroutine wait until release is called.
func block(t testing.TB, e *Engine, id string) (release func()) {
	t.Helper()
	blocked, free := make(chan struct{}), make(chan struct{})
	e.hunts.find(id).post(job{ask: &question{
		answer: func(*hunt, int64) *playerstate.Failure {
			close(blocked)
			<-free
			return nil
		},
		done: make(chan *playerstate.Failure, 1),
	}})
	<-blocked
	return func() { close(free) }
}

func TestACallerWhoLeavesIsAnsweredAtOnceAndNotAppliedLater(t *testing.T) {
	inBubble(t, auto(), func(t *testing.T, e *Engine) {
		create(t, e, "a")
		apply(t, e, join("a", 9, 1)) // so that the next call is one that was used before
		release := block(t, e, "a")
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		started := time.Now()
		_, err := e.Apply(ctx, join("a", 1, 1))
		wantCode(t, err, codes.DeadlineExceeded)
		if playerstate.FateOf(err) != playerstate.FateNotApplied || time.Since(started) != 100*time.Millisecond {
			t.Errorf("%v after %v", err, time.Since(started))
		}
		_, err = e.GetHunt(ctx, &pb.GetHuntRequest{HuntId: "a"})
		wantCode(t, err, codes.DeadlineExceeded)
		release()
		synctest.Wait()
		if n := len(readAll(t, e)); n != 2 {
			t.Errorf("%d records: it was applied after its caller was told that it was not", n)
		}
	})
}

// stuckClock stops whoever asks it the second time after it was armed: the first
// is the caller of a command, the second the hunt that stamps it.
type stuckClock struct {
	Clock
	asked   atomic.Int32
	release chan struct{}
}

func (c *stuckClock) arm() { c.asked.Store(0) }

func (c *stuckClock) Elapsed() time.Duration {
	if c.asked.Add(1) == 2 {
		<-c.release
	}
	return c.Clock.Elapsed()
}

func TestACallerWhoLeavesInTheMidstOfItIsToldThatNobodyKnows(t *testing.T) {
	config := auto()
	synctest.Test(t, func(t *testing.T) {
		clock := &stuckClock{Clock: SystemClock(), release: make(chan struct{})}
		clock.asked.Store(10)
		config.Clock = clock
		e := New(config)
		create(t, e, "a")
		synctest.Wait() // the sweep has asked, and sleeps
		clock.arm()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		time.AfterFunc(100*time.Millisecond, cancel)
		_, err := e.ApplyBatch(ctx, []*pb.Command{join("a", 1, 1), join("a", 2, 1)})
		wantCode(t, err, codes.Canceled)
		if playerstate.FateOf(err) != playerstate.FateUnknown {
			t.Errorf("fate %v of a command that a hunt had in hand", playerstate.FateOf(err))
		}
		close(clock.release)
		synctest.Wait()
		for _, r := range readAll(t, e) {
			if r.GetApplied().GetCommand().GetPlayerId() == 2 {
				t.Error("the rest was applied for nobody")
			}
		}
		if err := e.Close(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func TestACallWithoutADeadlineGetsTheDefault(t *testing.T) {
	inBubble(t, auto(), func(t *testing.T, e *Engine) {
		create(t, e, "a")
		defer block(t, e, "a")()
		started := time.Now()
		_, err := e.Apply(context.Background(), join("a", 1, 1))
		wantCode(t, err, codes.DeadlineExceeded)
		if time.Since(started) != playerstate.DefaultTimeout {
			t.Errorf("after %v", time.Since(started))
		}
	})
}

func TestACommandWhoseBudgetIsOverExpiresAndItsNeighboursDoNot(t *testing.T) {
	inBubble(t, auto(), func(t *testing.T, e *Engine) {
		create(t, e, "a")
		release := block(t, e, "a")
		time.AfterFunc(50*time.Millisecond, release)
		late := join("a", 1, 1)
		late.BudgetMs = 50
		outcomes, err := e.ApplyBatch(t.Context(), []*pb.Command{late, join("a", 2, 1)})
		if err != nil {
			t.Fatal(err)
		}
		if brief(outcomes[0]) != "EXPIRED" || brief(outcomes[1]) != "APPLIED" {
			t.Errorf("%v", outcomes)
		}
	})
}

func TestAFullMailboxRefusesAndOtherHuntsGoOn(t *testing.T) {
	config := auto()
	config.Limits.QueueCalls = 1
	inBubble(t, config, func(t *testing.T, e *Engine) {
		create(t, e, "a")
		create(t, e, "b")
		release := block(t, e, "a")
		waited := make(chan *pb.Outcome)
		go func() { waited <- apply(t, e, join("a", 1, 1)) }()
		synctest.Wait()
		refused := apply(t, e, join("a", 2, 1))
		if brief(refused) != "OVERLOADED" || refused.GetRefusal().GetRetryAfterMs() == 0 {
			t.Errorf("over the bound: %v", refused)
		}
		_, err := e.GetHunt(t.Context(), &pb.GetHuntRequest{HuntId: "a"})
		wantCode(t, err, codes.ResourceExhausted)
		if got := brief(apply(t, e, join("b", 1, 1))); got != "APPLIED" {
			t.Errorf("the other hunt: %s", got)
		}
		release()
		if got := brief(<-waited); got != "APPLIED" {
			t.Errorf("the one that waited: %s", got)
		}
	})
}

func TestAPanicQuarantinesItsHuntAlone(t *testing.T) {
	config := auto()
	log, logger := logbook.New()
	config.Logger = logger
	inBubble(t, config, func(t *testing.T, e *Engine) {
		create(t, e, "a")
		create(t, e, "b")
		apply(t, e, join("a", 1, 1))
		_, err := ask(t.Context(), e, "a", func(h *hunt, _ int64) (int, *playerstate.Failure) {
			h.game = &rules.Hunt{} // the next command panics in the midst of a batch
			return 0, nil
		})
		if err != nil {
			t.Fatal(err)
		}
		outcomes, err := e.ApplyBatch(t.Context(), []*pb.Command{join("a", 2, 1), join("b", 1, 1), join("a", 3, 1)})
		if err != nil {
			t.Fatal(err)
		}
		for i, want := range []string{"QUARANTINED", "APPLIED", "QUARANTINED"} {
			if got := brief(outcomes[i]); got != want {
				t.Errorf("outcome %d: %s, want %s", i, got, want)
			}
		}
		if got := brief(apply(t, e, join("a", 4, 1))); got != "QUARANTINED" {
			t.Errorf("later: %s", got)
		}
		_, err = e.GetHunt(t.Context(), &pb.GetHuntRequest{HuntId: "a"})
		wantCode(t, err, codes.FailedPrecondition)
		if len(status.Convert(err).Details()) != 1 {
			t.Error("without the refusal as detail")
		}
		time.Sleep(time.Minute + 10*time.Minute + time.Second)
		if got := brief(apply(t, e, join("a", 5, 1))); got != "UNKNOWN_HUNT" {
			t.Errorf("long after its time: %s", got)
		}
		if !log.Says("hunt=a") {
			t.Errorf("the log does not name the hunt: %s", log)
		}
	})
}

func TestABatchIsCutWhereItsAnswerGrowsTooLarge(t *testing.T) {
	inBubble(t, auto(), func(t *testing.T, e *Engine) {
		settings := &pb.HuntSettings{Width: 200, Height: 200, MaxPlayers: 1, DurationMs: 60_000}
		if _, err := e.CreateHunt(t.Context(), &pb.CreateHuntRequest{HuntId: "a", Settings: settings}); err != nil {
			t.Fatal(err)
		}
		apply(t, e, join("a", 1, 1))
		c := e.calls.get(make([]*pb.Outcome, 2))
		c.bytes.Store(playerstate.MaxBatchOutcomeBytes - 1) // as after many large outcomes
		e.take(withDeadline(t), c, []*pb.Command{join("a", 1, 2), join("a", 1, 3)})
		outcomes := c.outcomes
		e.dispatch(c)
		<-c.done
		if brief(outcomes[0]) != "APPLIED" || brief(outcomes[1]) != "OVERLOADED" {
			t.Errorf("%v", outcomes)
		}
		if n := len(readAll(t, e)); n != 3 {
			t.Errorf("%d records: what was refused was applied", n)
		}
	})
}

func withDeadline(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	t.Cleanup(cancel)
	return ctx
}

func TestClosingLetsCallsInHandFinish(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := New(auto())
		create(t, e, "a")
		release := block(t, e, "a")
		waited := make(chan *pb.Outcome)
		go func() { waited <- apply(t, e, join("a", 1, 1)) }()
		synctest.Wait()
		time.AfterFunc(10*time.Millisecond, release)
		closed := make(chan error)
		go func() { closed <- e.Close(t.Context()) }()
		if got := brief(<-waited); got != "APPLIED" {
			t.Errorf("in hand: %s", got)
		}
		if err := <-closed; err != nil {
			t.Error(err)
		}
	})
}

// jumpyClock is a wall clock that somebody sets, beside a monotonic one that runs.
type jumpyClock struct {
	Clock
	ahead atomic.Int64
}

func (c *jumpyClock) Wall() time.Time { return time.Now().Add(time.Duration(c.ahead.Load())) }

func TestAJumpOfTheWallClockIsLoggedAndChangesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log, logger := logbook.New()
		clock := &jumpyClock{Clock: SystemClock()}
		e := New(Config{Claim: ClaimAuto, Clock: clock, Logger: logger})
		create(t, e, "a")
		started := time.Now().UnixMilli()
		synctest.Wait()
		clock.ahead.Store(int64(-365 * 24 * time.Hour))
		time.Sleep(2 * time.Second)
		apply(t, e, join("a", 1, 1))
		if at := readAll(t, e)[1].GetAtMs(); at != started+2000 {
			t.Errorf("stamped %d, want %d", at, started+2000)
		}
		if err := e.Close(t.Context()); err != nil {
			t.Error(err)
		}
		if n := log.Count("wall clock jumped"); n != 1 {
			t.Errorf("logged %d times: %s", n, log)
		}
	})
}
