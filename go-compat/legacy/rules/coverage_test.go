package rules

import (
	"maps"
	"slices"
	"strings"
	"testing"

	pb "treasurehunt.example/go-compat/gen/playerstatev1"
)

// promises are what the outcomes alone do not tell that an example shows: each is
// the "shows" of one at least.
const promises = `
a stamp that falls; a stamp equal to the last; a rejection moves no time; a slot that ran out stays; seed 0; seed 2^64 - 1
SHIELD off at equality; REFLECT off at equality; FREEZE off at equality; SPEED off at equality; LOOT off at equality
MAGNET off at equality; CLOAK off at equality; cooldown off at equality; duration end at equality; the largest map

a hunt as it is drawn; a wrapping cell; treasure and cache in one cell; weights; weights of 2^32; settings as given
EndHunt; EndHunt twice; EndHunt after the time; EndHunt at the full time; the end is recorded before the first HUNT_ENDED
standings count who left; ties by the smaller id; the best 100

hunt_id before player_id; player_id before request_id; request_id before action; no action; power_up empty
hunt_id of 64 bytes; hunt_id of 65 bytes; power_up of 32 bytes; power_up of 33 bytes
INVALID before UNKNOWN_HUNT; UNKNOWN_HUNT before STALE_EPOCH; STALE_EPOCH before DUPLICATE; the epoch of the owner
INVALID before the end; STALE_EPOCH before the end; DUPLICATE before HUNT_ENDED; REQUEST_TOO_OLD before HUNT_ENDED
DUPLICATE before NOT_JOINED; REQUEST_TOO_OLD before NOT_JOINED; DUPLICATE before VERSION_MISMATCH
HUNT_ENDED before NOT_JOINED; HUNT_ENDED before VERSION_MISMATCH; NOT_JOINED before VERSION_MISMATCH
VERSION_MISMATCH before HUNT_FULL; VERSION_MISMATCH before OUT_OF_BOUNDS; VERSION_MISMATCH before FROZEN
VERSION_MISMATCH before NOTHING_HERE; VERSION_MISMATCH before UNKNOWN_POWER_UP
the 4 largest remembered; too old when 4 are remembered; 3 remembered; an id within the window; request ids of two players
requests in any order; a rejection is not remembered; version of the user alone; a player not known; the largest version

join while present; join while present and full; max_players present; twice max_players ever joined
one less than twice max_players; join draws x then y; players ascend in a snapshot; leave; come back; who left is out of reach
OUT_OF_BOUNDS before FROZEN; FROZEN before TOO_FAR; bounds at the edge; TOO_FAR at the edge; TOO_FAR at the edge with SPEED
a move to the own cell; FROZEN before NOTHING_HERE; a treasure is taken once; 64 treasures dug; radius at equality
a magnet at the edge of the map; LOOT rounded down; LOOT of 0 percent; digging ends CLOAK; an effect that is past ends
FROZEN before INVENTORY_FULL; a cache is taken once; picking up keeps CLOAK; 9 of a kind

NOT_HELD before ON_COOLDOWN; ON_COOLDOWN before FROZEN; FROZEN before INVALID_TARGET; INVALID_TARGET before TARGET_HIDDEN
TARGET_HIDDEN before OUT_OF_RANGE; usable_while_frozen; a cooldown and usable_while_frozen; cooldown at equality
target self; target player; target area; the target is oneself, absent, unknown or nobody; range 0; radius 0
range at equality; an area at equality of its radius; an area by ascending id; an area that reaches nobody; 64 targets
an item is spent once; a hostile use ends CLOAK; targets are fixed; effects in ruleset order

a charge is spent; the last charge; a mirror is spent; REFLECT before SHIELD; a reflected effect is blocked
the author's last charge; never turned twice; defences that ran out; a charge is spent where the effect is ignored
a REFLECT is spent where the effect is ignored; asked anew for each effect; asked anew for each target; what is not hostile
STEAL rounded down; STEAL of 0; STEAL of 100 percent; STEAL of 2^53; STEAL reflected; STEAL blocked
STEAL reflected and blocked; SWAP reflected; SWAP blocked; 64 treasures revealed; REVEAL at equality of its radius
an instant effect that found nothing

stacking refresh off; stacking refresh on; stacking refresh past; refresh keeps the later end; refresh takes the later end
stacking extend off; stacking extend on; stacking extend past; extend takes the larger magnitude; extend up to max_ms
extend at max_ms; extend never before the old end; extend at the longest
stacking stack off; stacking stack on; stacking stack past; stack takes the later end; stack up to max_magnitude
stack never under the old; stack up to 255; stacking ignore off; stacking ignore on; stacking ignore past
a magnitude of 0; the longest duration`

func TestTheExamplesShowEveryRule(t *testing.T) {
	shown := make(map[string]int)
	for _, promise := range wanted(t) {
		shown[promise] = 0
	}
	for _, s := range sections(t) {
		for _, x := range s.Examples {
			for _, promise := range x.shows(t) {
				if _, known := shown[promise]; !known {
					t.Errorf("%q shows %q, which nobody asks for", x.Name, promise)
				}
				shown[promise]++
			}
		}
	}
	for _, promise := range slices.Sorted(maps.Keys(shown)) {
		t.Logf("%4d  %s", shown[promise], promise)
		if shown[promise] == 0 {
			t.Errorf("no example shows %s", promise)
		}
	}
}

// wanted is what the examples have to show: each word of the schema that an engine
// alone can answer, each power-up of classic.toml, and the promises.
func wanted(t *testing.T) []string {
	all := strings.FieldsFunc(promises, func(r rune) bool { return r == '\n' || r == ';' })
	for i := range all {
		all[i] = strings.TrimSpace(all[i])
	}
	for _, action := range []string{"join", "leave", "move", "dig", "pick_up", "use_power_up"} {
		all = append(all, action+" APPLIED", action+" REJECTED", action+" DUPLICATE")
	}
	for n, name := range pb.Rejection_name {
		if n != 0 {
			all = append(all, name)
		}
	}
	for _, reason := range []string{"UNKNOWN_HUNT", "STALE_EPOCH", "REQUEST_TOO_OLD"} {
		all = append(all, "REASON_"+reason)
	}
	for _, field := range []string{"hunt_id", "player_id", "request_id", "action", "power_up"} {
		all = append(all, "REASON_INVALID "+field)
	}
	for n := range pb.EffectKind_name {
		if kind := pb.EffectKind(n); n != 0 {
			for _, result := range results(kind) {
				all = append(all, kind.String()+" "+result.String())
			}
		}
	}
	for _, p := range classic(t).powerUps {
		all = append(all, "use of "+p.name)
	}
	return all
}

// results are those that an effect of a kind can have.
func results(kind pb.EffectKind) []pb.Impact_Result {
	all := []pb.Impact_Result{pb.Impact_RESULT_APPLIED}
	if isHostile(kind) {
		all = append(all, pb.Impact_RESULT_BLOCKED, pb.Impact_RESULT_REFLECTED)
	}
	if isTimed(kind) {
		all = append(all, pb.Impact_RESULT_IGNORED)
	}
	return all
}

func (x *example) shows(t *testing.T) []string {
	shown := slices.Clone(x.Shows)
	for _, s := range x.Steps {
		if s.Command == nil {
			continue
		}
		cmd, outcome := &pb.Command{}, &pb.Outcome{}
		fromJSON(t, s.Command, cmd)
		if s.Outcome != nil {
			fromJSON(t, s.Outcome, outcome)
		}
		shown = append(shown, x.showsAnswer(cmd, outcome)...)
	}
	return shown
}

func (x *example) showsAnswer(cmd *pb.Command, outcome *pb.Outcome) (shown []string) {
	m := cmd.ProtoReflect()
	action := m.WhichOneof(m.Descriptor().Oneofs().ByName("action"))
	switch outcome.GetVerdict() {
	case pb.Verdict_VERDICT_APPLIED:
		shown = append(shown, string(action.Name())+" APPLIED")
		if use := cmd.GetUsePowerUp(); use != nil && x.Ruleset == nil {
			shown = append(shown, "use of "+use.GetPowerUp())
		}
	case pb.Verdict_VERDICT_DUPLICATE:
		shown = append(shown, string(action.Name())+" DUPLICATE")
	case pb.Verdict_VERDICT_REJECTED:
		shown = append(shown, string(action.Name())+" REJECTED", outcome.GetRejection().String())
	case pb.Verdict_VERDICT_REFUSED:
		why := outcome.GetRefusal()
		shown = append(shown, strings.TrimSpace(why.GetReason().String()+" "+why.GetDetail()))
	}
	for _, i := range outcome.GetImpacts() {
		shown = append(shown, i.GetEffect().String()+" "+i.GetResult().String())
	}
	return shown
}
