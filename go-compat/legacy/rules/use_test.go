package rules

import (
	"fmt"
	"testing"

	pb "treasurehunt.example/go-compat/gen/playerstatev1"
)

// wantImpacts compares impacts by what they say in short: player, effect, result,
// and the score's change, if any.
func wantImpacts(t *testing.T, outcome *pb.Outcome, want ...string) {
	t.Helper()
	var got []string
	for _, i := range outcome.GetImpacts() {
		text := fmt.Sprintf("%d %s %s", i.GetPlayerId(), i.GetEffect().String()[len("EFFECT_KIND_"):], i.GetResult().String()[len("RESULT_"):])
		if i.GetScoreChange() != 0 {
			text += fmt.Sprintf(" %+d", i.GetScoreChange())
		}
		got = append(got, text)
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("impacts %q, want %q", got, want)
	}
}

func TestTheChecksOfAPowerUpComeInTheirOrder(t *testing.T) {
	g := sit(t, classic(t), 3)
	g.rejected(useOf(1, "excalibur", 0), pb.Rejection_REJECTION_UNKNOWN_POWER_UP)
	g.rejected(useOf(1, "freeze_ray", 2), pb.Rejection_REJECTION_NOT_HELD)
	g.give(1, "freeze_ray", "freeze_ray", "cloak", "antidote", "blizzard")
	g.give(2, "freeze_ray", "cloak")
	g.use(2, "freeze_ray", 1)
	g.rejected(useOf(1, "freeze_ray", 2), pb.Rejection_REJECTION_FROZEN)
	g.use(1, "antidote", 0) // usable while frozen
	g.rejected(useOf(1, "freeze_ray", 0), pb.Rejection_REJECTION_INVALID_TARGET)
	g.rejected(useOf(1, "freeze_ray", 1), pb.Rejection_REJECTION_INVALID_TARGET)
	g.rejected(useOf(1, "freeze_ray", 77), pb.Rejection_REJECTION_INVALID_TARGET)
	g.rejected(useOf(1, "cloak", 2), pb.Rejection_REJECTION_INVALID_TARGET)
	g.rejected(useOf(1, "blizzard", 2), pb.Rejection_REJECTION_INVALID_TARGET)
	g.put(2, 19, 19)
	g.rejected(useOf(1, "freeze_ray", 2), pb.Rejection_REJECTION_OUT_OF_RANGE)
	g.wait(5000)
	g.use(2, "cloak", 0)
	g.rejected(useOf(1, "freeze_ray", 2), pb.Rejection_REJECTION_TARGET_HIDDEN) // before the range
	g.must(act(3, Leave))
	g.rejected(useOf(1, "freeze_ray", 3), pb.Rejection_REJECTION_INVALID_TARGET)
}

func TestACooldownBlocksEveryPowerUpUntilItIsOver(t *testing.T) {
	g := sit(t, classic(t), 2)
	g.give(1, "freeze_ray", "shield", "sprint")
	g.use(1, "freeze_ray", 2)
	g.wait(4999)
	g.rejected(useOf(1, "shield", 0), pb.Rejection_REJECTION_ON_COOLDOWN)
	g.wait(1)
	g.use(1, "shield", 0)
	g.use(1, "sprint", 0) // a cooldown of 0 sets none
}

func TestFreezeLastsItsTimeAndIsIgnoredWhileOn(t *testing.T) {
	g := sit(t, classic(t), 3)
	g.give(1, "freeze_ray")
	g.give(2, "freeze_ray")
	frozen := g.use(1, "freeze_ray", 3)
	wantImpacts(t, frozen, "3 FREEZE APPLIED")
	if until := frozen.GetImpacts()[0].GetUntilMs(); until != 3000 {
		t.Errorf("until %d", until)
	}
	g.wait(1000)
	ignored := g.use(2, "freeze_ray", 3)
	wantImpacts(t, ignored, "3 FREEZE IGNORED")
	if i := ignored.GetImpacts()[0]; i.GetUntilMs() != 0 || i.GetMagnitude() != 0 {
		t.Errorf("an ignored effect tells its slot: %v", i)
	}
	g.wait(1999)
	g.rejected(act(3, Dig), pb.Rejection_REJECTION_FROZEN)
	g.wait(1)
	g.rejected(act(3, Dig), pb.Rejection_REJECTION_NOTHING_HERE)
}

func TestAShieldBlocksOncePerChargeThenEnds(t *testing.T) {
	g := sit(t, classic(t), 2)
	g.give(2, "shield", "shield")
	g.use(2, "shield", 0)
	g.use(2, "shield", 0)
	for range 2 {
		g.give(1, "pickpocket")
		wantImpacts(t, g.use(1, "pickpocket", 2), "2 STEAL BLOCKED")
		g.wait(5000)
	}
	if p := g.player(2); p.until[0] != 0 || p.magnitude[0] != 0 {
		t.Errorf("shield without a charge: %+v", p)
	}
}

func TestAMirrorTurnsAnEffectOnItsAuthorOnce(t *testing.T) {
	g := sit(t, classic(t), 2)
	g.give(1, "freeze_ray", "mirror")
	g.give(2, "mirror")
	g.use(1, "mirror", 0) // the author's own mirror is not asked
	g.use(2, "mirror", 0)
	wantImpacts(t, g.use(1, "freeze_ray", 2), "1 FREEZE REFLECTED")
	if g.player(2).has(pb.EffectKind_EFFECT_KIND_REFLECT, 0) || !g.player(1).has(pb.EffectKind_EFFECT_KIND_REFLECT, 0) {
		t.Error("the wrong mirror was spent")
	}
}

func TestAReflectedEffectMayMeetTheAuthorsShield(t *testing.T) {
	g := sit(t, classic(t), 2)
	g.give(1, "freeze_ray", "shield")
	g.give(2, "mirror")
	g.use(1, "shield", 0)
	g.use(2, "mirror", 0)
	wantImpacts(t, g.use(1, "freeze_ray", 2), "1 FREEZE BLOCKED")
	if g.player(1).has(pb.EffectKind_EFFECT_KIND_SHIELD, 0) {
		t.Error("the charge was not spent")
	}
}

func TestAMirrorIsSpentAlsoWhereTheEffectIsIgnored(t *testing.T) {
	g := sit(t, classic(t), 3)
	g.give(1, "freeze_ray")
	g.give(2, "mirror")
	g.give(3, "freeze_ray")
	g.use(2, "mirror", 0)
	g.use(3, "freeze_ray", 1)
	g.player(1).end(pb.EffectKind_EFFECT_KIND_FREEZE)
	g.h.digest.touch(0)
	g.wait(10)
	item := &g.h.ruleset.powerUps[g.h.ruleset.byName["freeze_ray"]]
	turn := turn{Hunt: g.h, cmd: &Command{PlayerID: 1}, now: 10, me: 0, outcome: &pb.Outcome{}}
	g.player(1).set(&item.effects[0], 10) // frozen again, after the checks of the use
	turn.resolve(&item.effects[0], 1)
	wantImpacts(t, turn.outcome, "1 FREEZE IGNORED")
	if g.player(2).until[slot(pb.EffectKind_EFFECT_KIND_REFLECT)] != 0 {
		t.Error("the mirror is still there")
	}
}

func TestStealingMovesScoreRoundedDown(t *testing.T) {
	g := sit(t, classic(t), 2)
	g.score(2, 99)
	g.give(1, "pickpocket")
	stolen := g.use(1, "pickpocket", 2)
	wantImpacts(t, stolen, "2 STEAL APPLIED -19", "1 STEAL APPLIED +19")
	if stolen.GetPlayer().GetScore() != 19 || g.player(2).score != 80 {
		t.Errorf("%v, and %d left", stolen.GetPlayer(), g.player(2).score)
	}
}

func TestAReflectedTheftRobsTheThief(t *testing.T) {
	g := sit(t, classic(t), 2)
	g.score(1, 50)
	g.give(1, "pickpocket")
	g.give(2, "mirror")
	g.use(2, "mirror", 0)
	wantImpacts(t, g.use(1, "pickpocket", 2), "1 STEAL REFLECTED -10", "2 STEAL REFLECTED +10")
}

func TestATheftOfNothingHasTwoImpactsToo(t *testing.T) {
	g := sit(t, classic(t), 2)
	g.give(1, "pickpocket")
	wantImpacts(t, g.use(1, "pickpocket", 2), "2 STEAL APPLIED", "1 STEAL APPLIED")
}

func TestSharesAreCountedIn128Bits(t *testing.T) {
	if got := share(1<<63, 100); got != 1<<63 {
		t.Errorf("all of 2^63 is %d", got)
	}
}

func TestASwapExchangesPlaces(t *testing.T) {
	g := sit(t, classic(t), 2)
	g.put(1, 3, 4)
	g.put(2, 8, 9)
	g.give(1, "switcheroo")
	swapped := g.use(1, "switcheroo", 2)
	wantImpacts(t, swapped, "2 SWAP APPLIED", "1 SWAP APPLIED")
	if i := swapped.GetImpacts(); i[0].GetX() != 3 || i[0].GetY() != 4 || i[1].GetX() != 8 || i[1].GetY() != 9 {
		t.Errorf("impacts %v", i)
	}
}

func TestABlizzardReachesThoseAroundByAscendingID(t *testing.T) {
	g := sit(t, classic(t), 1)
	for _, id := range []uint64{6, 4, 5, 2, 3} { // not the order in which they came
		g.must(act(id, Join))
	}
	g.put(1, 10, 10)
	for id, at := range map[uint64][2]uint16{2: {13, 13}, 3: {14, 10}, 4: {7, 7}, 5: {10, 10}, 6: {11, 10}} {
		g.put(id, at[0], at[1])
	}
	g.give(5, "cloak")
	g.use(5, "cloak", 0)
	g.give(1, "blizzard", "cloak")
	g.use(1, "cloak", 0)
	wantImpacts(t, g.use(1, "blizzard", 0), "2 FREEZE APPLIED", "4 FREEZE APPLIED", "6 FREEZE APPLIED")
	if g.player(1).has(pb.EffectKind_EFFECT_KIND_CLOAK, 0) {
		t.Error("a hostile effect leaves its user cloaked")
	}
}

func TestAnAreaReaches64AtMostAndNobodyIsEnough(t *testing.T) {
	g := sit(t, classic(t), 70)
	g.give(70, "blizzard")
	reached := g.use(70, "blizzard", 0).GetImpacts()
	if len(reached) != 64 || reached[0].GetPlayerId() != 1 || reached[63].GetPlayerId() != 64 {
		t.Errorf("reached %d, from %v", len(reached), reached[0])
	}
	g.put(1, 19, 19)
	g.give(1, "blizzard")
	g.wait(60_000)
	wantImpacts(t, g.use(1, "blizzard", 0))
}

func TestBlinkDrawsTheNewPlace(t *testing.T) {
	g := sit(t, classic(t), 1)
	g.give(1, "blink")
	expected := g.h.random
	x, y := expected.below(20), expected.below(20)
	moved := g.use(1, "blink", 0)
	wantImpacts(t, moved, "1 TELEPORT APPLIED")
	if uint64(moved.GetPlayer().GetX()) != x || uint64(moved.GetPlayer().GetY()) != y {
		t.Errorf("at %v, want (%d, %d)", moved.GetPlayer(), x, y)
	}
}

func TestASpyglassShowsPlainValuesAndTakesNothing(t *testing.T) {
	g := sit(t, classic(t), 1)
	g.bury(2, 2, 30)
	g.bury(7, 7, 40)
	g.give(1, "spyglass", "double_loot")
	g.use(1, "double_loot", 0)
	seen := g.use(1, "spyglass", 0)
	wantImpacts(t, seen, "1 REVEAL APPLIED")
	if len(seen.GetTreasures()) != 1 || seen.GetTreasures()[0].GetValue() != 30 || g.h.treasures.left != 2 {
		t.Errorf("seen %v", seen.GetTreasures())
	}
}

func TestAnAntidoteIsAppliedAlsoToWhoIsNotFrozen(t *testing.T) {
	g := sit(t, classic(t), 1)
	g.give(1, "antidote")
	wantImpacts(t, g.use(1, "antidote", 0), "1 CLEANSE APPLIED")
}

func TestStackingOfTimedEffects(t *testing.T) {
	const off, on, on2 = 0, 5000, 9000 // until of the slot before; now is 1000
	for name, test := range map[string]struct {
		effect      effect
		magnitude   uint8
		until       uint32
		wantMag     uint8
		wantUntil   uint32
		wantIgnored bool
	}{
		"off takes the new":              {effect: effect{magnitude: 2, durationMs: 100, stacking: stackStack}, magnitude: 9, until: off, wantMag: 2, wantUntil: 1100},
		"past takes the new":             {effect: effect{magnitude: 2, durationMs: 100, stacking: stackIgnore}, magnitude: 9, until: 1000, wantMag: 2, wantUntil: 1100},
		"refresh keeps the later end":    {effect: effect{magnitude: 2, durationMs: 100, stacking: stackRefresh}, magnitude: 9, until: on, wantMag: 2, wantUntil: on},
		"refresh takes the later end":    {effect: effect{magnitude: 2, durationMs: 8000, stacking: stackRefresh}, magnitude: 9, until: on, wantMag: 2, wantUntil: on2},
		"extend adds":                    {effect: effect{magnitude: 2, durationMs: 100, stacking: stackExtend, maxMs: 9000}, magnitude: 9, until: on, wantMag: 9, wantUntil: on + 100},
		"extend ends at max_ms":          {effect: effect{magnitude: 20, durationMs: 8000, stacking: stackExtend, maxMs: 8000}, magnitude: 9, until: on, wantMag: 20, wantUntil: on2},
		"extend never shortens":          {effect: effect{magnitude: 2, durationMs: 100, stacking: stackExtend, maxMs: 100}, magnitude: 9, until: on, wantMag: 9, wantUntil: on},
		"stack adds":                     {effect: effect{magnitude: 2, durationMs: 8000, stacking: stackStack, maxMagnitude: 20}, magnitude: 9, until: on, wantMag: 11, wantUntil: on2},
		"stack ends at max_magnitude":    {effect: effect{magnitude: 2, durationMs: 100, stacking: stackStack, maxMagnitude: 10}, magnitude: 9, until: on, wantMag: 10, wantUntil: on},
		"stack never weakens":            {effect: effect{magnitude: 2, durationMs: 100, stacking: stackStack, maxMagnitude: 3}, magnitude: 9, until: on, wantMag: 9, wantUntil: on},
		"stack does not wrap":            {effect: effect{magnitude: 200, durationMs: 100, stacking: stackStack, maxMagnitude: 255}, magnitude: 200, until: on, wantMag: 255, wantUntil: on},
		"ignore changes nothing":         {effect: effect{magnitude: 2, durationMs: 8000, stacking: stackIgnore}, magnitude: 9, until: on, wantMag: 9, wantUntil: on, wantIgnored: true},
		"extend at the edge of 32 bits ": {effect: effect{magnitude: 1, durationMs: 1 << 30, stacking: stackExtend, maxMs: 1 << 30}, magnitude: 1, until: 1<<32 - 1, wantMag: 1, wantUntil: 1<<32 - 1},
	} {
		t.Run(name, func(t *testing.T) {
			test.effect.kind = pb.EffectKind_EFFECT_KIND_SPEED
			p, at := player{}, slot(test.effect.kind)
			p.until[at], p.magnitude[at] = test.until, test.magnitude
			if set := p.set(&test.effect, 1000); set == test.wantIgnored {
				t.Errorf("set: %v", set)
			}
			if p.until[at] != test.wantUntil || p.magnitude[at] != test.wantMag {
				t.Errorf("%d until %d, want %d until %d", p.magnitude[at], p.until[at], test.wantMag, test.wantUntil)
			}
		})
	}
}

func TestTargetsAreFixedBeforeTheFirstEffectResolves(t *testing.T) {
	ruleset := parsed(t, `
[[power_up]]
name = "whirl"
weight = 1
target = "area"
radius = 0
effects = [{ kind = "swap" }, { kind = "teleport" }, { kind = "cloak", duration_ms = 10, stacking = "refresh" }, { kind = "freeze", duration_ms = 10, stacking = "ignore" }]
`)
	g := sit(t, ruleset, 3)
	g.give(1, "whirl")
	wantImpacts(t, g.use(1, "whirl", 0),
		"2 SWAP APPLIED", "1 SWAP APPLIED", "3 SWAP APPLIED", "1 SWAP APPLIED",
		"2 TELEPORT APPLIED", "3 TELEPORT APPLIED",
		"2 CLOAK APPLIED", "3 CLOAK APPLIED",
		"2 FREEZE APPLIED", "3 FREEZE APPLIED")
}

func TestAViewTellsWhatIsOnAndWhatIsHeld(t *testing.T) {
	g := sit(t, classic(t), 2)
	g.give(1, "freeze_ray", "sprint", "sprint")
	g.use(1, "sprint", 0)
	g.use(1, "freeze_ray", 2)
	view := g.h.Player(1, g.at+1000)
	if len(view.GetInventory()) != 1 || view.GetInventory()[0].GetCount() != 1 || view.GetCooldownMs() != 4000 {
		t.Errorf("view %v", view)
	}
	if e := view.GetEffects(); len(e) != 1 || e[0].GetKind() != pb.EffectKind_EFFECT_KIND_SPEED || e[0].GetRemainingMs() != 7000 || e[0].GetMagnitude() != 3 {
		t.Errorf("effects %v", e)
	}
	if g.h.Player(9, g.at) != nil {
		t.Error("a view of a stranger")
	}
}
