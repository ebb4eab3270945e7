package rules

import (
	"slices"
	"testing"

	"github.com/cespare/xxhash/v2"
	"google.golang.org/protobuf/proto"

	pb "treasurehunt.example/go-compat/gen/playerstatev1"
	"treasurehunt.example/go-compat/rulesets"
)

const startsAt = 1_700_000_000_000

func classic(t testing.TB) *Ruleset {
	t.Helper()
	ruleset, err := ParseRuleset("classic.toml", rulesets.Classic())
	if err != nil {
		t.Fatal(err)
	}
	return ruleset
}

func parsed(t testing.TB, text string) *Ruleset {
	t.Helper()
	ruleset, err := ParseRuleset("test.toml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return ruleset
}

// everything is the first of the golden snapshots: a hunt with something of
// everything, 30 s under way.
func everything(t *testing.T) *Hunt {
	file := &acceptedSnapshots{}
	readJSON(t, vectors+"snapshots/accepted.json", file)
	message := &pb.HuntSnapshot{}
	fromJSON(t, file.Accepted[0].Snapshot, message)
	h, err := Restore(message, classic(t))
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func TestAViewTellsWhatIsOnAndWhatIsHeld(t *testing.T) {
	h := everything(t)
	got := h.Player(1, h.LastAtMs())
	want := &pb.GetPlayerResponse{
		Player:    &pb.PlayerSummary{X: 3, Y: 4, Score: 120, Version: 7},
		Present:   true,
		Inventory: []*pb.Held{{PowerUp: "shield", Count: 1}, {PowerUp: "cloak", Count: 9}},
		Effects: []*pb.ActiveEffect{ // a FREEZE ran out a second ago
			{Kind: pb.EffectKind_EFFECT_KIND_SHIELD, Magnitude: 3, RemainingMs: 10_000},
			{Kind: pb.EffectKind_EFFECT_KIND_SPEED, Magnitude: 3, RemainingMs: 8_000},
		},
		CooldownMs: 1_000,
	}
	if !proto.Equal(got, want) {
		t.Errorf("view %v, want %v", got, want)
	}
	if h.Player(9, h.LastAtMs()) != nil {
		t.Error("a view of a stranger")
	}
}

func TestAHuntEndsAtItsTimeAtTheLatest(t *testing.T) {
	called, late := everything(t), everything(t)
	if at := called.EndsAtMs(); at != startsAt+100_000 {
		t.Errorf("ends at %d", at)
	}
	for h, at := range map[*Hunt]int64{called: startsAt + 40_000, late: startsAt + 200_000} {
		if first, err := h.End(at); err != nil || !first {
			t.Fatal(first, err)
		}
	}
	if called.EndsAtMs() != startsAt+40_000 || late.EndsAtMs() != startsAt+100_000 {
		t.Errorf("ended at %d and %d", called.EndsAtMs(), late.EndsAtMs())
	}
}

func TestTheBestAreAsManyAsAskedFor(t *testing.T) {
	snapshot := everything(t).Snapshot()
	snapshot.Players = nil
	for i, score := range []uint64{5, 50, 20, 50, 1} {
		snapshot.Players = append(snapshot.Players, &pb.PlayerSnapshot{PlayerId: uint64(i + 1), Score: score, Inventory: make([]uint32, 13)})
	}
	h, err := Restore(snapshot, classic(t))
	if err != nil {
		t.Fatal(err)
	}
	best := []uint64{2, 4, 3, 1, 5}
	for n := range 7 {
		var got []uint64
		for _, standing := range h.Standings(n) {
			got = append(got, standing.GetPlayerId())
		}
		if want := best[:min(n, 5)]; !slices.Equal(got, want) {
			t.Errorf("best %d: %v, want %v", n, got, want)
		}
	}
}

func TestSharesAreCountedIn128Bits(t *testing.T) {
	if got := share(1<<63, 100); got != 1<<63 {
		t.Errorf("all of 2^63 is %d", got)
	}
}

// wholeDigest is the digest by its definition, from a snapshot and nothing else.
func wholeDigest(s *pb.HuntSnapshot) uint64 {
	hash := func(seed uint64, m proto.Message) uint64 {
		bytes, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
		if err != nil {
			panic(err)
		}
		d := xxhash.NewWithSeed(seed)
		_, _ = d.Write(bytes)
		return d.Sum64()
	}
	head := proto.CloneOf(s)
	head.Epoch, head.Treasures, head.Caches, head.Players = 0, nil, nil, nil
	sum := hash(0, head)
	for _, p := range s.GetPlayers() {
		sum += hash(1, p)
	}
	for _, t := range s.GetTreasures() {
		sum += hash(2, t)
	}
	for _, c := range s.GetCaches() {
		sum += hash(3, c)
	}
	return sum
}
