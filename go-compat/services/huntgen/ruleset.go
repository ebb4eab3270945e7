package huntgen

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// randomRuleset is a valid ruleset of 1 to 16 power-ups, with any effect and stacking
// that RULES allows, so that the engines are compared on what classic.toml
// does not have as well.
func randomRuleset(random *rand.Rand, powerUps int) []byte {
	var text strings.Builder
	for i := range powerUps {
		writePowerUp(&text, random, i)
	}
	return []byte(text.String())
}

func writePowerUp(text *strings.Builder, random *rand.Rand, i int) {
	target := []string{"self", "player", "area"}[random.IntN(3)]
	fmt.Fprintf(text, "[[power_up]]\nname = \"p%d\"\nweight = %d\ntarget = %q\n", i, 1+random.IntN(20), target)
	switch target {
	case "player":
		fmt.Fprintf(text, "range = %d\n", random.IntN(6))
	case "area":
		fmt.Fprintf(text, "radius = %d\n", random.IntN(5))
	}
	if random.IntN(2) == 0 {
		fmt.Fprintf(text, "cooldown_ms = %d\n", random.IntN(4000))
	}
	if random.IntN(4) == 0 {
		text.WriteString("usable_while_frozen = true\n")
	}
	text.WriteString("effects = [\n")
	revealed := false
	for range 1 + random.IntN(4) {
		kind := randomKind(random, target, revealed)
		revealed = revealed || kind == "reveal"
		fmt.Fprintf(text, "  { kind = %q%s },\n", kind, effectKeys(random, kind))
	}
	text.WriteString("]\n\n")
}

// randomKind keeps to the pairs of kind and target that are allowed.
func randomKind(random *rand.Rand, target string, revealed bool) string {
	kinds := []string{"shield", "reflect", "speed", "loot", "magnet", "cloak", "teleport", "cleanse"}
	if target != "self" {
		kinds = append(kinds, "freeze", "steal", "swap", "freeze", "steal", "swap")
	} else if !revealed {
		kinds = append(kinds, "reveal")
	}
	return kinds[random.IntN(len(kinds))]
}

// effectKeys are the keys behind kind.
func effectKeys(random *rand.Rand, kind string) string {
	switch kind {
	case "swap", "teleport", "cleanse":
		return ""
	case "steal":
		return fmt.Sprintf(", magnitude = %d", random.IntN(101))
	case "reveal":
		return fmt.Sprintf(", magnitude = %d", random.IntN(17))
	}
	magnitude := map[string]int{
		"shield": 1 + random.IntN(4), "speed": 1 + random.IntN(5), "loot": random.IntN(256), "magnet": random.IntN(5),
	}[kind]
	keys := ""
	if magnitude > 0 {
		keys += fmt.Sprintf(", magnitude = %d", magnitude)
	}
	duration := 1 + random.IntN(6000)
	keys += fmt.Sprintf(", duration_ms = %d", duration)
	switch stacking := []string{"refresh", "extend", "stack", "ignore"}[random.IntN(4)]; stacking {
	case "extend":
		keys += fmt.Sprintf(`, stacking = "extend", max_ms = %d`, duration+random.IntN(3*duration))
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

// names lists the power-ups of a ruleset, well formed as it is known to be.
func names(ruleset []byte) []string {
	var found []string
	for line := range strings.Lines(string(ruleset)) {
		var name string
		if n, _ := fmt.Sscanf(line, "name = %q", &name); n == 1 {
			found = append(found, name)
		}
	}
	return found
}
