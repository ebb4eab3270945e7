package rollout

import "github.com/prometheus/client_golang/prometheus"

// The one list of this package's metrics; docs/metrics.md has a row for each.
const (
	metricPercent = "rollout_percent"
	metricLost    = "rollout_flag_lost"
	metricAlarms  = "rollout_flag_alarms_total"
	metricChanges = "rollout_changes_total"
)

// MetricNames are all of them.
var MetricNames = []string{
	metricPercent, metricLost, metricAlarms, metricChanges,
}

type metrics struct {
	alarms, changes prometheus.Counter
}

func newMetrics() metrics {
	return metrics{
		alarms:  prometheus.NewCounter(prometheus.CounterOpts{Name: metricAlarms, Help: "How often the flag was lost or malformed."}),
		changes: prometheus.NewCounter(prometheus.CounterOpts{Name: metricChanges, Help: "How often the percentage changed."}),
	}
}

var (
	percentDesc = prometheus.NewDesc(metricPercent, "Percent of new hunts that the sidecar serves.", nil, nil)
	lostDesc    = prometheus.NewDesc(metricLost, "1 while the flag is lost or malformed, and the last good percentage holds.", nil, nil)
)

// Describe implements [prometheus.Collector].
func (f *Flag) Describe(out chan<- *prometheus.Desc) {
	out <- percentDesc
	out <- lostDesc
	f.metrics.alarms.Describe(out)
	f.metrics.changes.Describe(out)
}

// Collect implements [prometheus.Collector].
func (f *Flag) Collect(out chan<- prometheus.Metric) {
	lost := 0.0
	if f.Err() != nil {
		lost = 1
	}
	out <- prometheus.MustNewConstMetric(percentDesc, prometheus.GaugeValue, f.Percent().Float())
	out <- prometheus.MustNewConstMetric(lostDesc, prometheus.GaugeValue, lost)
	f.metrics.alarms.Collect(out)
	f.metrics.changes.Collect(out)
}
