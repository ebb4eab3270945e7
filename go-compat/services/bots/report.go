package bots

import (
	"cmp"
	"slices"
	"strings"

	"treasurehunt.example/go-compat/services/audit"
)

// reporter gathers what the players saw into the audit's report. Not safe for
// concurrent use.
type reporter struct {
	hunts map[string]*audit.Hunt
	out   audit.Report
}

func newReporter(seed uint64) *reporter {
	return &reporter{hunts: make(map[string]*audit.Hunt), out: audit.Report{Seed: seed}}
}

func (r *reporter) add(hunt *hunt, player audit.Player) {
	h := r.hunts[hunt.id]
	if h == nil {
		h = &audit.Hunt{ID: hunt.id, Ruleset: hunt.ruleset}
		r.hunts[hunt.id] = h
	}
	h.Players = append(h.Players, player)
	r.out.Unheard += player.Unheard
}

// report is the whole, in an order that does not depend on who was done first.
func (r *reporter) report() *audit.Report {
	for _, h := range r.hunts {
		slices.SortFunc(h.Players, func(a, b audit.Player) int { return cmp.Compare(a.ID, b.ID) })
		r.out.Hunts = append(r.out.Hunts, *h)
	}
	slices.SortFunc(r.out.Hunts, func(a, b audit.Hunt) int { return strings.Compare(a.ID, b.ID) })
	return &r.out
}
