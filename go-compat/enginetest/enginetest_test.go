package enginetest

import (
	"testing"

	"go.uber.org/goleak"

	"treasurehunt.example/go-compat/playerstate"
	"treasurehunt.example/go-compat/playerstatetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// hold is the Stall of a fake.
func hold(fake *playerstatetest.Fake) StallFunc {
	return func(_ testing.TB, _ playerstate.Commander, huntID string) func() {
		return fake.Hold(playerstatetest.InHunt(huntID)).Release
	}
}

// check holds a doctored engine to one promise, in a test that may fail.
func check(t *testing.T, tier Tier, p promise, doctor func(*doctored)) *recorder {
	t.Helper()
	return record(t, func(r testing.TB) {
		fake := playerstatetest.New(r, playerstatetest.OnSystemClock())
		engine := healthy(fake)
		doctor(engine)
		p.check(newBench(r, tier, func(testing.TB) playerstate.Commander { return engine }, config{stall: hold(fake)}))
	})
}

func TestAGoodEngineHoldsEveryPromiseAndEachIsBrokenByOneThatIsWrong(t *testing.T) {
	seen := 0
	for tier, all := range promises {
		for _, p := range all {
			t.Run(tier.String()+"/"+p.name, func(t *testing.T) {
				good := check(t, tier, p, func(*doctored) {})
				if good.failed || good.skipped {
					t.Fatalf("a good engine does not hold it:\n%s", good.text.String())
				}
				wrong, there := wrongs[p.name]
				if !there {
					t.Fatal("no engine breaks this promise: it is not known to find anything")
				}
				if bad := check(t, tier, p, wrong); !bad.failed {
					t.Errorf("the engine that breaks it is not found out:\n%s", bad.text.String())
				}
			})
			seen++
		}
	}
	if seen != len(wrongs) {
		t.Errorf("%d promises, and %d engines that break one", seen, len(wrongs))
	}
}

func TestAnEngineWithoutAFeedDoesNotReachTheTierByName(t *testing.T) {
	got := record(t, func(r testing.TB) {
		commander := struct{ playerstate.Commander }{playerstatetest.New(r)}
		newBench(r, Feeder, func(testing.TB) playerstate.Commander { return commander }, config{})
	})
	if !got.failed {
		t.Error("it reached the tier")
	}
}

func TestWhatCannotBeShownIsSkippedAndSaysSo(t *testing.T) {
	got := record(t, func(r testing.TB) {
		hangIsBounded(newBench(r, Commander, func(testing.TB) playerstate.Commander { return playerstatetest.New(r) }, config{}))
	})
	if !got.skipped || got.failed {
		t.Errorf("without Stall: %q", got.text.String())
	}
}
