// Package rulesets holds the rulesets of this repository. Every build carries
// classic.toml: the Rust engine includes the same file, so that both engines hash
// and play the same bytes. The others are handed to both with --rules.
package rulesets

import (
	_ "embed"
	"slices"
)

//go:embed classic.toml
var classic []byte

//go:embed frenzy.toml
var frenzy []byte

// Classic returns a copy of classic.toml, the ruleset of hunts that name none.
func Classic() []byte { return slices.Clone(classic) }

// Frenzy returns a copy of frenzy.toml, the second ruleset of the demo.
func Frenzy() []byte { return slices.Clone(frenzy) }
