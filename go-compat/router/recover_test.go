package router

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/failsafe-go/failsafe-go/circuitbreaker"
	dto "github.com/prometheus/client_model/go"
	"google.golang.org/grpc/codes"

	pb "treasurehunt.example/go-compat/gen/playerstatev1"
	"treasurehunt.example/go-compat/internal/logbook"
	"treasurehunt.example/go-compat/playerstate"
	"treasurehunt.example/go-compat/playerstatetest"
	"treasurehunt.example/go-compat/router/ledger"
)

// olderBuild is a sidecar from before there were claims.
type olderBuild struct{ playerstate.Engine }

// mustApply applies a command that may wait for its hunt's claim.
func (b *bench) mustApply(cmd *pb.Command) *pb.Outcome {
	b.t.Helper()
	ctx, cancel := inTime()
	defer cancel()
	outcome, err := b.Apply(ctx, cmd)
	if err != nil {
		b.t.Fatal(err)
	}
	return outcome
}

// story is the sidecar's records of a hunt.
func (b *bench) story(huntID string) []*pb.Record {
	b.t.Helper()
	page, err := b.sidecar.ReadRecords(context.Background(), &pb.ReadRecordsRequest{MaxRecords: 10_000, HuntId: huntID})
	if err != nil {
		b.t.Fatal(err)
	}
	return page.GetRecords()
}

func TestARecoveredHuntIsClaimedAtANewEpochAndItsCommandsGoOn(t *testing.T) {
	b := newBench(t, 100)
	b.mustCreate("h")
	first := join("h")
	b.mustApply(first)
	b.sidecar.Recover()

	if got := b.mustApply(first); describe(got) != "duplicate" || got.GetSequence() != 2 {
		t.Errorf("a request repeated over the restart: %v", got)
	}
	if got := b.mustApply(join("h")); describe(got) != "applied" || got.GetSequence() != 4 {
		t.Errorf("the next: %v", got)
	}
	e, _ := b.ledger.Lookup("h")
	story := b.story("h")
	if e.Epoch <= ledger.FirstEpoch || e.Since != ledger.FirstEpoch || len(story) != 4 ||
		story[2].GetOwnerChanged() == nil || story[2].GetEpoch() != e.Epoch || story[3].GetEpoch() != e.Epoch {
		t.Errorf("the ledger has epoch %d since %d; the records are %v", e.Epoch, e.Since, story)
	}
}

// applyBoth applies a command, and a batch of a malformed one and two good ones.
func (b *bench) applyBoth() (outcomes func() []string) {
	var one *pb.Outcome
	var batch []*pb.Outcome
	var calls sync.WaitGroup
	calls.Go(func() { one = b.mustApply(join("h")) })
	calls.Go(func() {
		ctx, cancel := inTime()
		defer cancel()
		malformed := join("h")
		malformed.PlayerId = 0
		var err error
		if batch, err = b.ApplyBatch(ctx, []*pb.Command{malformed, join("h"), join("h")}); err != nil {
			b.t.Error(err)
		}
	})
	return func() (all []string) {
		calls.Wait()
		for _, outcome := range append([]*pb.Outcome{one}, batch...) {
			all = append(all, describe(outcome))
		}
		return all
	}
}

var bothApplied = []string{"applied", "invalid player_id", "applied", "applied"}

func TestACommandThatFindsItsHuntUnclaimedWaitsForTheClaimAndIsSentOnceMore(t *testing.T) {
	b := newBench(t, 100)
	b.mustCreate("h")
	b.mustApply(join("h"))
	held := b.sidecar.Hold(playerstatetest.On(playerstatetest.Activate))
	b.sidecar.Recover()
	b.recheckSidecar()
	held.Await(t, 1)
	before := b.sidecar.Calls(playerstatetest.Apply)

	outcomes := b.applyBoth()
	eventually(t, "both calls wait", func() bool { return b.waits.waiting("h") == 2 })
	held.Release()
	if got := outcomes(); !slices.Equal(got, bothApplied) {
		t.Errorf("%v", got)
	}
	if got := b.sidecar.Calls(playerstatetest.Apply) - before; got != 4 {
		t.Errorf("two calls were sent %d times; want each once, and once more", got)
	}
	if got := len(b.story("h")); got != 6 { // created, joined, owner changed, three more
		t.Errorf("%d records; want 6", got)
	}
	if n := len(b.waits.hunts); n != 0 {
		t.Errorf("%d waits are left behind", n)
	}
}

// The ledger has the claim's epoch before the sidecar has it.
func TestACommandThatWasOnItsWayWhenTheClaimBeganWaitsForItToo(t *testing.T) {
	b := newBench(t, 100)
	b.mustCreate("h")
	b.mustApply(join("h"))
	sent := b.sidecar.Hold(playerstatetest.On(playerstatetest.Apply))
	outcomes := b.applyBoth()
	sent.Await(t, 2)
	claim := b.sidecar.Hold(playerstatetest.On(playerstatetest.Activate))
	b.sidecar.Recover()
	b.recheckSidecar()
	claim.Await(t, 1)

	sent.Release()
	eventually(t, "both calls wait", func() bool { return b.waits.waiting("h") == 2 })
	claim.Release()
	if got := outcomes(); !slices.Equal(got, bothApplied) {
		t.Errorf("%v", got)
	}
}

// waiting is how many calls wait for a hunt.
func (w *claimWaits) waiting(huntID string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	if wait := w.hunts[huntID]; wait != nil {
		return wait.calls
	}
	return 0
}

func TestWhoWaitsForAClaimIsAnsweredWithinHisDeadlineAndHisBudget(t *testing.T) {
	inBubble(t, 100, func(t *testing.T, b *bench) {
		b.mustCreate("h")
		b.mustApply(join("h"))
		b.sidecar.Hold(playerstatetest.On(playerstatetest.Activate))
		b.sidecar.Recover()
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		began := time.Now()
		outcome, err := b.Apply(ctx, join("h"))
		if err != nil || describe(outcome) != "not_active" || time.Since(began) != 100*time.Millisecond-answerWithin {
			t.Errorf("after %s: %v, %v", time.Since(began), outcome, err)
		}
		short := join("h")
		short.BudgetMs = 30
		began = time.Now()
		ctx, cancel = inTime()
		defer cancel()
		if outcome, err := b.Apply(ctx, short); err != nil || describe(outcome) == "applied" || time.Since(began) > 30*time.Millisecond {
			t.Errorf("after %s: %v, %v", time.Since(began), outcome, err)
		}
		_, err = b.GetHunt(t.Context(), &pb.GetHuntRequest{HuntId: "h"}) // has the default deadline
		wantCode(t, err, codes.FailedPrecondition)
		if playerstate.RefusalOf(err).GetReason() != pb.Refusal_REASON_NOT_ACTIVE {
			t.Error(err)
		}
	})
}

func TestWhatIsLeftOfABudgetIsSentAfterTheWait(t *testing.T) {
	cmd := join("h")
	cmd.BudgetMs = 100
	late, outcome := lessBudget(cmd, 60*time.Millisecond)
	if outcome != nil || late.GetBudgetMs() != 40 || cmd.GetBudgetMs() != 100 || late.GetRequestId() != cmd.GetRequestId() {
		t.Errorf("%v, %v, of %v", late, outcome, cmd)
	}
	if _, outcome := lessBudget(cmd, 100*time.Millisecond); describe(outcome) != "expired" {
		t.Errorf("%v", outcome)
	}
}

func TestReadsAndEndsWaitForTheClaimAndAnEndedHuntIsStillRead(t *testing.T) {
	b := newBench(t, 100)
	for _, id := range []string{"runs", "ended"} {
		b.mustCreate(id)
		b.mustApply(join(id))
	}
	ctx, cancel := inTime()
	defer cancel()
	if _, err := b.EndHunt(ctx, &pb.EndHuntRequest{HuntId: "ended"}); err != nil {
		t.Fatal(err)
	}
	b.sidecar.Recover()
	if hunt, err := b.GetHunt(ctx, &pb.GetHuntRequest{HuntId: "ended"}); err != nil || !hunt.GetEnded() {
		t.Errorf("the hunt that ended: %v, %v", hunt, err)
	}
	if player, err := b.GetPlayer(ctx, &pb.GetPlayerRequest{HuntId: "runs", PlayerId: 7}); err != nil || !player.GetPresent() {
		t.Errorf("the player: %v, %v", player, err)
	}
	b.sidecar.Recover()
	if end, err := b.EndHunt(ctx, &pb.EndHuntRequest{HuntId: "runs"}); err != nil || end.GetPlayers() != 1 {
		t.Errorf("the end: %v, %v", end, err)
	}
	if e, _ := b.ledger.Lookup("runs"); e.State != ledger.Closed {
		t.Errorf("it is %s", e.State)
	}
}

func TestAfterARestartOfTheRouterTooItsHuntsAreClaimed(t *testing.T) {
	b := newBench(t, 100)
	b.mustCreate("h")
	b.mustApply(join("h"))
	b.sidecar.Recover()
	b.restart()
	eventually(t, "it is claimed without a caller", func() bool { return gaugeOf(t, b, metricClaims) == 1 })
	b.restart() // nothing is left to claim
	if got := b.mustApply(join("h")); describe(got) != "applied" {
		t.Errorf("%v", got)
	}
	if got := gaugeOf(t, b, metricClaims); got != 0 {
		t.Errorf("%v hunts that were active were claimed again", got)
	}
}

func TestAClaimThatWasNotAnsweredIsRepeatedAsItWas(t *testing.T) {
	for name, fault := range map[string]func(*peer){
		"not taken": func(p *peer) { p.Fail(cutOff, playerstatetest.On(playerstatetest.Activate), playerstatetest.Times(1)) },
		"taken":     func(p *peer) { p.LoseAnswers(playerstatetest.On(playerstatetest.Activate), playerstatetest.Times(1)) },
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, 100)
			b.mustCreate("h")
			next := b.ledger.Meta().NextEpoch
			fault(b.sidecar)
			b.sidecar.Recover()
			b.recheckSidecar()
			eventually(t, "it was tried twice, or found active", func() bool {
				return b.sidecar.Calls(playerstatetest.ListHunts) >= 2 && b.recovery.lasted(time.Now()) == 0 && b.mustApply(join("h")).GetSequence() > 0
			})
			if got := b.ledger.Meta().NextEpoch; got != next+1 {
				t.Errorf("%d epochs were spent on one claim", got-next)
			}
			if story := b.story("h"); story[1].GetOwnerChanged() == nil || story[1].GetEpoch() != next || story[2].GetOwnerChanged() != nil {
				t.Errorf("%v", story)
			}
		})
	}
}

func TestHuntsThatARestartedSidecarLacksAreNamedRefusedAndGivenUpByAPersonOnly(t *testing.T) {
	log, logger := logbook.New()
	b := newBenchWith(t, 100, logger)
	b.mustCreate("lost")
	b.sidecar.Restart()
	b.mustCreate("kept")
	b.recheckSidecar()
	eventually(t, "it is found out", func() bool { return len(b.Missing()) == 1 })

	if got := b.Missing()[0]; got.HuntID != "lost" || got.Owner != ledger.Sidecar || got.Epoch != ledger.FirstEpoch || got.SinceMs == 0 {
		t.Errorf("%+v", got)
	}
	if !log.Says("hunts are not at their owner") || !log.Says("lost") {
		t.Errorf("the log does not name it: %s", log)
	}
	if got := gaugeOf(t, b, metricHuntsMissing, "sidecar"); got != 1 {
		t.Errorf("%v hunts are missing", got)
	}
	_, err := b.Apply(t.Context(), join("lost"))
	wantCode(t, err, codes.Unavailable)
	wantCode(t, b.create("lost"), codes.Unavailable)
	if b.sidecar.Has("lost") || b.legacy.Has("lost") {
		t.Error("an empty hunt stands where one is missing")
	}

	wantCode(t, b.GiveUp(t.Context(), "kept", "by mistake"), codes.FailedPrecondition)
	wantCode(t, b.GiveUp(t.Context(), "nobody", "by mistake"), codes.NotFound)
	if err := b.GiveUp(t.Context(), "lost", "the disk is gone"); err != nil {
		t.Fatal(err)
	}
	if e, _ := b.ledger.Lookup("lost"); e.State != ledger.Lost || !strings.Contains(e.Why, "the disk is gone") {
		t.Errorf("%+v", e)
	}
	if len(b.Missing()) != 0 || gaugeOf(t, b, metricHuntsMissing, "sidecar") != 0 {
		t.Error("it is still missing")
	}
	wantCode(t, b.create("lost"), codes.FailedPrecondition)
}

func TestASidecarOfAnotherLedgerGetsNoHunts(t *testing.T) {
	b := newBench(t, 100)
	eventually(t, "the first router is known", func() bool { return b.incarnation.Load() != 0 })
	other := newBench(t, 100)
	other.stop()
	other.config.Sidecar = b.sidecar
	other.start()
	eventually(t, "it is refused", func() bool { return other.Status().Unfit != "" })
	if got := other.Status(); !strings.Contains(got.Unfit, "ledger") || got.EffectivePercent != 0 {
		t.Errorf("%+v", got)
	}
	other.mustCreate("h")
	if b.sidecar.Has("h") || !other.legacy.Has("h") {
		t.Error("a new hunt went to the sidecar of another shard")
	}
}

func TestAnEpochAboveTheLedgersStopsPlacingAndLeavesTheHunt(t *testing.T) {
	b := newBench(t, 100)
	b.mustCreate("h")
	b.sidecar.Recover()
	hello, err := b.sidecar.Hello(t.Context(), b.greeting())
	if err != nil {
		t.Fatal(err)
	}
	fence := b.greeting().GetFence()
	fence.EngineIncarnation = hello.GetEngineIncarnation()
	page, err := b.sidecar.ListHunts(t.Context(), &pb.ListHuntsRequest{MaxHunts: 1, WithDigest: true})
	if err != nil {
		t.Fatal(err)
	}
	claim := &pb.ActivateRequest{HuntId: "h", Epoch: 99, Fence: fence, Sequence: 1, Digest: page.GetHunts()[0].GetDigest()}
	if _, err := b.sidecar.Activate(t.Context(), claim); err != nil {
		t.Fatal(err)
	}
	b.recheckSidecar()
	eventually(t, "it is found out", func() bool { return b.Status().Unfit != "" })
	if got := b.Missing(); len(got) != 1 || !strings.Contains(got[0].Why, "99") {
		t.Errorf("%+v", got)
	}
	b.mustCreate("new")
	if !b.legacy.Has("new") {
		t.Error("a new hunt went there all the same")
	}
	if e, _ := b.ledger.Lookup("h"); e.Epoch != ledger.FirstEpoch {
		t.Errorf("the ledger followed to epoch %d", e.Epoch)
	}
}

func TestARestartThatNobodyNoticedIsFoundByTheProber(t *testing.T) {
	inBubble(t, 100, func(t *testing.T, b *bench) {
		b.mustCreate("kept")
		b.sidecar.Recover()
		time.Sleep(probeEvery)
		synctest.Wait()
		if got := gaugeOf(t, b, metricClaims); got != 1 {
			t.Errorf("%v hunts were claimed", got)
		}
		b.sidecar.Restart()
		time.Sleep(probeEvery)
		synctest.Wait()
		if got := b.Missing(); len(got) != 1 || got[0].HuntID != "kept" {
			t.Errorf("missing: %+v", got)
		}
		wantState(t, b, circuitbreaker.ClosedState)
	})
}

func TestWhileTheSidecarIsAwayItsHuntsAnswerThatTheyAreRecoveringAndAfterTheLimitThatTheyStillAre(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log, logger := logbook.New()
		b := newBenchWith(t, 100, logger)
		b.mustCreate("h")
		b.sidecar.Fail(away)
		_, err := b.Apply(t.Context(), join("h"))
		wantCode(t, err, codes.Unavailable)
		if !strings.Contains(err.Error(), `hunt "h" is recovering`) || playerstate.FateOf(err) != playerstate.FateNotApplied {
			t.Error(err)
		}
		time.Sleep(b.config.withDefaults().RecoverWithin + 2*keepEvery + time.Millisecond)
		synctest.Wait()
		_, err = b.GetHunt(t.Context(), &pb.GetHuntRequest{HuntId: "h"})
		wantCode(t, err, codes.Unavailable)
		if !strings.Contains(err.Error(), "still recovering after 5s") {
			t.Error(err)
		}
		if got := b.Status().RecoveringMs; got < 5000 {
			t.Errorf("recovering for %d ms", got)
		}
		if n := log.Count("not back in time"); n != 1 {
			t.Errorf("the log says %d times that they are late", n)
		}
		b.sidecar.Heal()
		time.Sleep(openFor + (probesToClose+1)*probeEvery)
		synctest.Wait()
		if got := b.Status().RecoveringMs; got != 0 {
			t.Errorf("it is back, and recovering for %d ms", got)
		}
	})
}

func TestTwoThousandHuntsAreClaimedWellWithinTheTimeToRecover(t *testing.T) {
	const hunts = 2000
	b := newBench(t, 100)
	var creating sync.WaitGroup
	room := make(chan struct{}, 64)
	for i := range hunts {
		room <- struct{}{}
		creating.Go(func() { b.mustCreate(huntID(i)); <-room })
	}
	creating.Wait()
	b.sidecar.Recover()
	began := time.Now()
	b.recheckSidecar()
	eventually(t, "all are claimed", func() bool {
		var claims dto.Metric
		return b.metrics.claims.Write(&claims) == nil && claims.GetCounter().GetValue() == hunts
	})
	took := time.Since(began)
	t.Logf("%d hunts were claimed in %s", hunts, took)
	if most := DefaultRecoverWithin / 2; took > most {
		t.Errorf("%d hunts took %s; want %s at most", hunts, took, most)
	}
}
