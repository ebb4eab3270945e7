package router

import (
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/failsafe-go/failsafe-go/circuitbreaker"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pb "treasurehunt.example/go-compat/gen/playerstatev1"
	"treasurehunt.example/go-compat/internal/logbook"
	"treasurehunt.example/go-compat/playerstate"
	"treasurehunt.example/go-compat/playerstatetest"
)

// inBubble runs a test on a router whose time is the test's. The router is closed
// within the bubble.
func inBubble(t *testing.T, percent float64, test func(t *testing.T, b *bench)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, percent)
		synctest.Wait()
		test(t, b)
	})
}

func (b *bench) breakerState() circuitbreaker.State { return b.Router.sidecar.breaker.circuit.State() }

func wantState(t *testing.T, b *bench, want circuitbreaker.State) {
	t.Helper()
	if got := b.breakerState(); got != want {
		t.Fatalf("the breaker is %s (%s); want %s", got, b.Status().BreakerCause, want)
	}
}

func TestTheBreakerOpensWhenTheConnectionIsLost(t *testing.T) {
	inBubble(t, 0, func(t *testing.T, b *bench) {
		_, atSidecar := b.split()
		b.sidecar.Fail(playerstate.Unknown(codes.Unavailable, "ask again").WithCause(status.Error(codes.Unavailable, "EOF")))
		_, _ = b.Apply(t.Context(), join(atSidecar))
		wantState(t, b, circuitbreaker.OpenState)
		if cause := b.Status().BreakerCause; !strings.Contains(cause, "EOF") {
			t.Errorf("cause %q", cause)
		}
	})
}

func TestTheBreakerOpensAfterASecondWithoutProgressThoughNobodyCalls(t *testing.T) {
	inBubble(t, 100, func(t *testing.T, b *bench) {
		b.sidecar.Hold()
		time.Sleep(stallAfter - time.Millisecond)
		wantState(t, b, circuitbreaker.ClosedState)
		time.Sleep(probeEvery + time.Millisecond)
		synctest.Wait()
		wantState(t, b, circuitbreaker.OpenState)
		b.mustCreate("h")
		if !b.legacy.Has("h") {
			t.Error("a new hunt waits for a frozen sidecar")
		}
	})
}

func TestASlowProbeAloneDoesNotOpenTheBreaker(t *testing.T) {
	inBubble(t, 0, func(t *testing.T, b *bench) {
		_, atSidecar := b.split()
		b.sidecar.Hold(playerstatetest.On(playerstatetest.Probe))
		for range 20 { // commands go on being answered
			time.Sleep(100 * time.Millisecond)
			if _, err := b.Apply(t.Context(), join(atSidecar)); err != nil {
				t.Fatal(err)
			}
		}
		wantState(t, b, circuitbreaker.ClosedState)
	})
}

func TestTheBreakerOpensOverFivePercentErrorsOfTwoHundredCalls(t *testing.T) {
	inBubble(t, 0, func(t *testing.T, b *bench) {
		_, atSidecar := b.split()
		call := func(n int) {
			for range n {
				_, _ = b.Apply(t.Context(), join(atSidecar))
			}
		}
		call(ratedCalls)
		b.sidecar.Fail(playerstate.Unknown(codes.Internal, "it broke"))
		call(ratedFailures - 1)
		wantState(t, b, circuitbreaker.ClosedState)
		call(1)
		wantState(t, b, circuitbreaker.OpenState)
		if cause := b.Status().BreakerCause; !strings.HasPrefix(cause, "11 of the last 200") {
			t.Errorf("cause %q", cause)
		}
	})
}

func TestRefusalsAndCallersWhoLeaveDoNotOpenTheBreaker(t *testing.T) {
	inBubble(t, 0, func(t *testing.T, b *bench) {
		_, atSidecar := b.split()
		for _, failure := range []*playerstate.Failure{
			playerstate.Invalid("field", "is wrong"),
			playerstate.NotApplied(codes.NotFound, "none"),
			playerstate.Unknown(codes.Canceled, "left"),
			playerstate.Unknown(codes.DeadlineExceeded, "no time was given"),
		} {
			b.sidecar.Heal()
			b.sidecar.Fail(failure)
			for range ratedCalls {
				_, _ = b.GetHunt(t.Context(), &pb.GetHuntRequest{HuntId: atSidecar})
			}
		}
		wantState(t, b, circuitbreaker.ClosedState)
	})
}

func TestGoodProbesCloseTheBreakerAndABadOneKeepsItOpen(t *testing.T) {
	inBubble(t, 100, func(t *testing.T, b *bench) {
		b.sidecar.Fail(away)
		time.Sleep(probeEvery)
		synctest.Wait()
		wantState(t, b, circuitbreaker.OpenState)

		time.Sleep(10 * time.Second) // probes go on, and fail
		synctest.Wait()
		wantState(t, b, circuitbreaker.OpenState)

		b.sidecar.Heal()
		time.Sleep(openFor + (probesToClose+1)*probeEvery)
		synctest.Wait()
		wantState(t, b, circuitbreaker.ClosedState)
		b.mustCreate("h")
		if !b.sidecar.Has("h") {
			t.Error("the flag is not followed again")
		}
	})
}

func TestTheLogSaysThatTheBreakerOpenedOnceAndRemindsEachMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		said, logger := logbook.New()
		b := newBenchWith(t, 100, logger)
		b.sidecar.Fail(away)
		time.Sleep(150 * time.Second)
		synctest.Wait()
		b.sidecar.Heal()
		time.Sleep(openFor + (probesToClose+1)*probeEvery)
		synctest.Wait()
		wantState(t, b, circuitbreaker.ClosedState)

		var got []string
		for line := range strings.Lines(said.String()) {
			_, line, ofBreaker := strings.Cut(line, `msg="the breaker `)
			if ofBreaker {
				what, _, _ := strings.Cut(line, ":")
				got = append(got, what)
			}
		}
		if want := []string{"opened", "is still open", "is still open", "closed"}; !slices.Equal(got, want) {
			t.Errorf("in 150 s the log said %q of the breaker; want %q", got, want)
		}
	})
}

func TestOfManyWhoOpenTheBreakerAtOnceNoneLeavesItsCauseForTheNextTime(t *testing.T) {
	for range 500 {
		b := newBreaker(slog.New(slog.DiscardHandler), func(circuitbreaker.State) {})
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() { b.open("the connection was lost") })
		}
		all.Wait()
		if left := b.cause.Load(); left != nil {
			t.Fatalf("%q would be told of a breaker that opens for another cause", *left)
		}
	}
}
