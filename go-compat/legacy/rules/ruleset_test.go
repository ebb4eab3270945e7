package rules

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"treasurehunt.example/go-compat/rulesets"
)

// written are rulesets with what both engines say of them; the Rust engine reads
// them too.
const written = vectors + "rulesets"

// fault is where something is wrong.
type fault struct {
	Line int    `json:"line"`
	Key  string `json:"key"`
}

func faultsOf(err error) (faults []fault) {
	var wrong RulesetErrors
	if errors.As(err, &wrong) {
		for _, e := range wrong {
			faults = append(faults, fault{e.Line, e.Key})
		}
	}
	slices.SortFunc(faults, func(a, b fault) int { return cmp.Or(cmp.Compare(a.Line, b.Line), strings.Compare(a.Key, b.Key)) })
	return faults
}

func readVector(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestEachErrorNamesFileLineAndKey(t *testing.T) {
	var refused map[string][]fault
	readJSON(t, written+"/refused.json", &refused)
	files, err := filepath.Glob(written + "/refused/*.toml")
	if err != nil || len(files) != len(refused) {
		t.Fatalf("%d files, %d in refused.json: %v", len(files), len(refused), err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".toml")
		_, err := ParseRuleset("my.toml", readVector(t, file))
		if diff := gocmp.Diff(refused[name], faultsOf(err)); diff != "" {
			t.Errorf("%s: %v\n%s", name, err, diff)
		}
		if err != nil && !strings.HasPrefix(err.Error(), fmt.Sprintf("my.toml:%d: ", refused[name][0].Line)) {
			t.Errorf("%q does not begin with file and line", err)
		}
	}
}

func TestWhatTheRulesAllowIsTaken(t *testing.T) {
	files, err := filepath.Glob(written + "/accepted/*.toml")
	ours, _ := filepath.Glob("../../rulesets/*.toml")
	if err != nil || len(files) < 5 || len(ours) < 2 {
		t.Fatalf("%d and %d files: %v", len(files), len(ours), err)
	}
	for _, file := range slices.Concat(files, ours) {
		if _, err := ParseRuleset(file, readVector(t, file)); err != nil {
			t.Error(err)
		}
	}
}

func TestSizesAreBoundedAndComplaintsAreShort(t *testing.T) {
	const good = "[[power_up]]\nname = \"a\"\nweight = 1\ntarget = \"self\"\neffects = [{ kind = \"cleanse\" }]\n"
	padded := func(bytes int) string { return good + "#" + strings.Repeat("x", bytes-len(good)-1) }
	if _, err := ParseRuleset("my.toml", []byte(padded(MaxRulesetBytes))); err != nil {
		t.Error(err)
	}
	var many strings.Builder
	for n := range 5000 {
		fmt.Fprintf(&many, "key%d = 1\n", n)
	}
	for name, text := range map[string]string{
		"one byte more":  padded(MaxRulesetBytes + 1),
		"over 1 MiB":     padded(1<<20 + 1),
		"many keys":      many.String(),
		"a long key":     strings.Repeat("x", 60_000) + " = 1\n",
		"a long name":    strings.Replace(good, "a", strings.Repeat("a", 60_000), 1),
		"a huge number":  strings.Replace(good, "1", strings.Repeat("9", 60_000), 1),
		"a deep nesting": "x = " + strings.Repeat("[", 30_000) + strings.Repeat("]", 30_000),
	} {
		_, err := ParseRuleset("my.toml", []byte(text))
		if len(faultsOf(err)) == 0 || len(err.Error()) > 8<<10 {
			t.Errorf("%s: %.300v", name, err)
		}
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
