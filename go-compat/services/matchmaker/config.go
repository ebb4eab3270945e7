package matchmaker

import (
	"errors"
	"time"

	pb "treasurehunt.example/go-compat/gen/playerstatev1"
	"treasurehunt.example/go-compat/playerstate"
	"treasurehunt.example/go-compat/services/matchmaker/matching"
	"treasurehunt.example/go-compat/services/program"
)

// Config is every bound and every choice of the matchmaker. [Config.Settings]
// gives the defaults.
type Config struct {
	TicketsMax         int           // open at once; as many are kept when done
	TicketExpiresAfter time.Duration // of searching
	FinishedKeep       time.Duration // how long tickets and hunts are shown when done

	Rules      matching.Rules
	MatchEvery time.Duration

	HuntsMax      int           // running at once; as many are kept when done
	PlacementsMax int           // groups whose hunts are being made, at once
	PlaceWithin   time.Duration // after it, a group goes back to searching
	EngineTimeout time.Duration // of one call of the Commander

	Width, Height, Treasures, Caches int
	Duration                         time.Duration
	Rulesets                         []string // that hunts play by, in turn
	Seed                             uint64   // 0: every hunt's seed is random
}

// Settings is the matchmaker's table of settings. Reading it fills c.
func (c *Config) Settings() []program.Setting {
	return []program.Setting{
		program.Int(&c.TicketsMax, "tickets-max", 10_000, "tickets open at once", program.Between(1, 100_000)),
		program.Duration(&c.TicketExpiresAfter, "ticket-expires-after", 5*time.Minute,
			"how long a ticket searches at most", program.Between(time.Second, time.Hour)),
		program.Duration(&c.FinishedKeep, "finished-keep", 10*time.Minute,
			"how long tickets and hunts are shown when they are done", program.Between(0, 24*time.Hour)),

		program.Int(&c.Rules.WindowInitial, "window-initial", 100, "how far in skill a new ticket looks", program.Between(0, SkillMax)),
		program.Int(&c.Rules.WindowGrowth, "window-growth", 25, "how much farther it looks each second", program.Between(0, SkillMax)),
		program.Int(&c.Rules.WindowMax, "window-max", 1000, "how far it looks at most", program.Between(0, SkillMax)),
		program.Duration(&c.Rules.RegionRelaxAfter, "region-relax-after", 20*time.Second,
			"after how long it takes other regions too", program.Between(0, time.Hour)),
		program.Int(&c.Rules.PartyMax, "party-players-max", 5, "players of one ticket", program.Between(1, 100)),
		program.Int(&c.Rules.PlayersMin, "hunt-players-min", 2, "players that a hunt starts with", program.Between(1, playerstate.MaxPlayers)),
		program.Int(&c.Rules.PlayersMax, "hunt-players-max", 25, "players that a hunt has room for", program.Between(1, playerstate.MaxPlayers)),
		program.Duration(&c.Rules.WaitMax, "hunt-wait-max", 10*time.Second,
			"after how long a hunt starts that is not full", program.Between(0, time.Hour)),
		program.Duration(&c.MatchEvery, "match-every", 250*time.Millisecond,
			"time between two looks at the tickets", program.Between(10*time.Millisecond, time.Minute)),

		program.Int(&c.HuntsMax, "hunts-max", 10_000, "hunts running at once", program.Between(1, 100_000)),
		program.Int(&c.PlacementsMax, "placements-max", 64, "hunts being made at once", program.Between(1, 1024)),
		program.Duration(&c.PlaceWithin, "place-within", 10*time.Second,
			"how long making a hunt may take before its players search on", program.Between(time.Second, time.Minute)),
		program.Duration(&c.EngineTimeout, "engine-timeout", time.Second,
			"how long one call of the engine may take", program.Between(10*time.Millisecond, 2*time.Second)),

		program.Int(&c.Width, "hunt-width", 64, "width of a hunt, in cells", program.Between(1, playerstate.MaxSideCells)),
		program.Int(&c.Height, "hunt-height", 64, "height of a hunt, in cells", program.Between(1, playerstate.MaxSideCells)),
		program.Int(&c.Treasures, "hunt-treasures", 400, "treasures of a hunt, at most half of its cells", program.Between(0, playerstate.MaxPlaced)),
		program.Int(&c.Caches, "hunt-caches", 300, "caches of a hunt, at most half of its cells", program.Between(0, playerstate.MaxPlaced)),
		program.Duration(&c.Duration, "hunt-duration", 10*time.Minute,
			"how long a hunt takes", program.Between(time.Second, playerstate.MaxDurationMs*time.Millisecond)),
		program.Strings(&c.Rulesets, "hunt-ruleset", []string{"classic"}, "ruleset of a hunt; may be given again, and hunts then take them in turn",
			program.Each(program.Given())),
		program.Uint64(&c.Seed, "seed", 0, "the hunts' seeds follow from it, so that they can be had again; 0 for random ones"),
	}
}

// Check looks at the settings that depend on one another.
func (c *Config) Check() error {
	if err := c.Rules.Check(); err != nil {
		return err
	}
	if len(c.Rulesets) == 0 {
		return errors.New("--hunt-ruleset must name one ruleset at least")
	}
	for _, ruleset := range c.Rulesets {
		if failure := playerstate.CheckSettings(c.huntSettings(0, ruleset)); failure != nil {
			return failure
		}
	}
	return nil
}

// huntSettings are the settings of a new hunt.
func (c *Config) huntSettings(seed uint64, ruleset string) *pb.HuntSettings {
	return &pb.HuntSettings{
		Seed:       seed,
		Width:      uint32(c.Width),
		Height:     uint32(c.Height),
		Treasures:  uint32(c.Treasures),
		Caches:     uint32(c.Caches),
		MaxPlayers: uint32(c.Rules.PlayersMax),
		DurationMs: uint64(c.Duration.Milliseconds()),
		Ruleset:    ruleset,
	}
}
