package sidecar

import (
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"

	"treasurehunt.example/go-compat/playerstate"
)

// The one list of this package's metrics; docs/metrics.md has a row for each.
const (
	metricBatchCommands = "sidecar_client_batch_commands"
	metricCallsInFlight = "sidecar_client_calls_in_flight"
	metricLingers       = "sidecar_client_lingers_total"
	metricQueueCommands = "sidecar_client_queue_commands"
	metricLanesReady    = "sidecar_client_lanes_ready"
	metricRefusals      = "sidecar_client_refusals_total"
	metricFailures      = "sidecar_client_failures_total"
)

// MetricNames are all of them.
var MetricNames = []string{
	metricBatchCommands, metricCallsInFlight, metricLingers, metricQueueCommands, metricLanesReady, metricRefusals, metricFailures,
}

// Why the client itself answers REFUSED.
const (
	refusedMalformed = "malformed"
	refusedQueueFull = "queue_full"
)

// metrics observes the lanes. Everything on a command's way is bound at start.
type metrics struct {
	calls         atomic.Int64
	batchCommands prometheus.Histogram
	lingers       prometheus.Counter
	refusals      *prometheus.CounterVec
	malformed     prometheus.Counter
	queueFull     prometheus.Counter
	failures      *prometheus.CounterVec
	notApplied    prometheus.Counter
	unknown       prometheus.Counter
}

func newMetrics() *metrics {
	m := &metrics{
		batchCommands: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    metricBatchCommands,
			Help:    "Commands in one call to the sidecar.",
			Buckets: prometheus.ExponentialBuckets(1, 2, 11), // 1 … 1,024
		}),
		lingers: prometheus.NewCounter(prometheus.CounterOpts{
			Name: metricLingers,
			Help: "Calls to the sidecar that waited a little for more commands.",
		}),
		refusals: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: metricRefusals,
			Help: "Commands that the client refused before they were sent, by reason.",
		}, []string{"reason"}),
		failures: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: metricFailures,
			Help: "Commands that failed, by what is known of them.",
		}, []string{"fate"}),
	}
	m.malformed = m.refusals.WithLabelValues(refusedMalformed)
	m.queueFull = m.refusals.WithLabelValues(refusedQueueFull)
	m.notApplied = m.failures.WithLabelValues("not_applied")
	m.unknown = m.failures.WithLabelValues("unknown")
	return m
}

func (m *metrics) sending(commands int) {
	m.batchCommands.Observe(float64(commands))
	m.calls.Add(1)
}

func (m *metrics) sent() { m.calls.Add(-1) }

func (m *metrics) failed(fate playerstate.Fate) {
	if fate == playerstate.FateNotApplied {
		m.notApplied.Inc()
		return
	}
	m.unknown.Inc()
}

var (
	callsInFlightDesc = prometheus.NewDesc(metricCallsInFlight, "Calls with commands that are out now.", nil, nil)
	queueCommandsDesc = prometheus.NewDesc(metricQueueCommands, "Commands that wait to be sent, in all lanes.", nil, nil)
	lanesReadyDesc    = prometheus.NewDesc(metricLanesReady, "Lanes whose connection is up.", nil, nil)
)

// Describe implements [prometheus.Collector].
func (c *Client) Describe(out chan<- *prometheus.Desc) {
	out <- callsInFlightDesc
	out <- queueCommandsDesc
	out <- lanesReadyDesc
	c.metrics.batchCommands.Describe(out)
	c.metrics.lingers.Describe(out)
	c.metrics.refusals.Describe(out)
	c.metrics.failures.Describe(out)
}

// Collect implements [prometheus.Collector].
func (c *Client) Collect(out chan<- prometheus.Metric) {
	var waiting, ready int
	for _, lane := range c.lanes {
		waiting += lane.waiting()
		if lane.conn.Ready() {
			ready++
		}
	}
	out <- prometheus.MustNewConstMetric(callsInFlightDesc, prometheus.GaugeValue, float64(c.metrics.calls.Load()))
	out <- prometheus.MustNewConstMetric(queueCommandsDesc, prometheus.GaugeValue, float64(waiting))
	out <- prometheus.MustNewConstMetric(lanesReadyDesc, prometheus.GaugeValue, float64(ready))
	c.metrics.batchCommands.Collect(out)
	c.metrics.lingers.Collect(out)
	c.metrics.refusals.Collect(out)
	c.metrics.failures.Collect(out)
}
