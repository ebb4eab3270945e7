package legacy

import (
	"context"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"treasurehunt.example/go-compat/internal/doctable"
)

func TestTheDocumentsHaveEveryLimitAndMetric(t *testing.T) {
	doctable.Limits(t, "../../docs/limits.md", DefaultLimits())
	e := New(Config{})
	registry := prometheus.NewRegistry()
	registry.MustRegister(e.Metrics()...)
	doctable.Metrics(t, "../../docs/metrics.md", registry)
	if err := e.Close(context.Background()); err != nil {
		t.Error(err)
	}
}
