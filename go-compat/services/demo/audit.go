package demo

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"treasurehunt.example/go-compat/services/audit"
)

// ErrAudit says that something was lost, doubled or altered.
var ErrAudit = errors.New("the audit found differences")

// audit holds what the bots were answered against what the aggregator counted.
func (d *demo) audit(ctx context.Context, report *audit.Report) error {
	aggregator := audit.Client{Base: "http://" + d.shard.AggregatorHTTP}
	settling, cancel := context.WithTimeout(ctx, settleLimit)
	defer cancel()
	if err := aggregator.Settled(settling, report); err != nil {
		fmt.Fprintln(d.Out, err) // and the audit says what that means
	}
	result, err := audit.Check(ctx, aggregator, report)
	if err != nil {
		return err
	}
	fmt.Fprint(d.Out, "\n", result)
	hunts := report.HuntsByRuleset()
	for _, ruleset := range slices.Sorted(maps.Keys(hunts)) {
		fmt.Fprintf(d.Out, "  %d hunts by the ruleset %s\n", hunts[ruleset], cmp.Or(ruleset, "(not known: no bot came to play them)"))
	}
	if !result.Clean() {
		return ErrAudit
	}
	return nil
}
