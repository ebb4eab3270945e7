//go:build e2e

package e2e

import (
	"context"
	"testing"
	"time"

	"treasurehunt.example/go-compat/services/audit"
	"treasurehunt.example/go-compat/services/localshard"
)

// wantClean audits the shard's aggregator against what the bots were answered.
func wantClean(t *testing.T, shard *localshard.Shard, report *audit.Report) {
	t.Helper()
	aggregator := audit.Client{Base: "http://" + shard.AggregatorHTTP}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := aggregator.Settled(ctx, report); err != nil {
		t.Error(err)
	}
	result, err := audit.Check(t.Context(), aggregator, report)
	if err != nil {
		t.Fatal(err)
	}
	t.Log(result)
	if !result.Clean() {
		t.Error("the aggregator's count is not what the bots were answered")
	}
}
