package serve

import (
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"treasurehunt.example/go-compat/internal/doctable"
)

func TestTheDocumentsHaveEveryLimitAndMetric(t *testing.T) {
	doctable.Limits(t, "../../../docs/limits.md", DefaultLimits())
	registry := prometheus.NewRegistry()
	m, err := newMetrics(registry)
	if err != nil {
		t.Fatal(err)
	}
	m.duration.WithLabelValues("Apply", "OK").Observe(0)
	doctable.Metrics(t, "../../../docs/metrics.md", registry)
}
