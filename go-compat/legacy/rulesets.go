package legacy

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"treasurehunt.example/go-compat/internal/filewatch"
	"treasurehunt.example/go-compat/legacy/rules"
	"treasurehunt.example/go-compat/rulesets"
)

// defaultRuleset is the one of hunts that name none.
const defaultRuleset = "classic"

// MaxRulesets is the most files that are taken from one directory.
const MaxRulesets = 64

// Rulesets are the rulesets of new hunts, by name. They do not change once an
// engine has them: others take their place.
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
// built-in ones, which it may replace; hidden files are editors' own. It fails at
// the first file that is wrong. Of the directory "" there are the built-in ones.
func LoadRulesets(dir string) (Rulesets, error) {
	if dir == "" {
		return BuiltInRulesets(), nil
	}
	return BuiltInRulesets().loadAgain(dir)
}

// loadAgain reads a directory that r came from. A file whose bytes are still the
// same is the same ruleset.
func (r Rulesets) loadAgain(dir string) (Rulesets, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("rulesets: %w", err)
	}
	all, files := BuiltInRulesets(), 0
	for _, entry := range entries {
		name, isRuleset := strings.CutSuffix(entry.Name(), ".toml")
		if !isRuleset || strings.HasPrefix(name, ".") {
			continue
		}
		if files++; files > MaxRulesets {
			return nil, fmt.Errorf("rulesets: %s holds over %d, the limit", dir, MaxRulesets)
		}
		path := filepath.Join(dir, entry.Name())
		if !utf8.ValidString(name) {
			return nil, fmt.Errorf("rulesets: %q: its name is no UTF-8, and no hunt could name it", path)
		}
		data, err := filewatch.Read(path, rules.MaxRulesetBytes)
		if err != nil {
			return nil, fmt.Errorf("rulesets: %w", err)
		}
		if known, has := r[name]; has && bytes.Equal(known.Source(), data) {
			all[name] = known
			continue
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
