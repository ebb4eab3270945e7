package rules

import (
	"errors"
	"math"
	"testing"

	"google.golang.org/protobuf/proto"

	pb "treasurehunt.example/go-compat/gen/playerstatev1"
)

func TestChanceIsSplitMix64(t *testing.T) {
	random := splitMix{}
	for i, want := range []uint64{0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4, 0x06C45D188009454F} {
		if got := random.next(); got != want {
			t.Errorf("draw %d of seed 0 is %x, want %x", i, got, want)
		}
	}
}

func TestCreatingPlacesWhatWasAskedFor(t *testing.T) {
	settings := &pb.HuntSettings{Seed: 3, Width: 10, Height: 6, Treasures: 30, Caches: 30, MaxPlayers: 4, DurationMs: 1000}
	s := Create("h", settings, classic(t), 1, startsAt).Snapshot()
	if len(s.GetTreasures()) != 30 || len(s.GetCaches()) != 30 {
		t.Fatalf("%d treasures and %d caches, want 30 and 30", len(s.GetTreasures()), len(s.GetCaches()))
	}
	last := -1
	for _, treasure := range s.GetTreasures() {
		cell := int(treasure.GetY()*10 + treasure.GetX())
		if cell <= last {
			t.Errorf("cell %d after cell %d", cell, last)
		}
		last = cell
		if v := treasure.GetValue(); v%10 != 0 || v < 10 || v > 100 {
			t.Errorf("value %d", v)
		}
	}
	if s.GetSequence() != 1 || s.GetLastAtMs() != startsAt {
		t.Errorf("record 1: %v", s)
	}
}

func TestWhatIsDrawnOntoATakenCellMovesToTheNext(t *testing.T) {
	onLast := func(seed uint64) bool { // both treasures are drawn onto the last of 4 cells
		random := splitMix{state: seed}
		first := random.below(4)
		random.next() // its value
		return first == 3 && random.below(4) == 3
	}
	seed := uint64(0)
	for !onLast(seed) {
		seed++
	}
	settings := &pb.HuntSettings{Seed: seed, Width: 2, Height: 2, Treasures: 2, MaxPlayers: 1, DurationMs: 1}
	got := Create("h", settings, classic(t), 1, startsAt).treasures.cells
	if len(got) != 2 || got[0] != 0 || got[1] != 3 {
		t.Errorf("cells %v, want 0 (the next, wrapping) and 3", got)
	}
}

func TestJoinTwiceChangesTheVersionOnly(t *testing.T) {
	g := sit(t, classic(t), 1)
	before := *g.player(1)
	g.must(act(1, Join))
	before.version++
	if after := *g.player(1); after != before {
		t.Errorf("%+v, want %+v", after, before)
	}
}

func TestWhoComesBackIsAsTheyLeft(t *testing.T) {
	g := sit(t, classic(t), 1)
	g.put(1, 5, 6)
	g.score(1, 70)
	g.must(act(1, Leave))
	g.rejected(act(1, Dig), pb.Rejection_REJECTION_NOT_JOINED)
	if top := g.h.Standings(1); len(top) != 1 || top[0].GetScore() != 70 {
		t.Errorf("standings without who left: %v", top)
	}
	if p := g.must(act(1, Join)).GetPlayer(); p.GetX() != 5 || p.GetY() != 6 || p.GetScore() != 70 {
		t.Errorf("came back as %v", p)
	}
}

func TestAHuntIsFullByPresenceAndByWhoEverJoined(t *testing.T) {
	settings := &pb.HuntSettings{Width: 4, Height: 4, MaxPlayers: 2, DurationMs: 1000}
	g := &table{t: t, h: Create("h", settings, classic(t), 1, startsAt), at: startsAt}
	g.must(act(1, Join))
	g.must(act(2, Join))
	g.rejected(act(3, Join), pb.Rejection_REJECTION_HUNT_FULL)
	g.must(act(1, Leave))
	g.must(act(3, Join))
	g.must(act(3, Leave))
	g.must(act(4, Join))
	g.must(act(4, Leave))
	g.rejected(act(5, Join), pb.Rejection_REJECTION_HUNT_FULL) // twice max_players ever joined
	g.must(act(1, Join))                                       // who is known may come back
}

func TestAStepIsOneOrWhatSpeedAllows(t *testing.T) {
	g := sit(t, classic(t), 1)
	g.rejected(moveTo(1, 20, 0), pb.Rejection_REJECTION_OUT_OF_BOUNDS)
	g.rejected(moveTo(1, 2, 0), pb.Rejection_REJECTION_TOO_FAR)
	g.must(moveTo(1, 1, 1))
	g.give(1, "sprint")
	g.use(1, "sprint", 0)
	g.rejected(moveTo(1, 5, 1), pb.Rejection_REJECTION_TOO_FAR)
	g.must(moveTo(1, 4, 4))
	g.wait(8000)
	g.rejected(moveTo(1, 6, 4), pb.Rejection_REJECTION_TOO_FAR) // it is over at its until
}

func TestDigTakesTheOwnCellOnce(t *testing.T) {
	g := sit(t, classic(t), 2)
	g.bury(0, 0, 50)
	g.bury(1, 0, 30)
	dug := g.must(act(1, Dig))
	if dug.GetPlayer().GetScore() != 50 || len(dug.GetTreasures()) != 1 {
		t.Errorf("dug %v", dug)
	}
	g.rejected(act(2, Dig), pb.Rejection_REJECTION_NOTHING_HERE)
}

func TestMagnetDigsAroundByAscendingCell(t *testing.T) {
	g := sit(t, classic(t), 1)
	g.put(1, 3, 3)
	for _, at := range [][2]uint16{{1, 1}, {5, 1}, {6, 1}, {3, 3}, {5, 5}, {3, 6}} {
		g.bury(at[0], at[1], 10)
	}
	g.give(1, "magnet")
	g.use(1, "magnet", 1)
	var cells [][2]uint32
	for _, treasure := range g.must(act(1, Dig)).GetTreasures() {
		cells = append(cells, [2]uint32{treasure.GetX(), treasure.GetY()})
	}
	want := [][2]uint32{{1, 1}, {5, 1}, {3, 3}, {5, 5}}
	if len(cells) != len(want) {
		t.Fatalf("dug %v, want %v", cells, want)
	}
	for i := range want {
		if cells[i] != want[i] {
			t.Errorf("dug %v, want %v", cells, want)
		}
	}
}

func TestDigTakes64AtMost(t *testing.T) {
	ruleset := parsed(t, `
[[power_up]]
name = "great_magnet"
weight = 1
target = "self"
effects = [{ kind = "magnet", magnitude = 16, duration_ms = 1000, stacking = "refresh" }]
`)
	g := sit(t, ruleset, 1)
	for y := range uint16(10) {
		for x := range uint16(10) {
			g.bury(x, y, 10)
		}
	}
	g.give(1, "great_magnet")
	g.use(1, "great_magnet", 0)
	if dug := g.must(act(1, Dig)); len(dug.GetTreasures()) != 64 {
		t.Errorf("dug %d", len(dug.GetTreasures()))
	}
}

func TestLootChangesTheWorthAndDiggingEndsTheCloak(t *testing.T) {
	g := sit(t, classic(t), 1)
	g.bury(0, 0, 70)
	g.give(1, "double_loot", "cloak")
	g.use(1, "double_loot", 0)
	g.use(1, "cloak", 0)
	dug := g.must(act(1, Dig))
	if dug.GetTreasures()[0].GetValue() != 140 || dug.GetPlayer().GetScore() != 140 {
		t.Errorf("dug %v", dug)
	}
	if g.player(1).until[slot(pb.EffectKind_EFFECT_KIND_CLOAK)] != 0 {
		t.Error("still cloaked")
	}
}

func TestPickUpTakesACacheAndTenOfAKindAreTooMany(t *testing.T) {
	g := sit(t, classic(t), 1)
	g.rejected(act(1, PickUp), pb.Rejection_REJECTION_NOTHING_HERE)
	g.hide(0, 0, "blink")
	if got := g.must(act(1, PickUp)).GetPickedUp(); got != "blink" {
		t.Errorf("picked up %q", got)
	}
	g.hide(1, 0, "blink")
	g.put(1, 1, 0)
	for range 8 {
		g.give(1, "blink")
	}
	g.rejected(act(1, PickUp), pb.Rejection_REJECTION_INVENTORY_FULL)
}

func TestARequestIsAppliedOnceAndForgottenByTheWindowOnly(t *testing.T) {
	g := sit(t, classic(t), 1)
	for _, id := range []uint64{20, 40, 30, 50} { // with the join's, five
		g.must(Command{PlayerID: 1, RequestID: id, Action: Join})
	}
	again := g.do(Command{PlayerID: 1, RequestID: 40, Action: Dig})
	if again.GetVerdict() != pb.Verdict_VERDICT_DUPLICATE || again.GetSequence() != 4 || again.GetPlayer() == nil {
		t.Errorf("a remembered request: %v", again)
	}
	old := g.do(Command{PlayerID: 1, RequestID: 19, Action: Join})
	if old.GetRefusal().GetReason() != pb.Refusal_REASON_REQUEST_TOO_OLD || old.GetPlayer() != nil {
		t.Errorf("a request behind the window: %v", old)
	}
	g.must(Command{PlayerID: 1, RequestID: 35, Action: Join}) // within the window: new
	if got := g.h.Snapshot().GetPlayers()[0].GetRemembered(); got[0].GetRequestId() != 30 || got[3].GetRequestId() != 50 {
		t.Errorf("remembered %v", got)
	}
}

func TestTheOrderOfTheChecks(t *testing.T) {
	g := sit(t, classic(t), 1)
	g.must(Command{PlayerID: 1, RequestID: 90, Action: Join})
	g.rejected(Command{PlayerID: 9, ExpectedVersion: 5, Action: Dig}, pb.Rejection_REJECTION_NOT_JOINED)
	g.rejected(Command{PlayerID: 9, ExpectedVersion: 5, Action: Join}, pb.Rejection_REJECTION_VERSION_MISMATCH)
	g.rejected(Command{PlayerID: 1, RequestID: 91, ExpectedVersion: 5, Action: Move, X: 99}, pb.Rejection_REJECTION_VERSION_MISMATCH)
	g.wait(600_000)
	g.rejected(Command{PlayerID: 9, Action: Dig}, pb.Rejection_REJECTION_HUNT_ENDED) // before NOT_JOINED
	if again := g.do(Command{PlayerID: 1, RequestID: 90, Action: Join}); again.GetVerdict() != pb.Verdict_VERDICT_DUPLICATE {
		t.Errorf("a remembered request after the end: %v", again)
	}
}

func TestAVersionAtItsEndTakesNoMore(t *testing.T) {
	g := sit(t, classic(t), 1)
	g.player(1).version = math.MaxUint32
	g.h.digest.touch(0)
	g.rejected(act(1, Join), pb.Rejection_REJECTION_VERSION_MISMATCH)
}

func TestTimeNeverFalls(t *testing.T) {
	g := sit(t, classic(t), 1)
	g.wait(10)
	g.must(act(1, Join))
	if _, err := g.h.Apply(Command{PlayerID: 1, RequestID: 99, Action: Join}, g.at-1); !errors.Is(err, ErrStampFell) {
		t.Errorf("got %v", err)
	}
	if _, err := g.h.End(g.at - 1); !errors.Is(err, ErrStampFell) {
		t.Errorf("got %v", err)
	}
}

func TestAHuntEndsOnceAndAtItsTimeAtTheLatest(t *testing.T) {
	g := sit(t, classic(t), 3)
	g.score(2, 10)
	g.score(3, 10)
	first, err := g.h.End(g.at + 700_000)
	if err != nil || !first {
		t.Fatal(first, err)
	}
	if g.h.EndsAtMs() != startsAt+600_000 || g.h.LastAtMs() != startsAt+600_000 {
		t.Errorf("ended at %d", g.h.EndsAtMs())
	}
	if again, _ := g.h.End(g.at + 800_000); again {
		t.Error("ended twice")
	}
	record := g.h.EndedRecord()
	want := []*pb.Standing{{PlayerId: 2, Score: 10}, {PlayerId: 3, Score: 10}, {PlayerId: 1}}
	for i, standing := range record.GetEnded().GetStandings() {
		if !proto.Equal(standing, want[i]) {
			t.Errorf("standings %v", record.GetEnded().GetStandings())
		}
	}
}

func TestTheBestAreAsManyAsAskedFor(t *testing.T) {
	g := sit(t, classic(t), 5)
	for id, score := range map[uint64]uint64{1: 5, 2: 50, 3: 20, 4: 50, 5: 1} {
		g.score(id, score)
	}
	for n, want := range [][]uint64{{}, {2}, {2, 4}, {2, 4, 3}, {2, 4, 3, 1}, {2, 4, 3, 1, 5}, {2, 4, 3, 1, 5}} {
		got := g.h.Standings(n)
		if len(got) != len(want) {
			t.Fatalf("best %d: %v", n, got)
		}
		for i := range want {
			if got[i].GetPlayerId() != want[i] {
				t.Errorf("best %d: %v", n, got)
			}
		}
	}
}
