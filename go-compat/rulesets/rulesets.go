// Package rulesets holds the rulesets that every build carries. The Rust engine
// includes the same files, so that both engines hash and play the same bytes.
package rulesets

import (
	_ "embed"
	"slices"
)

//go:embed classic.toml
var classic []byte

// Classic returns a copy of classic.toml, the ruleset of hunts that name none.
func Classic() []byte { return slices.Clone(classic) }
