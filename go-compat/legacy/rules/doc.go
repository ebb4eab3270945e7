// Package rules is the game: docs/rules.md in Go, and nothing else.
//
// It owns a hunt's state and the only way in which that changes. It never reads
// a clock, draws system randomness, starts a goroutine or lets a map's order
// reach a result: the same settings, ruleset bytes and stamped commands give the
// same bytes, here and in every other engine. Headings quoted in comments are
// those of docs/rules.md.
//
// A [Hunt] belongs to one goroutine at a time. A [Ruleset] never changes once
// parsed and is safe for concurrent use.
package rules

// Version is the version of the rules that this package plays.
const Version = 1
