package matchmaker

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"
)

// metrics is the list of the matchmaker's metrics; docs/metrics.md explains them.
type metrics struct {
	ticketsDone *prometheus.CounterVec
	wait        prometheus.Histogram
	placements  *prometheus.CounterVec
}

func newMetrics(registerer prometheus.Registerer, m *Matchmaker) *metrics {
	metrics := &metrics{
		ticketsDone: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "matchmaker_tickets_done_total", Help: "Tickets that are done, by how.",
		}, []string{"state"}),
		wait: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "matchmaker_ticket_wait_seconds", Help: "Time from a ticket's opening to its hunt.",
			Buckets: []float64{0.25, 0.5, 1, 2, 5, 10, 15, 20, 30, 60, 120, 300},
		}),
		placements: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "matchmaker_placements_total", Help: "Groups for which a hunt was made, or could not be.",
		}, []string{"result"}),
	}
	registerer.MustRegister(metrics.ticketsDone, metrics.wait, metrics.placements, &stock{matchmaker: m})
	return metrics
}

func (m *metrics) done(state TicketState, tickets int) {
	m.ticketsDone.WithLabelValues(string(state)).Add(float64(tickets))
}

func (m *metrics) placed(tickets []*Ticket, now time.Time) {
	m.placements.WithLabelValues("placed").Inc()
	m.done(Matched, len(tickets))
	for _, t := range tickets {
		m.wait.Observe(now.Sub(t.Since).Seconds())
	}
}

// stock counts what is there when somebody looks.
type stock struct{ matchmaker *Matchmaker }

var (
	ticketsGauge = prometheus.NewDesc("matchmaker_tickets", "Tickets that are open, by state.", []string{"state"}, nil)
	huntsGauge   = prometheus.NewDesc("matchmaker_hunts", "Hunts in the matchmaker's list, by state.", []string{"state"}, nil)
)

// Describe implements [prometheus.Collector].
func (*stock) Describe(descriptions chan<- *prometheus.Desc) {
	descriptions <- ticketsGauge
	descriptions <- huntsGauge
}

// Collect implements [prometheus.Collector].
func (s *stock) Collect(into chan<- prometheus.Metric) {
	tickets, hunts := s.matchmaker.count()
	for _, state := range []TicketState{Searching, Placing} {
		into <- prometheus.MustNewConstMetric(ticketsGauge, prometheus.GaugeValue, float64(tickets[state]), string(state))
	}
	for _, state := range []HuntState{Running, Ended, Lost, Abandoned} {
		into <- prometheus.MustNewConstMetric(huntsGauge, prometheus.GaugeValue, float64(hunts[state]), string(state))
	}
}

func (m *Matchmaker) count() (map[TicketState]int, map[HuntState]int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.pool.count(), m.hunts.count()
}

// startSpan begins the trace of one placement, down to the engine.
func startSpan(ctx context.Context, players int) (context.Context, trace.Span) {
	return otel.Tracer("treasurehunt.example/go-compat/services/matchmaker").
		Start(ctx, "place a group", trace.WithAttributes(attribute.Int("players", players)))
}
