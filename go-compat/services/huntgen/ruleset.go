package huntgen

import (
	"fmt"
	"math/rand/v2"
	"strings"

	"github.com/pelletier/go-toml/v2"
)

// lasting says how long effects and cooldowns are.
type lasting int

const (
	brief    lasting = iota // a few seconds, as players meet them
	timeless                // the longest there is: longer than any generated hunt
)

const longestMs = 1 << 30

// randomRuleset is a valid ruleset of so many power-ups, and more behind them, with any
// effect and stacking that RULES allows, so that the engines are compared on what
// classic.toml does not have as well.
func randomRuleset(random *rand.Rand, lasts lasting, powerUps int, more ...string) []byte {
	var text strings.Builder
	for i := range powerUps {
		writePowerUp(&text, random, i, lasts)
	}
	for _, entry := range more {
		text.WriteString(entry)
	}
	return []byte(text.String())
}

// wideArea is an entry of a ruleset that reaches everybody on a small map.
const wideArea = `[[power_up]]
name = "earthquake"
weight = 60
target = "area"
radius = 8
effects = [{ kind = "teleport" }, { kind = "freeze", duration_ms = 900, stacking = "refresh" }]
`

func writePowerUp(text *strings.Builder, random *rand.Rand, i int, lasts lasting) {
	target := []string{"self", "player", "area"}[random.IntN(3)]
	fmt.Fprintf(text, "[[power_up]]\nname = \"p%d\"\nweight = %d\ntarget = %q\n", i, 1+random.IntN(20), target)
	switch target {
	case "player":
		fmt.Fprintf(text, "range = %d\n", random.IntN(6))
	case "area":
		fmt.Fprintf(text, "radius = %d\n", random.IntN(5))
	}
	if random.IntN(2) == 0 {
		cooldown := random.IntN(4000)
		if lasts == timeless { // most have none, or nobody would use a second one
			cooldown = longestMs * (random.IntN(8) / 7)
		}
		fmt.Fprintf(text, "cooldown_ms = %d\n", cooldown)
	}
	if random.IntN(4) == 0 {
		text.WriteString("usable_while_frozen = true\n")
	}
	text.WriteString("effects = [\n")
	revealed := false
	for range 1 + random.IntN(4) {
		kind := randomKind(random, target, revealed)
		revealed = revealed || kind == "reveal"
		fmt.Fprintf(text, "  { kind = %q%s },\n", kind, effectKeys(random, kind, lasts))
	}
	text.WriteString("]\n\n")
}

// randomKind keeps to the pairs of kind and target that are allowed.
func randomKind(random *rand.Rand, target string, revealed bool) string {
	kinds := []string{"shield", "reflect", "speed", "loot", "magnet", "cloak", "teleport", "cleanse"}
	if target != "self" {
		kinds = append(kinds, "freeze", "steal", "swap", "freeze", "steal", "swap")
	} else {
		kinds = append(kinds, "shield", "reflect") // what hostile effects meet
		if !revealed {
			kinds = append(kinds, "reveal")
		}
	}
	return kinds[random.IntN(len(kinds))]
}

// effectKeys are the keys behind kind.
func effectKeys(random *rand.Rand, kind string, lasts lasting) string {
	switch kind {
	case "swap", "teleport", "cleanse":
		return ""
	case "steal":
		return fmt.Sprintf(", magnitude = %d", random.IntN(101))
	case "reveal":
		return fmt.Sprintf(", magnitude = %d", random.IntN(17))
	}
	magnitude := map[string]int{
		"shield": 1 + random.IntN(4), "speed": 1 + random.IntN(5), "loot": random.IntN(256), "magnet": random.IntN(1 + random.IntN(17)),
	}[kind]
	keys := ""
	if magnitude > 0 {
		keys += fmt.Sprintf(", magnitude = %d", magnitude)
	}
	duration := 1 + random.IntN([]int{2000, 20_000}[random.IntN(2)])
	longest := duration + random.IntN(3*duration)
	if lasts == timeless {
		duration, longest = longestMs, longestMs
	}
	keys += fmt.Sprintf(", duration_ms = %d", duration)
	switch stacking := []string{"refresh", "extend", "stack", "ignore"}[random.IntN(4)]; stacking {
	case "extend":
		keys += fmt.Sprintf(`, stacking = "extend", max_ms = %d`, longest)
	case "stack":
		ceiling := 255
		if kind == "magnet" {
			ceiling = 16
		}
		keys += fmt.Sprintf(`, stacking = "stack", max_magnitude = %d`, min(ceiling, magnitude+random.IntN(4)))
	default:
		keys += fmt.Sprintf(", stacking = %q", stacking)
	}
	return keys
}

// powerUp is what a player knows of one.
type powerUp struct {
	Name   string `toml:"name"`
	Target string `toml:"target"`
}

func powerUpsOf(ruleset []byte) ([]powerUp, error) {
	var file struct {
		PowerUps []powerUp `toml:"power_up"`
	}
	err := toml.Unmarshal(ruleset, &file)
	return file.PowerUps, err
}
