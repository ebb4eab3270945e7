package rules

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"treasurehunt.example/go-compat/rulesets"
)

// The lines of a good entry, and of a ruleset that has it at line 2 on.
const (
	goodHead = "name = \"a\"\nweight = 1\n"
	goodSelf = goodHead + "target = \"self\"\n"
)

func entry(lines string) string { return "# a ruleset\n[[power_up]]\n" + lines }

func TestEachErrorNamesFileLineAndKey(t *testing.T) {
	timed := func(effect string) string { return entry(goodSelf + "effects = [{ " + effect + " }]\n") }
	player := func(effect string) string {
		return entry(goodHead + "target = \"player\"\neffects = [{ " + effect + " }]\n")
	}
	const e0 = "power_up[0].effects[0]."
	for name, test := range map[string]struct {
		text string
		line int
		key  string
	}{
		"no TOML":                          {"[[power_up]", 1, ""},
		"no power-up":                      {"", 1, "power_up"},
		"17 power-ups":                     {strings.Repeat("[[power_up]]\n", 17), 1, "power_up"},
		"over 64 KiB":                      {"#" + strings.Repeat("x", MaxRulesetBytes), 1, ""},
		"unknown key":                      {entry("nmae = \"a\"\n"), 3, "power_up.nmae"},
		"doubled key":                      {entry("name = \"a\"\nname = \"b\"\n"), 4, "name"},
		"a key of the wrong type":          {entry("weight = \"x\"\n"), 3, "power_up.weight"},
		"a number that is no integer":      {entry("weight = 1.5\n"), 3, "power_up.weight"},
		"no name":                          {entry("weight = 1\ntarget = \"self\"\neffects = [{ kind = \"cleanse\" }]\n"), 2, "power_up[0].name"},
		"a name of other letters":          {entry("name = \"Ä\"\nweight = 1\ntarget = \"self\"\neffects = [{ kind = \"cleanse\" }]\n"), 3, "power_up[0].name"},
		"a name of 33":                     {entry("name = \"" + strings.Repeat("a", 33) + "\"\nweight = 1\ntarget = \"self\"\neffects = [{ kind = \"cleanse\" }]\n"), 3, "power_up[0].name"},
		"a name twice":                     {timed(`kind = "cleanse"`) + "[[power_up]]\n" + goodSelf + "effects = [{ kind = \"cleanse\" }]\n", 8, "power_up[1].name"},
		"no weight":                        {entry("name = \"a\"\ntarget = \"self\"\neffects = [{ kind = \"cleanse\" }]\n"), 2, "power_up[0].weight"},
		"a weight of 0 throughout":         {entry("name = \"a\"\nweight = 0\ntarget = \"self\"\neffects = [{ kind = \"cleanse\" }]\n"), 4, "power_up[0].weight"},
		"a sum of weights over 2^32":       {entry("name = \"a\"\nweight = 4294967296\ntarget = \"self\"\neffects = [{ kind = \"cleanse\" }]\n[[power_up]]\nname = \"b\"\nweight = 1\ntarget = \"self\"\neffects = [{ kind = \"cleanse\" }]\n"), 9, "power_up[1].weight"},
		"no target":                        {entry(goodHead + "effects = [{ kind = \"cleanse\" }]\n"), 2, "power_up[0].target"},
		"an unknown target":                {entry(goodHead + "target = \"all\"\neffects = [{ kind = \"cleanse\" }]\n"), 5, "power_up[0].target"},
		"no effect":                        {entry(goodSelf), 2, "power_up[0].effects"},
		"5 effects":                        {entry(goodSelf + "effects = [" + strings.Repeat(`{ kind = "cleanse" }, `, 5) + "]\n"), 6, "power_up[0].effects"},
		"an unknown kind":                  {timed(`kind = "nap"`), 6, e0 + "kind"},
		"a duration on an instant kind":    {timed(`kind = "cleanse", duration_ms = 1`), 6, e0 + "duration_ms"},
		"no duration on a timed one":       {timed(`kind = "cloak", stacking = "refresh"`), 6, e0 + "duration_ms"},
		"a duration of 0":                  {timed(`kind = "cloak", stacking = "refresh", duration_ms = 0`), 6, e0 + "duration_ms"},
		"a duration over 2^30":             {timed(`kind = "cloak", stacking = "refresh", duration_ms = 1073741825`), 6, e0 + "duration_ms"},
		"a cooldown over 2^30":             {entry(goodSelf + "cooldown_ms = 1073741825\neffects = [{ kind = \"cleanse\" }]\n"), 6, "power_up[0].cooldown_ms"},
		"a negative cooldown":              {entry(goodSelf + "cooldown_ms = -1\neffects = [{ kind = \"cleanse\" }]\n"), 6, "power_up[0].cooldown_ms"},
		"no stacking":                      {timed(`kind = "cloak", duration_ms = 1`), 6, e0 + "stacking"},
		"an unknown stacking":              {timed(`kind = "cloak", duration_ms = 1, stacking = "pile"`), 6, e0 + "stacking"},
		"extend without max_ms":            {timed(`kind = "cloak", duration_ms = 1, stacking = "extend"`), 6, e0 + "max_ms"},
		"stack without max_magnitude":      {timed(`kind = "cloak", duration_ms = 1, stacking = "stack"`), 6, e0 + "max_magnitude"},
		"a duration over max_ms":           {timed(`kind = "cloak", duration_ms = 2, stacking = "extend", max_ms = 1`), 6, e0 + "duration_ms"},
		"a magnitude over max_magnitude":   {timed(`kind = "speed", magnitude = 3, duration_ms = 2, stacking = "stack", max_magnitude = 2`), 6, e0 + "magnitude"},
		"a magnitude over 255":             {timed(`kind = "loot", magnitude = 256, duration_ms = 2, stacking = "refresh"`), 6, e0 + "magnitude"},
		"a max_magnitude over 255":         {timed(`kind = "loot", magnitude = 1, duration_ms = 2, stacking = "stack", max_magnitude = 256`), 6, e0 + "max_magnitude"},
		"MAGNET over 16":                   {timed(`kind = "magnet", magnitude = 17, duration_ms = 2, stacking = "refresh"`), 6, e0 + "magnitude"},
		"REVEAL over 16":                   {timed(`kind = "reveal", magnitude = 17`), 6, e0 + "magnitude"},
		"STEAL over 100":                   {player(`kind = "steal", magnitude = 101`), 6, e0 + "magnitude"},
		"SHIELD without a charge":          {timed(`kind = "shield", duration_ms = 2, stacking = "refresh"`), 6, e0 + "magnitude"},
		"SPEED 0":                          {timed(`kind = "speed", magnitude = 0, duration_ms = 2, stacking = "refresh"`), 6, e0 + "magnitude"},
		"a hostile effect on oneself":      {timed(`kind = "swap"`), 6, e0 + "kind"},
		"REVEAL on another":                {player(`kind = "reveal", magnitude = 1`), 6, e0 + "kind"},
		"two REVEALs":                      {timed("kind = \"reveal\", magnitude = 1 },\n { kind = \"reveal\", magnitude = 1"), 7, "power_up[0].effects[1].kind"},
		"a radius without an area":         {entry(goodSelf + "radius = 1\neffects = [{ kind = \"cleanse\" }]\n"), 6, "power_up[0].radius"},
		"an effect of its own table":       {entry(goodSelf + "[[power_up.effects]]\nkind = \"cleanse\"\n[[power_up.effects]]\nkind = \"nap\"\n"), 9, "power_up[0].effects[1].kind"},
		"a key written with dots":          {entry(goodSelf + "effects = [{ kind = \"cleanse\" }]\nx.y = 1\n"), 7, "power_up.x.y"},
		"a table that is no part of rules": {entry(goodSelf+"effects = [{ kind = \"cleanse\" }]\n") + "[other]\n", 7, "other"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := ParseRuleset("my.toml", []byte(test.text))
			var wrong *RulesetError
			if !errors.As(err, &wrong) {
				t.Fatalf("got %v, want a RulesetError", err)
			}
			if wrong.File != "my.toml" || wrong.Line != test.line || wrong.Key != test.key {
				t.Errorf("got %q, want line %d, key %s", err, test.line, test.key)
			}
			if !strings.HasPrefix(err.Error(), fmt.Sprintf("my.toml:%d: ", test.line)) {
				t.Errorf("%q does not begin with file and line", err)
			}
		})
	}
}

func TestAllThatIsWrongIsToldAtOnce(t *testing.T) {
	_, err := ParseRuleset("my.toml", []byte(entry("name = \"A\"\nweight = -1\ntarget = \"self\"\neffects = []\n")))
	if n := strings.Count(err.Error(), "\n") + 1; n < 3 {
		t.Errorf("%d problems told: %v", n, err)
	}
}

func TestTheClassicRulesetIsTheTableOfTheRules(t *testing.T) {
	r := classic(t)
	want := map[string]string{ // name: weight, target, reach, cooldown, effects, usable while frozen
		"shield":      "12 self 0 0 [SHIELD 1 10000 stack 0 3] false",
		"mirror":      "6 self 0 0 [REFLECT 0 5000 refresh 0 0] false",
		"freeze_ray":  "10 player 8 5000 [FREEZE 0 3000 ignore 0 0] false",
		"blizzard":    "4 area 3 10000 [FREEZE 0 2000 ignore 0 0] false",
		"sprint":      "12 self 0 0 [SPEED 3 8000 extend 24000 0] false",
		"double_loot": "8 self 0 0 [LOOT 200 15000 extend 45000 0] false",
		"magnet":      "8 self 0 0 [MAGNET 2 20000 refresh 0 0] false",
		"cloak":       "6 self 0 0 [CLOAK 0 10000 refresh 0 0] false",
		"spyglass":    "12 self 0 1000 [REVEAL 6 0 - 0 0] false",
		"pickpocket":  "6 player 2 5000 [STEAL 20 0 - 0 0] false",
		"switcheroo":  "4 player 10 5000 [SWAP 0 0 - 0 0] false",
		"blink":       "8 self 0 2000 [TELEPORT 0 0 - 0 0] false",
		"antidote":    "4 self 0 0 [CLEANSE 0 0 - 0 0] true",
	}
	if len(r.powerUps) != len(want) || r.weightSum != 100 {
		t.Errorf("%d power-ups of weight %d, want 13 of 100", len(r.powerUps), r.weightSum)
	}
	for _, p := range r.powerUps {
		if got := describe(&p); got != want[p.name] {
			t.Errorf("%s: %s, want %s", p.name, got, want[p.name])
		}
	}
}

func describe(p *powerUp) string {
	targetNames := map[target]string{targetSelf: "self", targetPlayer: "player", targetArea: "area"}
	stackingNames := map[stacking]string{0: "-", stackRefresh: "refresh", stackExtend: "extend", stackStack: "stack", stackIgnore: "ignore"}
	var effects []string
	for _, e := range p.effects {
		effects = append(effects, fmt.Sprint(e.kind.String()[len("EFFECT_KIND_"):], " ", e.magnitude, " ", e.durationMs, " ", stackingNames[e.stacking], " ", e.maxMs, " ", e.maxMagnitude))
	}
	return fmt.Sprint(p.weight, " ", targetNames[p.target], " ", p.reach, " ", p.cooldownMs, " ", effects, " ", p.usableWhenFrozen)
}

func TestAHashIsThatOfTheFilesBytes(t *testing.T) {
	a, b := classic(t), parsed(t, string(rulesets.Classic())+"\n# a word\n")
	if a.Hash() == b.Hash() || len(a.Hash()) != 64 {
		t.Errorf("hashes %s and %s", a.Hash(), b.Hash())
	}
}

func FuzzParseRuleset(f *testing.F) {
	f.Add(rulesets.Classic())
	f.Add([]byte("[[power_up]]\nname='a'\neffects=[{kind='steal'}]"))
	f.Fuzz(func(t *testing.T, data []byte) {
		ruleset, err := ParseRuleset("f.toml", data)
		if (ruleset == nil) == (err == nil) {
			t.Fatalf("%v and %v", ruleset, err)
		}
	})
}
