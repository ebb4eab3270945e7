//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"testing"
	"time"

	"treasurehunt.example/go-compat/services/localshard"
)

// gauge reads a metric without labels.
func gauge(ctx context.Context, p *localshard.Process, name string) (float64, error) {
	families, err := p.Metrics(ctx)
	if err != nil {
		return 0, err
	}
	series := families[name].GetMetric()
	if len(series) != 1 {
		return 0, fmt.Errorf("%s shows %d series of %s, want 1", p.Name, len(series), name)
	}
	return series[0].GetGauge().GetValue(), nil
}

// awaitGauge waits until a metric has the value wanted.
func awaitGauge(t *testing.T, p *localshard.Process, name string, want float64) {
	t.Helper()
	err := localshard.Await(5*time.Second, func() error {
		got, err := gauge(t.Context(), p, name)
		if err == nil && got != want {
			err = fmt.Errorf("%s is %g, want %g", name, got, want)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
