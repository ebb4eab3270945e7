package router

import (
	"slices"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	pb "treasurehunt.example/go-compat/gen/playerstatev1"
	"treasurehunt.example/go-compat/router/ledger"
)

// The metrics whose values are kept elsewhere, and read when they are asked for.
var (
	commandsDesc     = prometheus.NewDesc(metricCommands, "Commands answered, by verdict.", []string{"engine", "verdict"}, nil)
	refusalsDesc     = prometheus.NewDesc(metricRefusals, "Commands refused, by reason.", []string{"engine", "reason"}, nil)
	huntsDesc        = prometheus.NewDesc(metricHunts, "Hunts that are running or being created, by the engine that owns them.", []string{"engine"}, nil)
	ledgerHuntsDesc  = prometheus.NewDesc(metricLedgerHunts, "Hunts in the ledger, by state.", []string{"state"}, nil)
	effectiveDesc    = prometheus.NewDesc(metricEffective, "Percent of new hunts that go to the sidecar now: the flag's, 0 unless the breaker is closed and the sidecar fit.", nil, nil)
	breakerStateDesc = prometheus.NewDesc(metricBreakerState, "1 for the state that the placement breaker is in.", []string{"state"}, nil)
	recoveringDesc   = prometheus.NewDesc(metricRecovering, "How long the sidecar's hunts have waited for it; 0 while they do not.", nil, nil)
	unfitDesc        = prometheus.NewDesc(metricUnfit, "1 while the sidecar gets no new hunts because it refuses this router, or has hunts at epochs above the ledger's.", nil, nil)

	ownDescs = []*prometheus.Desc{commandsDesc, refusalsDesc, huntsDesc, ledgerHuntsDesc, effectiveDesc, breakerStateDesc, recoveringDesc, unfitDesc}
)

func (m *metrics) collectors() []prometheus.Collector {
	return []prometheus.Collector{
		m.calls, m.failures, m.placements, m.fallbacks, m.missingHunts,
		m.missingAnswers, m.feedHeld, m.breakerChanges, m.huntsLost, m.claims,
	}
}

// Describe implements [prometheus.Collector].
func (m *metrics) Describe(out chan<- *prometheus.Desc) {
	for _, desc := range ownDescs {
		out <- desc
	}
	for _, c := range m.collectors() {
		c.Describe(out)
	}
}

// Collect implements [prometheus.Collector].
func (m *metrics) Collect(out chan<- prometheus.Metric) {
	for _, c := range m.collectors() {
		c.Collect(out)
	}
	for _, e := range []*engineMetrics{m.legacy, m.sidecar, m.own} {
		collectEnum(out, commandsDesc, e.name, e.verdicts[:], pb.Verdict_name, func(n int32) string { return verdictName(pb.Verdict(n)) })
		collectEnum(out, refusalsDesc, e.name, e.reasons[:], pb.Refusal_Reason_name, func(n int32) string { return reasonName(pb.Refusal_Reason(n)) })
	}
	gauge := func(desc *prometheus.Desc, value float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, value, labels...)
	}
	for _, owner := range []ledger.Owner{ledger.Go, ledger.Sidecar} {
		gauge(huntsDesc, float64(m.router.live(owner)), string(owner))
	}
	for _, state := range ledger.States {
		gauge(ledgerHuntsDesc, float64(m.router.kept(state)), string(state))
	}
	gauge(effectiveDesc, m.router.effectivePercent())
	gauge(recoveringDesc, m.router.recovery.lasted(time.Now()).Seconds())
	gauge(unfitDesc, oneIf(m.router.whyUnfit() != ""))
	now := m.router.sidecar.breaker.circuit.State()
	for _, state := range breakerStates {
		gauge(breakerStateDesc, oneIf(state == now), state.String())
	}
}

// collectEnum shows a counter for each number that the schema names.
func collectEnum(out chan<- prometheus.Metric, desc *prometheus.Desc, engine string, counts []atomic.Uint64, known map[int32]string, label func(int32) string) {
	for number := range known {
		value := float64(counts[slot(number, len(counts))].Load())
		out <- prometheus.MustNewConstMetric(desc, prometheus.CounterValue, value, engine, label(number))
	}
}

func oneIf(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

func (m *metrics) register(registerer prometheus.Registerer) error {
	if registerer == nil {
		return nil
	}
	return registerer.Register(m)
}

func (m *metrics) unregister(registerer prometheus.Registerer) {
	if registerer != nil {
		registerer.Unregister(m)
	}
}

func withBounds(buckets []float64, more ...float64) []float64 {
	buckets = append(buckets, more...)
	slices.Sort(buckets)
	return slices.Compact(buckets)
}
