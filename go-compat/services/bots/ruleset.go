package bots

import (
	"fmt"
	"time"

	"github.com/pelletier/go-toml/v2"
)

// Ruleset is what players know of a ruleset: its power-ups by name.
type Ruleset map[string]powerUp

// powerUp is what a player has to know of one entry.
type powerUp struct {
	target   string // self, player or area
	reach    int    // cells, of a player power-up; 0 is anywhere
	cooldown time.Duration
	thaws    bool // usable while frozen
}

// ParseRuleset reads a ruleset file, which the engines have found good.
func ParseRuleset(text []byte) (Ruleset, error) {
	var file struct {
		PowerUps []struct {
			Name              string `toml:"name"`
			Target            string `toml:"target"`
			Range             int    `toml:"range"`
			CooldownMs        int64  `toml:"cooldown_ms"`
			UsableWhileFrozen bool   `toml:"usable_while_frozen"`
		} `toml:"power_up"`
	}
	if err := toml.Unmarshal(text, &file); err != nil {
		return nil, fmt.Errorf("ruleset: %w", err)
	}
	ruleset := make(Ruleset)
	for _, entry := range file.PowerUps {
		ruleset[entry.Name] = powerUp{
			target:   entry.Target,
			reach:    entry.Range,
			cooldown: time.Duration(entry.CooldownMs) * time.Millisecond,
			thaws:    entry.UsableWhileFrozen,
		}
	}
	return ruleset, nil
}
