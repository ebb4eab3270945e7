package legacy

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"treasurehunt.example/go-compat/legacy/rules"
	"treasurehunt.example/go-compat/rulesets"
)

// defaultRuleset is the one of hunts that name none.
const defaultRuleset = "classic"

// Rulesets are the rulesets of new hunts, by name.
type Rulesets map[string]*rules.Ruleset

// BuiltInRulesets has "classic", as the build carries it.
func BuiltInRulesets() Rulesets {
	classic, err := rules.ParseRuleset(defaultRuleset+".toml", rulesets.Classic())
	if err != nil {
		panic("legacy: the ruleset that this build carries is wrong: " + err.Error())
	}
	return Rulesets{defaultRuleset: classic}
}

// LoadRulesets reads each NAME.toml of a directory as ruleset NAME, beside the
// built-in ones, which it may replace. It fails at the first file that is wrong.
func LoadRulesets(dir string) (Rulesets, error) {
	all := BuiltInRulesets()
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("rulesets: %w", err)
	}
	for _, entry := range entries {
		name, isRuleset := strings.CutSuffix(entry.Name(), ".toml")
		if !isRuleset || entry.IsDir() {
			continue
		}
		path := filepath.Join(dir, entry.Name())
		data, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("rulesets: %w", err)
		}
		if all[name], err = rules.ParseRuleset(path, data); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// named gives the ruleset that settings name; "" is the default.
func (r Rulesets) named(name string) (*rules.Ruleset, bool) {
	if name == "" {
		name = defaultRuleset
	}
	ruleset, ok := r[name]
	return ruleset, ok
}
