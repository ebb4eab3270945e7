package router

import (
	"strings"
	"sync/atomic"
	"time"

	"github.com/failsafe-go/failsafe-go/circuitbreaker"
	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/reflect/protoreflect"

	pb "treasurehunt.example/go-compat/gen/playerstatev1"
	"treasurehunt.example/go-compat/router/ledger"
)

// The one list of this package's metrics; docs/metrics.md has a row for each. The
// label engine is "go", "sidecar", or, for what the router answers by itself, "router".
const (
	metricCallDuration   = "router_call_duration_seconds"
	metricCommands       = "router_commands_total"
	metricRefusals       = "router_refusals_total"
	metricFailures       = "router_failures_total"
	metricHunts          = "router_hunts"
	metricLedgerHunts    = "router_ledger_hunts"
	metricPlaced         = "router_placed_total"
	metricFallbacks      = "router_fallbacks_total"
	metricHuntsLost      = "router_hunts_lost_total"
	metricHuntsMissing   = "router_hunts_missing"
	metricMissingAnswers = "router_missing_answers_total"
	metricFeedHeld       = "router_feed_held_total"
	metricEffective      = "router_effective_percent"
	metricBreakerState   = "router_breaker_state"
	metricBreakerChanges = "router_breaker_changes_total"
	metricClaims         = "router_claims_total"
	metricRecovering     = "router_recovering_seconds"
	metricUnfit          = "router_sidecar_unfit"
)

// MetricNames are all of them.
var MetricNames = []string{
	metricCallDuration, metricCommands, metricRefusals, metricFailures, metricHunts, metricLedgerHunts,
	metricPlaced, metricFallbacks, metricHuntsLost, metricHuntsMissing, metricMissingAnswers, metricFeedHeld,
	metricEffective, metricBreakerState, metricBreakerChanges, metricClaims, metricRecovering, metricUnfit,
}

const ownName = "router" // the engine label of what the router answers by itself

// callBuckets go from 1 µs, where the engine in this process is, by a factor of 1.25
// to over 2 s, so that a p99 read from them is within a fifth; then what feeds wait.
// 14.2 and 50 ms are bounds because the goals are set at them.
var callBuckets = withBounds(prometheus.ExponentialBuckets(1e-6, 1.25, 67), 0.0142, 0.05, 5, 10, 35)

var breakerStates = []circuitbreaker.State{circuitbreaker.ClosedState, circuitbreaker.HalfOpenState, circuitbreaker.OpenState}

// metrics are all that the router shows of itself. What is on a command's way is
// bound at start. It is a [prometheus.Collector].
type metrics struct {
	router *Router

	calls          *prometheus.HistogramVec
	failures       *prometheus.CounterVec
	placements     *prometheus.CounterVec
	fallbacks      *prometheus.CounterVec
	missingHunts   *prometheus.GaugeVec
	missingAnswers *prometheus.CounterVec
	feedHeld       *prometheus.CounterVec
	breakerChanges *prometheus.CounterVec
	huntsLost      prometheus.Counter
	claims         prometheus.Counter

	legacy, sidecar *engineMetrics
	own             *engineMetrics // answers of the router itself
}

// engineMetrics are those of one engine.
type engineMetrics struct {
	name           string
	durations      map[method]prometheus.Observer
	failures       *prometheus.CounterVec
	missingHunts   prometheus.Gauge
	missingAnswers prometheus.Counter
	feedHeld       prometheus.Counter

	verdicts [verdictsMax]atomic.Uint64 // kept here, for Status reads them too
	reasons  [reasonsMax]atomic.Uint64
}

// Room for what the schema may add. A higher number counts as unspecified.
const (
	verdictsMax = 16
	reasonsMax  = 32
)

func newMetrics(r *Router) *metrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	}
	m := &metrics{
		router: r,
		calls: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: metricCallDuration, Help: "How long the engines' calls took, as the router's callers see them.", Buckets: callBuckets,
		}, []string{"engine", "method"}),
		failures:       counter(metricFailures, "Calls of the engines that failed, by gRPC code.", "engine", "code"),
		placements:     counter(metricPlaced, "New hunts, by the engine that the flag and the breaker chose.", "engine"),
		fallbacks:      counter(metricFallbacks, "New hunts that went to Go because the sidecar was not reached or did not take them, by gRPC code.", "code"),
		missingAnswers: counter(metricMissingAnswers, "Calls answered UNAVAILABLE because the hunt's owner has not got it.", "engine"),
		feedHeld:       counter(metricFeedHeld, "Reads of the merged feed that went on without this side.", "engine"),
		breakerChanges: counter(metricBreakerChanges, "Changes of the placement breaker, by the state it came to.", "state"),
		missingHunts: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: metricHuntsMissing, Help: "Hunts that their owner did not serve when it was last asked for all of them.",
		}, []string{"engine"}),
		claims:    prometheus.NewCounter(prometheus.CounterOpts{Name: metricClaims, Help: "Hunts that the sidecar went on with after its restart, each at a new epoch."}),
		huntsLost: prometheus.NewCounter(prometheus.CounterOpts{Name: metricHuntsLost, Help: "Hunts marked LOST since this router began."}),
	}
	m.legacy, m.sidecar, m.own = m.newEngine(string(ledger.Go)), m.newEngine(string(ledger.Sidecar)), m.newOwn()
	return m
}

func (m *metrics) newEngine(name string) *engineMetrics {
	e := &engineMetrics{
		name:           name,
		durations:      map[method]prometheus.Observer{},
		failures:       m.failures,
		missingHunts:   m.missingHunts.WithLabelValues(name),
		missingAnswers: m.missingAnswers.WithLabelValues(name),
		feedHeld:       m.feedHeld.WithLabelValues(name),
	}
	for _, method := range methods {
		e.durations[method] = m.calls.WithLabelValues(name, string(method))
	}
	return e
}

func (m *metrics) newOwn() *engineMetrics { return &engineMetrics{name: ownName} }

// of are the metrics of an owner.
func (m *metrics) of(owner ledger.Owner) *engineMetrics {
	if owner == ledger.Sidecar {
		return m.sidecar
	}
	return m.legacy
}

func (m *metrics) placed(owner ledger.Owner) { m.placements.WithLabelValues(string(owner)).Inc() }

func (m *metrics) fellBack(code codes.Code) { m.fallbacks.WithLabelValues(code.String()).Inc() }

// called counts one call.
func (e *engineMetrics) called(m method, took time.Duration, err error) {
	e.durations[m].Observe(took.Seconds())
	if err != nil {
		e.failures.WithLabelValues(e.name, codeOf(err).String()).Inc()
	}
}

// answered counts an outcome; nil is none.
func (e *engineMetrics) answered(outcome *pb.Outcome) {
	if outcome == nil {
		return
	}
	e.verdicts[slot(int32(outcome.GetVerdict()), verdictsMax)].Add(1)
	if refusal := outcome.GetRefusal(); refusal != nil {
		e.reasons[slot(int32(refusal.GetReason()), reasonsMax)].Add(1)
	}
}

// refused counts an outcome of the router's own, and passes it on.
func (e *engineMetrics) refused(outcome *pb.Outcome) *pb.Outcome {
	e.answered(outcome)
	return outcome
}

func slot(number int32, most int) int {
	if number < 0 || int(number) >= most {
		return 0
	}
	return int(number)
}

// verdictName is "applied" of VERDICT_APPLIED.
func verdictName(v pb.Verdict) string { return labelOf(v, "VERDICT_") }

// reasonName is "stale_owner" of REASON_STALE_OWNER.
func reasonName(r pb.Refusal_Reason) string { return labelOf(r, "REASON_") }

func labelOf(enum protoreflect.Enum, prefix string) string {
	value := enum.Descriptor().Values().ByNumber(enum.Number())
	if value == nil {
		return "unspecified"
	}
	return strings.ToLower(strings.TrimPrefix(string(value.Name()), prefix))
}
