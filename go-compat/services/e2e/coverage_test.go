//go:build e2e

package e2e

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	pb "treasurehunt.example/go-compat/gen/playerstatev1"
)

// classicPowerUps are the names of classic.toml, each of which has to be seen in use.
var classicPowerUps = []string{
	"shield", "mirror", "freeze_ray", "blizzard", "sprint", "double_loot", "magnet",
	"cloak", "spyglass", "pickpocket", "switcheroo", "blink", "antidote",
}

// coverage counts what generated hunts met.
type coverage struct {
	verdicts   map[string]int
	rejections map[string]int
	used       map[string]int
	impacts    map[string]int // effect/result
	commands   int
	digests    int
}

func newCoverage() *coverage {
	return &coverage{
		verdicts: make(map[string]int), rejections: make(map[string]int),
		used: make(map[string]int), impacts: make(map[string]int),
	}
}

func (c *coverage) add(records []*pb.Record) {
	for _, record := range records {
		if record.GetDigest() != 0 {
			c.digests++
		}
		applied := record.GetApplied()
		if applied == nil {
			continue
		}
		c.commands++
		outcome := applied.GetOutcome()
		c.verdicts[outcome.GetVerdict().String()]++
		if outcome.GetVerdict() == pb.Verdict_VERDICT_REJECTED {
			c.rejections[outcome.GetRejection().String()]++
		}
		if use := applied.GetCommand().GetUsePowerUp(); use != nil && outcome.GetVerdict() == pb.Verdict_VERDICT_APPLIED {
			c.used[use.GetPowerUp()]++
		}
		for _, impact := range outcome.GetImpacts() {
			c.impacts[impact.GetEffect().String()+"/"+impact.GetResult().String()]++
		}
	}
}

// missing names what should have been met and was not.
func (c *coverage) missing() []string {
	var missing []string
	for n, name := range pb.Rejection_name {
		if n != 0 && c.rejections[name] == 0 {
			missing = append(missing, name)
		}
	}
	for _, name := range classicPowerUps {
		if c.used[name] == 0 {
			missing = append(missing, "power-up "+name)
		}
	}
	for n, name := range pb.EffectKind_name {
		if n != 0 && c.impacts[name+"/RESULT_APPLIED"] == 0 {
			missing = append(missing, "an applied "+name)
		}
	}
	for _, name := range []string{"VERDICT_APPLIED", "VERDICT_DUPLICATE", "VERDICT_REJECTED", "VERDICT_REFUSED"} {
		if c.verdicts[name] == 0 {
			missing = append(missing, name)
		}
	}
	slices.Sort(missing)
	return missing
}

func (c *coverage) String() string {
	var text strings.Builder
	fmt.Fprintf(&text, "%d commands, %d digests\n", c.commands, c.digests)
	for _, table := range []struct {
		name   string
		counts map[string]int
	}{{"verdicts", c.verdicts}, {"rejections", c.rejections}, {"power-ups used", c.used}, {"impacts", c.impacts}} {
		fmt.Fprintf(&text, "%s:", table.name)
		for _, key := range slices.Sorted(maps.Keys(table.counts)) {
			fmt.Fprintf(&text, " %s %d", key, table.counts[key])
		}
		fmt.Fprintln(&text)
	}
	return text.String()
}
