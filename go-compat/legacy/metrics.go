package legacy

import (
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	pb "treasurehunt.example/go-compat/gen/playerstatev1"
)

// The names of the engine's metrics.
const (
	metricHunts        = "legacy_hunts"
	metricPlayers      = "legacy_players"
	metricFeedRecords  = "legacy_feed_records"
	metricFeedBytes    = "legacy_feed_bytes"
	metricFeedDropped  = "legacy_feed_dropped_total"
	metricRefusals     = "legacy_refusals_total"
	metricExpired      = "legacy_expired_total"
	metricHuntPanics   = "legacy_hunt_panics_total"
	metricRulesets     = "legacy_rulesets"
	metricReloads      = "legacy_rules_reloads_total"
	metricReloadFailed = "legacy_rules_reload_failed"
	metricLastGood     = "legacy_rules_last_good_timestamp_seconds"
	refusalReasonLabel = "reason"
)

// counters are the metrics that commands move.
type counters struct {
	refusals map[pb.Refusal_Reason]prometheus.Counter
	vector   *prometheus.CounterVec
	expired  prometheus.Counter
	panics   prometheus.Counter
}

func newCounters() counters {
	c := counters{
		refusals: make(map[pb.Refusal_Reason]prometheus.Counter),
		vector: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: metricRefusals, Help: "Commands that the engine refused, by reason.",
		}, []string{refusalReasonLabel}),
		expired: prometheus.NewCounter(prometheus.CounterOpts{
			Name: metricExpired, Help: "Commands whose budget ran out before they were applied.",
		}),
		panics: prometheus.NewCounter(prometheus.CounterOpts{
			Name: metricHuntPanics, Help: "Panics, each of which quarantined its hunt.",
		}),
	}
	for number, name := range pb.Refusal_Reason_name { // the order of a map does not matter here
		label := strings.ToLower(strings.TrimPrefix(name, "REASON_"))
		c.refusals[pb.Refusal_Reason(number)] = c.vector.WithLabelValues(label)
	}
	return c
}

func (c *counters) refused(reason pb.Refusal_Reason) { c.refusals[reason].Inc() }

// Metrics are the engine's, to be registered by whoever runs it.
func (e *Engine) Metrics() []prometheus.Collector {
	gauge := func(name, help string, value func() float64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, value)
	}
	return []prometheus.Collector{
		e.counters.vector, e.counters.expired, e.counters.panics,
		e.reloads.results, e.reloads.failed, e.reloads.lastGood,
		gauge(metricRulesets, "Rulesets that new hunts may name.", func() float64 { return float64(len(*e.rulesets.Load())) }),
		gauge(metricHunts, "Hunts in memory, those that ended and are still kept included.", func() float64 {
			return float64(e.room.hunts.Load())
		}),
		gauge(metricPlayers, "Players in all hunts, those who left included.", func() float64 {
			return float64(e.room.players.Load())
		}),
		gauge(metricFeedRecords, "Records that the feed keeps.", func() float64 {
			records, _, _ := e.feed.ring.usage()
			return float64(records)
		}),
		gauge(metricFeedBytes, "Bytes of the records that the feed keeps.", func() float64 {
			_, bytes, _ := e.feed.ring.usage()
			return float64(bytes)
		}),
		prometheus.NewCounterFunc(prometheus.CounterOpts{Name: metricFeedDropped, Help: "Records that fell out of the feed."}, func() float64 {
			_, _, dropped := e.feed.ring.usage()
			return float64(dropped)
		}),
	}
}
