package router

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"

	pb "treasurehunt.example/go-compat/gen/playerstatev1"
	"treasurehunt.example/go-compat/internal/logbook"
	"treasurehunt.example/go-compat/playerstate"
	"treasurehunt.example/go-compat/playerstatetest"
	"treasurehunt.example/go-compat/router/ledger"
)

func TestHuntsOfAGoProcessThatEndedAreLostByName(t *testing.T) {
	b := newBench(t, 0)
	atGo, atSidecar := b.split()
	log, logger := logbook.New()
	b.config.Logger = logger
	b.restart()

	if e, _ := b.ledger.Lookup(atGo); e.State != ledger.Lost {
		t.Fatalf("it is %s", e.State)
	}
	if !log.Says("hunts are LOST") || !log.Says(atGo) {
		t.Errorf("the log does not name it: %s", log)
	}
	_, err := b.Apply(t.Context(), join(atGo))
	wantCode(t, err, codes.FailedPrecondition)
	_, err = b.GetHunt(t.Context(), &pb.GetHuntRequest{HuntId: atGo})
	wantCode(t, err, codes.FailedPrecondition)
	wantCode(t, b.create(atGo), codes.FailedPrecondition)
	if b.legacy.Has(atGo) {
		t.Error("an empty hunt stands where one was lost")
	}
	if outcome, err := b.Apply(t.Context(), join(atSidecar)); err != nil || describe(outcome) != "applied" {
		t.Errorf("the sidecar's hunt: %v, %v", outcome, err)
	}
}

func TestAHuntWhoseCreationWasNotAnsweredIsAskedForAgainWithoutACaller(t *testing.T) {
	inBubble(t, 100, func(t *testing.T, b *bench) {
		b.sidecar.HoldAnswers(playerstatetest.On(playerstatetest.CreateHunt))
		if err := b.create("h"); err == nil {
			t.Fatal("it was answered")
		}
		b.sidecar.Heal()
		time.Sleep(keepEvery)
		synctest.Wait()
		if e, _ := b.ledger.Lookup("h"); e.State != ledger.Owned || e.Owner != ledger.Sidecar {
			t.Errorf("it is %s at %s", e.State, e.Owner)
		}
	})
}

func TestAHuntThatEndedByTimeIsClosedAndForgottenAfterTheRetention(t *testing.T) {
	inBubble(t, 0, func(t *testing.T, b *bench) {
		b.stop()
		b.config.ClosedRetention = 10 * time.Minute
		b.start()
		b.mustCreate("h")
		duration := time.Duration(settings(1).GetDurationMs()) * time.Millisecond
		time.Sleep(duration)
		synctest.Wait()
		if e, _ := b.ledger.Lookup("h"); e.State != ledger.Owned {
			t.Fatalf("at its end, before the slack, it is %s", e.State)
		}
		time.Sleep(closeSlack + 2*keepEvery)
		synctest.Wait()
		if e, _ := b.ledger.Lookup("h"); e.State != ledger.Closed {
			t.Fatalf("after its end it is %s", e.State)
		}
		time.Sleep(b.config.ClosedRetention - 2*keepEvery)
		if _, ok := b.ledger.Lookup("h"); !ok {
			t.Fatal("it was forgotten within the retention")
		}
		time.Sleep(4 * keepEvery)
		synctest.Wait()
		if _, ok := b.ledger.Lookup("h"); ok {
			t.Error("it is never forgotten")
		}
	})
}

func TestASidecarThatCameBackEmptyIsFoundOutAndItsHuntsWait(t *testing.T) {
	inBubble(t, 100, func(t *testing.T, b *bench) {
		b.mustCreate("h")
		b.sidecar.Fail(away)
		time.Sleep(probeEvery)
		synctest.Wait()
		b.sidecar.Restart()
		b.sidecar.Heal()
		time.Sleep(openFor + (probesToClose+1)*probeEvery)
		synctest.Wait()
		if got := gaugeOf(t, b, metricHuntsMissing, "sidecar"); got != 1 {
			t.Errorf("%v hunts are missing; want 1", got)
		}
		_, err := b.Apply(t.Context(), join("h"))
		wantCode(t, err, codes.Unavailable)

		time.Sleep(time.Duration(settings(1).GetDurationMs())*time.Millisecond + closeSlack + 2*keepEvery)
		synctest.Wait()
		if e, _ := b.ledger.Lookup("h"); e.State != ledger.Lost {
			t.Errorf("after its time it is %s", e.State)
		}
		if got := gaugeOf(t, b, metricHuntsMissing, "sidecar"); got != 0 {
			t.Errorf("%v hunts are missing after it was given up", got)
		}
	})
}

func TestALedgerAtItsLimitRefusesNewHuntsByName(t *testing.T) {
	b := newBench(t, 0)
	b.stop()
	b.config.HuntsMax = 2
	b.start()
	b.mustCreate("one")
	b.mustCreate("two")
	err := b.create("three")
	wantCode(t, err, codes.ResourceExhausted)
	if !strings.Contains(err.Error(), "HuntsMax") {
		t.Error(err)
	}
	b.mustCreate("two") // what is there is there
}

func TestOneHuntThatItsOwnerRefusesDoesNotHideTheMissingOnes(t *testing.T) {
	inBubble(t, 100, func(t *testing.T, b *bench) {
		for i := range 2 * keepAtOnce {
			b.mustCreate(huntID(i))
		}
		b.stop()
		b.config.Sidecar = olderBuild{b.sidecar}
		b.start()
		b.sidecar.Restart()
		b.sidecar.Fail(playerstate.NotApplied(codes.FailedPrecondition, "the hunt is quarantined"),
			playerstatetest.On(playerstatetest.GetHunt), playerstatetest.InHunt("hunt-0"))
		b.recheckSidecar()
		time.Sleep(keepEvery)
		synctest.Wait()
		if got := gaugeOf(t, b, metricHuntsMissing, "sidecar"); got != 2*keepAtOnce-1 {
			t.Errorf("%v hunts are missing; want %d", got, 2*keepAtOnce-1)
		}
	})
}
