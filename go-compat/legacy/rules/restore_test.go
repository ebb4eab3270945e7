package rules

import (
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	pb "treasurehunt.example/go-compat/gen/playerstatev1"
)

func TestASnapshotThatNoHuntCanHaveComeToIsRefused(t *testing.T) {
	g := sit(t, classic(t), 3)
	g.bury(1, 1, 10)
	g.hide(2, 2, "blink")
	g.give(1, "shield")
	g.use(1, "shield", 0)
	good := g.h.Snapshot()
	good.Settings.Treasures, good.Settings.Caches = 2, 2
	if _, err := Restore(good, g.h.ruleset); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		spoil func(*pb.HuntSnapshot)
		names string
	}{
		"another format":            {func(s *pb.HuntSnapshot) { s.Format = 2 }, "format"},
		"another rules version":     {func(s *pb.HuntSnapshot) { s.RulesVersion = 2 }, "rules_version"},
		"another ruleset":           {func(s *pb.HuntSnapshot) { s.RulesetHash = "00" }, "ruleset_hash"},
		"no sequence":               {func(s *pb.HuntSnapshot) { s.Sequence = 0 }, "sequence"},
		"a stamp before the start":  {func(s *pb.HuntSnapshot) { s.LastAtMs = 0 }, "last_at_ms"},
		"a hunt_id out of syntax":   {func(s *pb.HuntSnapshot) { s.HuntId = "\n" }, "hunt_id"},
		"settings out of bounds":    {func(s *pb.HuntSnapshot) { s.Settings.Width = 0 }, "settings.width"},
		"a treasure off the board":  {func(s *pb.HuntSnapshot) { s.Treasures[0].X = 20 }, "treasures[0]"},
		"a treasure twice":          {func(s *pb.HuntSnapshot) { s.Treasures = append(s.Treasures, s.Treasures[0]) }, "treasures[1]"},
		"more than was placed":      {func(s *pb.HuntSnapshot) { s.Settings.Treasures = 0 }, "treasures"},
		"a cache of nothing":        {func(s *pb.HuntSnapshot) { s.Caches[0].PowerUp = 13 }, "caches[0]"},
		"a player twice":            {func(s *pb.HuntSnapshot) { s.Players[1].PlayerId = 1 }, "players[1]"},
		"player 0":                  {func(s *pb.HuntSnapshot) { s.Players[0].PlayerId = 0 }, "players[0]"},
		"a player off the board":    {func(s *pb.HuntSnapshot) { s.Players[0].Y = 20 }, "players[0]"},
		"scores over 2^53":          {func(s *pb.HuntSnapshot) { s.Players[0].Score, s.Players[1].Score = 1<<53, 1 }, "players[1]"},
		"too many present":          {func(s *pb.HuntSnapshot) { s.Settings.MaxPlayers = 2 }, "players"},
		"pockets of another kind":   {func(s *pb.HuntSnapshot) { s.Players[0].Inventory = nil }, "players[0]"},
		"ten of a kind":             {func(s *pb.HuntSnapshot) { s.Players[0].Inventory[0] = 10 }, "players[0]"},
		"an instant effect kept":    {func(s *pb.HuntSnapshot) { s.Players[0].Effects[0].Kind = pb.EffectKind_EFFECT_KIND_STEAL }, "players[0]"},
		"a shield without a charge": {func(s *pb.HuntSnapshot) { s.Players[0].Effects[0].Magnitude = 0 }, "players[0]"},
		"five remembered":           {func(s *pb.HuntSnapshot) { s.Players[0].Remembered = make([]*pb.Remembered, 5) }, "players[0]"},
		"a request of the future":   {func(s *pb.HuntSnapshot) { s.Players[0].Remembered[0].Sequence = 99 }, "players[0]"},
	} {
		t.Run(name, func(t *testing.T) {
			bad := proto.CloneOf(good)
			test.spoil(bad)
			_, err := Restore(bad, g.h.ruleset)
			if err == nil || !strings.Contains(err.Error(), test.names) {
				t.Errorf("got %v, want one that names %s", err, test.names)
			}
		})
	}
}
