package router

import (
	"slices"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"treasurehunt.example/go-compat/internal/doctable"
	"treasurehunt.example/go-compat/router/ledger"
)

func gather(t *testing.T, b *bench) map[string]*dto.MetricFamily {
	t.Helper()
	registry := prometheus.NewPedanticRegistry()
	if err := registry.Register(b.Router.metrics); err != nil {
		t.Fatal(err)
	}
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	byName := map[string]*dto.MetricFamily{}
	for _, family := range families {
		byName[family.GetName()] = family
	}
	return byName
}

// gaugeOf is the value of a gauge or counter whose labels have this value.
func gaugeOf(t *testing.T, b *bench, name string, labels ...string) float64 {
	t.Helper()
	for _, metric := range gather(t, b)[name].GetMetric() {
		values := []string{}
		for _, label := range metric.GetLabel() {
			values = append(values, label.GetValue())
		}
		if slices.Equal(values, labels) {
			return metric.GetGauge().GetValue() + metric.GetCounter().GetValue()
		}
	}
	t.Fatalf("no %s%v", name, labels)
	return 0
}

func TestEveryMetricIsInTheListAndInTheDocs(t *testing.T) {
	b := newBench(t, 0)
	b.split()
	b.sidecar.Fail(away)
	b.flag.set(t, 100)
	b.mustCreate("falls-back")
	doctable.Names(t, "../../docs/metrics.md", MetricNames)
	shown := gather(t, b)
	for _, name := range MetricNames {
		if shown[name] == nil {
			t.Errorf("%s is listed, and not shown", name)
		}
	}
	for name := range shown {
		if !slices.Contains(MetricNames, name) {
			t.Errorf("%s is shown, and not listed", name)
		}
	}
}

func TestStatusAndMetricsSayWhatWasAnswered(t *testing.T) {
	b := newBench(t, 0)
	atGo, atSidecar := b.split()
	b.play(atGo, 3)
	b.play(atSidecar, 2)
	b.Apply(t.Context(), join("nobody-has-it"))

	status := b.Status()
	if status.FlagPercent != 100 || status.EffectivePercent != 100 || status.Breaker != "closed" || status.Incarnation != 1 {
		t.Errorf("%+v", status)
	}
	for i, want := range []EngineStatus{
		{Engine: ledger.Go, Hunts: 1, Commands: map[string]uint64{"applied": 3}},
		{Engine: ledger.Sidecar, Hunts: 1, Commands: map[string]uint64{"applied": 2}},
	} {
		got := status.Engines[i]
		if got.Engine != want.Engine || got.Hunts != want.Hunts || got.Commands["applied"] != want.Commands["applied"] {
			t.Errorf("got %+v, want %+v", got, want)
		}
	}
	for _, want := range []struct {
		value  float64
		name   string
		labels []string
	}{
		{3, metricCommands, []string{"go", "applied"}},
		{2, metricCommands, []string{"sidecar", "applied"}},
		{1, metricRefusals, []string{"router", "unknown_hunt"}},
		{1, metricHunts, []string{"sidecar"}},
		{2, metricLedgerHunts, []string{"owned"}},
		{100, metricEffective, nil},
		{1, metricBreakerState, []string{"closed"}},
		{0, metricBreakerState, []string{"open"}},
	} {
		if got := gaugeOf(t, b, want.name, want.labels...); got != want.value {
			t.Errorf("%s%v is %v; want %v", want.name, want.labels, got, want.value)
		}
	}
}

func TestTheCallHistogramsBoundsAreFineAndHoldTheGoals(t *testing.T) {
	for _, goal := range []float64{0.0142, 0.05} {
		if !slices.Contains(callBuckets, goal) {
			t.Errorf("no bound at %v", goal)
		}
	}
	for i := 1; i < len(callBuckets) && callBuckets[i] <= 2; i++ {
		if callBuckets[i] > callBuckets[i-1]*1.2501 {
			t.Errorf("%v follows %v", callBuckets[i], callBuckets[i-1])
		}
	}
}
