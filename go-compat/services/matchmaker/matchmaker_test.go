package matchmaker

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"
	"google.golang.org/grpc/codes"

	pb "treasurehunt.example/go-compat/gen/playerstatev1"
	"treasurehunt.example/go-compat/playerstate"
	"treasurehunt.example/go-compat/services/matchmaker/matching"
	"treasurehunt.example/go-compat/services/program"
)

var replay = flag.Uint64("replay", 0, "seed of a run under faults to have again")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// testConfig is the defaults of the table of settings, with hunts of 2 to 4.
func testConfig(t testing.TB) (config Config) {
	t.Helper()
	p := program.Program{
		Name: "test", Settings: config.Settings(), Check: config.Check,
		Run: func(context.Context, *program.Process) error { return nil },
	}
	args := []string{"config", "print", "--hunt-players-max", "4", "--party-players-max", "3", "--seed", "7"}
	if code := p.Execute(context.Background(), args, io.Discard, t.Output()); code != program.ExitOK {
		t.Fatalf("the defaults are refused: exit code %d", code)
	}
	return config
}

// start runs a matchmaker until the test is over. In a bubble of synctest, time
// passes when everybody waits.
func start(t testing.TB, config Config, engine playerstate.Commander) *Matchmaker {
	t.Helper()
	log := slog.New(slog.NewTextHandler(t.Output(), nil))
	m := New(config, engine, playerstate.NewRequestIDs(), log, prometheus.NewRegistry())
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = m.Run(ctx)
	}()
	t.Cleanup(func() {
		cancel()
		<-done
	})
	return m
}

func open(t testing.TB, m *Matchmaker, players ...uint64) Ticket {
	t.Helper()
	ticket, err := m.Open(TicketRequest{Players: players, Skill: 1000, Region: "eu"})
	if err != nil {
		t.Fatal(err)
	}
	return ticket
}

func now(t testing.TB, m *Matchmaker, ticket Ticket) Ticket {
	t.Helper()
	ticket, err := m.Ticket(ticket.ID)
	if err != nil {
		t.Fatal(err)
	}
	return ticket
}

func TestAFullGroupPlaysAtOnceAndASmallOneWhenItIsOverdue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		engine := newFakeEngine()
		config := testConfig(t)
		m := start(t, config, engine)
		a, b := open(t, m, 1, 2), open(t, m, 3, 4)
		c, d := open(t, m, 5), open(t, m, 6)
		time.Sleep(2 * config.MatchEvery)
		a, b, c, d = now(t, m, a), now(t, m, b), now(t, m, c), now(t, m, d)
		if a.State != Matched || a.HuntID != b.HuntID || c.State != Searching || d.State != Searching {
			t.Fatalf("%v %v %v %v: want the first two in one hunt, the others searching", a, b, c, d)
		}
		time.Sleep(config.Rules.WaitMax)
		c, d = now(t, m, c), now(t, m, d)
		if c.State != Matched || c.HuntID != d.HuntID || c.HuntID == a.HuntID {
			t.Fatalf("%v %v: want both in a hunt of their own", c, d)
		}
		if joined := len(engine.hunts[a.HuntID].joins); joined != 4 {
			t.Fatalf("%d players joined, want 4", joined)
		}
	})
}

func TestTicketsExpireAndAreForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		config := testConfig(t)
		m := start(t, config, newFakeEngine())
		ticket := open(t, m, 1)
		time.Sleep(config.TicketExpiresAfter + time.Second)
		if state := now(t, m, ticket).State; state != Expired {
			t.Fatalf("%s, want expired", state)
		}
		open(t, m, 1) // the player may search again
		time.Sleep(config.FinishedKeep + time.Second)
		var refusal *Refusal
		if _, err := m.Ticket(ticket.ID); !errors.As(err, &refusal) || refusal.Reason != NotFound {
			t.Fatalf("%v, want not found", err)
		}
	})
}

func TestAPlayerIsInOneOpenTicketOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := start(t, testConfig(t), newFakeEngine())
		first := open(t, m, 1, 2)
		var refusal *Refusal
		if _, err := m.Open(TicketRequest{Players: []uint64{2}, Region: "eu"}); !errors.As(err, &refusal) || refusal.Reason != Conflict {
			t.Fatalf("%v, want a conflict", err)
		}
		for range 2 { // again is fine
			if cancelled, err := m.Cancel(first.ID); err != nil || cancelled.State != Cancelled {
				t.Fatalf("%v, %v", cancelled, err)
			}
		}
		open(t, m, 2)
	})
}

func TestTicketsOverTheLimitAreRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		config := testConfig(t)
		config.TicketsMax = 2
		m := start(t, config, newFakeEngine())
		open(t, m, 1)
		second := open(t, m, 2)
		var refusal *Refusal
		if _, err := m.Open(TicketRequest{Players: []uint64{3}, Region: "eu"}); !errors.As(err, &refusal) || refusal.Reason != Full {
			t.Fatalf("%v, want full", err)
		}
		if _, err := m.Cancel(second.ID); err != nil {
			t.Fatal(err)
		}
		open(t, m, 3)
	})
}

func TestDoneTicketsAreKeptUpToTheLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		config := testConfig(t)
		config.TicketsMax = 3
		m := start(t, config, newFakeEngine())
		for player := range uint64(10) {
			if _, err := m.Cancel(open(t, m, player+1).ID); err != nil {
				t.Fatal(err)
			}
		}
		if kept := len(m.pool.tickets); kept != 3 {
			t.Fatalf("%d tickets are kept, want 3", kept)
		}
	})
}

func TestHuntsTakeTheirRulesetsInTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		config := testConfig(t)
		config.Rulesets = []string{"classic", "frenzy"}
		m := start(t, config, newFakeEngine())
		taken := map[string]int{}
		for n := range uint64(6) {
			ticket := open(t, m, 2*n+1)
			open(t, m, 2*n+2)
			time.Sleep(config.Rules.WaitMax + time.Second)
			hunt, err := m.hunt(now(t, m, ticket).HuntID)
			if err != nil {
				t.Fatal(err)
			}
			taken[hunt.Settings.GetRuleset()]++
		}
		if taken["classic"] != 3 || taken["frenzy"] != 3 {
			t.Errorf("%v, want three of each", taken)
		}
	})
}

func TestHuntsOverTheLimitWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		config := testConfig(t)
		config.HuntsMax = 1
		m := start(t, config, newFakeEngine())
		first, second := open(t, m, 1, 2), open(t, m, 3, 4)
		third, fourth := open(t, m, 5, 6), open(t, m, 7, 8)
		time.Sleep(time.Second)
		first, third = now(t, m, first), now(t, m, third)
		if first.State != Matched || now(t, m, second).State != Matched || third.State != Searching {
			t.Fatalf("%v %v: want the first in a hunt, the third searching", first, third)
		}
		if _, err := m.EndHunt(t.Context(), first.HuntID); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		if third, fourth := now(t, m, third), now(t, m, fourth); third.State != Matched || fourth.HuntID != third.HuntID {
			t.Fatalf("%v %v: want them in the hunt that there is room for", third, fourth)
		}
	})
}

func TestAHuntThatEndsByItsTimeIsSeenToEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		config := testConfig(t)
		config.Duration = time.Minute
		m := start(t, config, newFakeEngine())
		a := open(t, m, 1, 2)
		open(t, m, 3, 4)
		time.Sleep(time.Second)
		id := now(t, m, a).HuntID
		if hunt, err := m.hunt(id); err != nil || hunt.State != Running {
			t.Fatalf("%v %v, want it running", hunt, err)
		}
		time.Sleep(config.Duration + observeEvery)
		if hunt, err := m.hunt(id); err != nil || hunt.State != Ended {
			t.Fatalf("%v %v, want it ended", hunt, err)
		}
		time.Sleep(config.FinishedKeep + 2*observeEvery)
		if hunts, _ := m.Hunts("", 10); len(hunts) != 0 {
			t.Fatalf("%v are kept for too long", hunts)
		}
	})
}

func TestAHuntThatNobodyKnowsAnyMoreIsLost(t *testing.T) {
	for _, test := range []struct {
		name  string
		fault error
		after time.Duration
	}{
		{"its engine does not know it", playerstate.NotApplied(codes.NotFound, "unknown"), 0},
		{"its engine does not answer", playerstate.NotApplied(codes.Unavailable, "away"), 10 * time.Minute},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				config := testConfig(t)
				config.Duration = time.Minute
				engine := newFakeEngine()
				var gone atomic.Bool
				engine.fault = func(string, string, string) error {
					if gone.Load() {
						return test.fault
					}
					return nil
				}
				m := start(t, config, engine)
				a := open(t, m, 1, 2)
				open(t, m, 3, 4)
				time.Sleep(time.Second)
				id := now(t, m, a).HuntID
				gone.Store(true)
				time.Sleep(config.Duration + test.after + 2*observeEvery)
				if hunt, err := m.hunt(id); err != nil || hunt.State != Lost {
					t.Fatalf("%v %v, want it lost", hunt, err)
				}
			})
		})
	}
}

func TestAnEngineThatIsAwayKeepsTicketsWaitingAndNothingElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var away atomic.Bool
		away.Store(true)
		var calls atomic.Int64
		engine := newFakeEngine()
		engine.fault = func(string, string, string) error {
			calls.Add(1)
			if away.Load() {
				return playerstate.NotApplied(codes.Unavailable, "away")
			}
			return nil
		}
		m := start(t, testConfig(t), engine)
		a, b := open(t, m, 1, 2), open(t, m, 3, 4)
		time.Sleep(time.Minute)
		if state := now(t, m, a).State; state != Searching && state != Placing {
			t.Fatalf("%s, want it waiting", state)
		}
		if hunts, _ := m.Hunts("", 10); len(hunts) != 0 {
			t.Fatalf("%v, want none: surely none was made", hunts)
		}
		if n := calls.Load(); n > 200 {
			t.Fatalf("%d calls in a minute to an engine that is away", n)
		}
		away.Store(false)
		time.Sleep(20 * time.Second)
		if a, b := now(t, m, a), now(t, m, b); a.State != Matched || a.HuntID != b.HuntID {
			t.Fatalf("%v %v: want them in a hunt", a, b)
		}
	})
}

func TestAHuntThatCannotBeFilledInTimeIsEndedAndNobodyIsToldOfIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		config := testConfig(t)
		engine := newFakeEngine()
		var broken string // the first hunt: takes joins, and never answers them
		engine.fault = func(when, method, huntID string) error {
			if broken == "" {
				broken = huntID
			}
			if huntID == broken && when == "after" && method == "ApplyBatch" {
				return playerstate.Unknown(codes.DeadlineExceeded, "no answer")
			}
			return nil
		}
		m := start(t, config, engine)
		a, b := open(t, m, 1, 2), open(t, m, 3, 4)
		time.Sleep(config.PlaceWithin + 3*time.Second)
		a, b = now(t, m, a), now(t, m, b)
		if a.State != Matched || a.HuntID == broken || a.HuntID != b.HuntID {
			t.Fatalf("%v %v: want them in another hunt than %s", a, b, broken)
		}
		synctest.Wait()
		if hunt := engine.hunts[broken]; !hunt.over() {
			t.Fatal("the hunt that was given up goes on")
		}
		for player, requests := range engine.hunts[broken].joins {
			if len(requests) != 1 {
				t.Errorf("player %d joined %d times", player, len(requests))
			}
		}
		if hunt, err := m.hunt(broken); err != nil || hunt.State != Ended {
			t.Fatalf("%v %v, want it in the list, ended", hunt, err)
		}
	})
}

// Under faults of any kind and any timing, with callers who come and go, every
// ticket ends in one way, and every player who was told of a hunt is in that one
// and in no other that goes on.
func TestUnderFaultsNoTicketIsLostAndNobodyIsInTwoHunts(t *testing.T) {
	runs := 50
	if *replay != 0 {
		runs = 1
	}
	for range runs {
		seed := cmp.Or(*replay, rand.Uint64())
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { underFaults(t, seed) })
		})
	}
}

func underFaults(t *testing.T, seed uint64) {
	engine := newFakeEngine()
	faults := rand.New(rand.NewPCG(seed, 1))
	var healthy atomic.Bool
	mix := make(chan struct{}, 1) // faults is not safe for concurrent use
	engine.fault = func(when, _, huntID string) error {
		mix <- struct{}{}
		defer func() { <-mix }()
		if healthy.Load() {
			return nil
		}
		time.Sleep(time.Duration(faults.IntN(100)) * time.Millisecond)
		stuck := huntID[len(huntID)-1] < '4' // a quarter of the hunts: their engine is away for long
		switch p := faults.IntN(100); {
		case (stuck || p < 30) && when == "before" && p < 50:
			return playerstate.NotApplied(codes.Unavailable, "away")
		case stuck || p < 30:
			return playerstate.Unknown(codes.DeadlineExceeded, "no answer")
		default:
			return nil
		}
	}
	config := testConfig(t)
	config.PlaceWithin = time.Second
	m := start(t, config, engine)
	callers := rand.New(rand.NewPCG(seed, 2))
	var tickets []Ticket
	player := uint64(0)
	for range 40 {
		party := make([]uint64, 1+callers.IntN(config.Rules.PartyMax))
		for i := range party {
			player++
			party[i] = player
		}
		ticket, err := m.Open(TicketRequest{Players: party, Skill: callers.IntN(600), Region: "eu"})
		if err != nil {
			t.Fatal(err)
		}
		tickets = append(tickets, ticket)
		if callers.IntN(10) == 0 {
			_, _ = m.Cancel(tickets[callers.IntN(len(tickets))].ID) // refused if it is too late
		}
		time.Sleep(time.Duration(callers.IntN(300)) * time.Millisecond)
	}
	time.Sleep(30 * time.Second)
	healthy.Store(true)
	time.Sleep(time.Minute)
	synctest.Wait()
	check(t, m, engine, tickets)
}

func check(t *testing.T, m *Matchmaker, engine *fakeEngine, tickets []Ticket) {
	t.Helper()
	matched := 0
	for _, ticket := range tickets {
		ticket = now(t, m, ticket)
		if ticket.State == Placing {
			t.Errorf("%s is still being placed", ticket.ID)
		}
		if ticket.State == Matched {
			matched++
		}
		for _, player := range ticket.Players {
			for id, hunt := range engine.hunts {
				_, in := hunt.joins[player]
				if told := ticket.HuntID == id; told != (in && !hunt.over()) {
					t.Errorf("player %d of a %s ticket: told of hunt %s: %v, in it: %v, over: %v",
						player, ticket.State, id, told, in, hunt.over())
				}
			}
		}
	}
	for id, hunt := range engine.hunts {
		if len(hunt.joins) == 0 && !hunt.over() {
			t.Errorf("hunt %s goes on with nobody in it", id)
		}
	}
	if matched < len(tickets)/2 {
		t.Errorf("only %d of %d tickets were matched", matched, len(tickets))
	}
}

func TestAGroupIsNotPlacedWithoutATicketThatWasTakenBackMeanwhile(t *testing.T) {
	p := newPool(10, time.Minute)
	at := time.Now()
	var group matching.Group
	for player := range uint64(3) {
		ticket := &Ticket{ID: fmt.Sprint(player), TicketRequest: TicketRequest{Players: []uint64{player + 1}}, State: Searching}
		if refusal := p.add(ticket); refusal != nil {
			t.Fatal(refusal)
		}
		group = append(group, ticket.matching())
	}
	if _, refusal := p.cancel("1", at); refusal != nil {
		t.Fatal(refusal)
	}
	if tickets := p.claim(group, at); tickets != nil || len(p.searching()) != 2 {
		t.Fatalf("%v are placed; want none, and two searching on", tickets)
	}
}

func TestHuntsFollowFromTheSeed(t *testing.T) {
	draw := func(seed uint64) [3]uint64 {
		next := seeds(seed)
		return [3]uint64{next(), next(), next()}
	}
	first, again, other, random, anew := draw(7), draw(7), draw(8), draw(0), draw(0)
	if first != again || first == other || random == anew {
		t.Error("want equal seeds of hunts for equal seeds but 0, and others for others")
	}
}

func TestARefusedJoinIsTriedAgainOnlyWhereItCanHelp(t *testing.T) {
	h := &host{requestIDs: playerstate.NewRequestIDs()}
	hopeless := []pb.Refusal_Reason{
		pb.Refusal_REASON_UNKNOWN_HUNT, pb.Refusal_REASON_INVALID, pb.Refusal_REASON_QUARANTINED,
	}
	for number := range pb.Refusal_Reason_name {
		reason := pb.Refusal_Reason(number)
		join := &pb.Command{PlayerId: 1, RequestId: 9}
		err := h.refused(join, &pb.Refusal{Reason: reason})
		var permanent *backoff.PermanentError
		if errors.As(err, &permanent) != slices.Contains(hopeless, reason) || err == nil {
			t.Errorf("%s: %v", reason, err)
		}
		if tooOld := reason == pb.Refusal_REASON_REQUEST_TOO_OLD; tooOld != (join.RequestId != 9) {
			t.Errorf("%s: request id %d", reason, join.RequestId)
		}
	}
}
