package demo

import (
	"context"
	"math"
	"sort"
	"time"

	dto "github.com/prometheus/client_model/go"

	"treasurehunt.example/go-compat/services/localshard"
)

// The router's metrics that the table is made of; docs/metrics.md describes them.
const (
	metricHunts    = "router_hunts"
	metricCommands = "router_commands_total"
	metricRefusals = "router_refusals_total"
	metricDuration = "router_call_duration_seconds"
	metricPercent  = "router_effective_percent"
)

// sample is one reading of the router's metrics.
type sample struct {
	at      time.Time
	percent float64
	engines map[string]*engineSample
}

// engineSample is what one engine did since its router started.
type engineSample struct {
	hunts    float64 // now
	commands float64
	refused  float64
	buckets  []bucket // cumulative, by ascending bound
}

type bucket struct {
	bound float64 // seconds
	count uint64
}

// scrape reads the metrics of the matchmaker, where the router's are.
func scrape(ctx context.Context, matchmaker *localshard.Process) (*sample, error) {
	families, err := matchmaker.Metrics(ctx)
	if err != nil {
		return nil, err
	}
	return newSample(time.Now(), families), nil
}

func newSample(at time.Time, families map[string]*dto.MetricFamily) *sample {
	s := &sample{at: at, engines: make(map[string]*engineSample)}
	for _, m := range families[metricPercent].GetMetric() {
		s.percent = m.GetGauge().GetValue()
	}
	for _, m := range families[metricHunts].GetMetric() {
		s.of(m).hunts += m.GetGauge().GetValue()
	}
	for _, m := range families[metricCommands].GetMetric() {
		s.of(m).commands += m.GetCounter().GetValue()
	}
	for _, m := range families[metricRefusals].GetMetric() {
		s.of(m).refused += m.GetCounter().GetValue()
	}
	for _, m := range families[metricDuration].GetMetric() {
		s.of(m).addBuckets(m.GetHistogram())
	}
	return s
}

// of is the engine that a metric speaks of.
func (s *sample) of(m *dto.Metric) *engineSample {
	for _, label := range m.GetLabel() {
		if label.GetName() == "engine" {
			return s.engine(label.GetValue())
		}
	}
	return s.engine("")
}

func (s *sample) engine(name string) *engineSample {
	if s.engines[name] == nil {
		s.engines[name] = &engineSample{}
	}
	return s.engines[name]
}

// commands are those of all engines.
func (s *sample) commands() float64 {
	sum := 0.0
	for _, e := range s.engines {
		sum += e.commands
	}
	return sum
}

// addBuckets adds a histogram of the same bounds.
func (e *engineSample) addBuckets(h *dto.Histogram) {
	if e.buckets == nil {
		e.buckets = make([]bucket, len(h.GetBucket()))
	}
	for i, b := range h.GetBucket() {
		if i < len(e.buckets) {
			e.buckets[i].bound = b.GetUpperBound()
			e.buckets[i].count += b.GetCumulativeCount()
		}
	}
}

// quantile is the bound under which a share q of what came between two readings
// lies: an upper estimate, as fine as the buckets. NaN when nothing came.
func quantile(q float64, earlier, later []bucket) float64 {
	counts := make([]uint64, len(later))
	for i := range later {
		counts[i] = later[i].count
		if i < len(earlier) {
			counts[i] -= earlier[i].count
		}
	}
	if len(counts) == 0 || counts[len(counts)-1] == 0 {
		return math.NaN()
	}
	rank := uint64(math.Ceil(q * float64(counts[len(counts)-1])))
	i := sort.Search(len(counts), func(i int) bool { return counts[i] >= rank })
	return later[min(i, len(later)-1)].bound
}
