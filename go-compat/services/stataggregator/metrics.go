package stataggregator

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc/codes"

	"treasurehunt.example/go-compat/services/stataggregator/tally"
)

// metrics is the list of the aggregator's metrics; docs/metrics.md explains them.
type metrics struct {
	records       *prometheus.CounterVec
	duplicates    *prometheus.CounterVec
	alarms        *prometheus.CounterVec
	missing       prometheus.Gauge
	up            *prometheus.GaugeVec
	behind        *prometheus.GaugeVec
	lag           *prometheus.GaugeVec
	failures      *prometheus.CounterVec
	storeFailures prometheus.Counter
	page          prometheus.Histogram
	pageDuration  prometheus.Histogram
}

func newMetrics(registerer prometheus.Registerer, missing uint64) *metrics {
	feed := []string{"feed"}
	m := &metrics{
		records: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "stataggregator_records_total", Help: "Records counted, by the feed that brought them first."}, feed),
		duplicates: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "stataggregator_duplicates_total", Help: "Records that were counted before, and not again."}, feed),
		alarms: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "stataggregator_alarms_total", Help: "Alarms raised: gaps, holes, forks, sums that do not agree, malformed records."}, []string{"kind"}),
		missing: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "stataggregator_missing_records", Help: "Records that are missing in hunts, and would be counted if they came."}),
		up: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "stataggregator_feed_up", Help: "1 if the last read of the feed was answered, else 0."}, feed),
		behind: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "stataggregator_feed_behind_records", Help: "Records that the feed had more at the last read."}, feed),
		lag: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "stataggregator_feed_lag_seconds", Help: "Age of the newest record read while more are waiting; 0 when none are."}, feed),
		failures: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "stataggregator_feed_failures_total", Help: "Reads that failed, by gRPC code."}, []string{"feed", "code"}),
		storeFailures: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "stataggregator_store_failures_total", Help: "Times that the store failed; nothing of such a page was counted."}),
		page: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "stataggregator_page_records", Help: "Records counted in one transaction.",
			Buckets: prometheus.ExponentialBuckets(1, 4, 8)}),
		pageDuration: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "stataggregator_page_duration_seconds", Help: "Time to count a page and keep it.",
			Buckets: prometheus.ExponentialBuckets(0.0005, 2, 14)}),
	}
	registerer.MustRegister(m.records, m.duplicates, m.alarms, m.missing, m.up, m.behind, m.lag,
		m.failures, m.storeFailures, m.page, m.pageDuration)
	for _, kind := range tally.AlarmKinds { // an alarm is seen as a rise, so it starts at 0
		m.alarms.WithLabelValues(string(kind))
	}
	m.missing.Set(float64(missing))
	return m
}

// addFeed makes a feed's series, so that they are there before anything happens.
func (m *metrics) addFeed(feed string) {
	m.records.WithLabelValues(feed)
	m.duplicates.WithLabelValues(feed)
	m.up.WithLabelValues(feed)
	m.behind.WithLabelValues(feed)
	m.lag.WithLabelValues(feed)
}

func (m *metrics) counted(page *tally.Page, took time.Duration) {
	m.records.WithLabelValues(page.Feed).Add(float64(page.Records))
	m.duplicates.WithLabelValues(page.Feed).Add(float64(page.Duplicates))
	for _, alarm := range page.Alarms {
		m.alarms.WithLabelValues(string(alarm.Kind)).Inc()
	}
	m.missing.Add(float64(page.Missing))
	m.page.Observe(float64(page.Records))
	m.pageDuration.Observe(took.Seconds())
	if page.NewestMs > 0 {
		m.lag.WithLabelValues(page.Feed).Set(time.Since(time.UnixMilli(page.NewestMs)).Seconds())
	}
}

// feedUp notes an answer. Without more behind it, the feed is read to its end.
func (m *metrics) feedUp(feed string, behind uint64) {
	m.up.WithLabelValues(feed).Set(1)
	m.behind.WithLabelValues(feed).Set(float64(behind))
	if behind == 0 {
		m.lag.WithLabelValues(feed).Set(0)
	}
}

func (m *metrics) feedDown(feed string, code codes.Code) {
	m.up.WithLabelValues(feed).Set(0)
	m.failures.WithLabelValues(feed, code.String()).Inc()
}
