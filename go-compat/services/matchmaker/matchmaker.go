package matchmaker

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"

	"treasurehunt.example/go-compat/playerstate"
	"treasurehunt.example/go-compat/services/matchmaker/matching"
)

// The pauses in matching while hunts cannot be made.
const (
	failurePauseFirst = 250 * time.Millisecond
	failurePauseMax   = 5 * time.Second
)

// Matchmaker is the service. Safe for concurrent use.
type Matchmaker struct {
	config  Config
	host    *host
	log     *slog.Logger
	metrics *metrics

	mu       sync.Mutex // never held over a call of the Commander; guards what follows
	pool     *pool
	hunts    *hunts
	placing  int // placements in hand
	nextSeed func() uint64
	formed   int             // groups so far: whose turn of the rulesets it is
	pauses   backoff.BackOff // after placements that failed
	resume   time.Time       // no group is formed before

	placements sync.WaitGroup
}

// New makes a matchmaker whose hunts live behind commander. config was checked.
// Services that issue commands for the same players in this process share requestIDs.
func New(
	config Config, commander playerstate.Commander, requestIDs *playerstate.RequestIDs,
	log *slog.Logger, registerer prometheus.Registerer,
) *Matchmaker {
	m := &Matchmaker{
		config:   config,
		host:     &host{commander: commander, requestIDs: requestIDs, timeout: config.EngineTimeout},
		log:      log,
		pool:     newPool(config.TicketsMax, config.FinishedKeep),
		hunts:    newHunts(config.HuntsMax, config.FinishedKeep),
		nextSeed: seeds(config.Seed),
		pauses:   newPauses(failurePauseFirst, failurePauseMax),
	}
	m.metrics = newMetrics(registerer, m)
	return m
}

// seeds is where the hunts' seeds come from.
func seeds(seed uint64) func() uint64 {
	if seed == 0 {
		return rand.Uint64
	}
	return rand.New(rand.NewPCG(seed, 0)).Uint64
}

// newID is a name that sorts by when it was given, and is never given again.
func newID(kind string) string {
	return kind + "-" + uuid.Must(uuid.NewV7()).String()
}

// Run matches players until ctx is over, and returns when nothing is in hand.
func (m *Matchmaker) Run(ctx context.Context) error {
	var loops sync.WaitGroup
	loops.Go(func() { every(ctx, m.config.MatchEvery, func() { m.match(ctx) }) })
	loops.Go(func() { every(ctx, observeEvery, func() { m.observe(ctx) }) })
	loops.Wait()
	m.placements.Wait()
	return nil
}

func every(ctx context.Context, interval time.Duration, do func()) {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			do()
		}
	}
}

// match looks at the tickets once, and starts a hunt for each group that it finds.
func (m *Matchmaker) match(ctx context.Context) {
	now := time.Now()
	tickets, room := m.look(now)
	for _, group := range matching.Form(tickets, m.config.Rules, now, room) {
		if p := m.claim(group, now); p != nil {
			m.placements.Go(func() { m.place(ctx, p) })
		}
	}
}

// look tidies up, and gives who searches and for how many hunts there is room.
func (m *Matchmaker) look(now time.Time) (tickets []matching.Ticket, room int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.metrics.done(Expired, m.pool.expire(now.Add(-m.config.TicketExpiresAfter), now))
	m.pool.forget(now)
	if now.Before(m.resume) {
		return nil, 0
	}
	room = min(m.config.PlacementsMax-m.placing, m.config.HuntsMax-m.hunts.open-m.placing)
	return m.pool.searching(), max(0, room)
}

// claim takes a group's tickets out of the search; nil if one is there no more.
func (m *Matchmaker) claim(group matching.Group, now time.Time) *placement {
	m.mu.Lock()
	defer m.mu.Unlock()
	tickets := m.pool.claim(group, now)
	if tickets == nil {
		return nil
	}
	m.placing++
	p := &placement{tickets: tickets}
	for _, t := range tickets {
		p.players = append(p.players, t.Players...)
	}
	ruleset := m.config.Rulesets[m.formed%len(m.config.Rulesets)]
	m.formed++
	p.hunt = Hunt{
		ID: newID("hunt"), State: Running, Region: group[0].Region, Skill: group[0].Skill,
		Players: len(p.players), Settings: m.config.huntSettings(m.nextSeed(), ruleset),
		StartsAt: now, EndsAt: now.Add(m.config.Duration), // until its engine says so exactly
	}
	return p
}

// place makes the hunt of one group, and writes down what became of it.
func (m *Matchmaker) place(ctx context.Context, p *placement) {
	limited, cancel := context.WithTimeout(ctx, m.config.PlaceWithin)
	defer cancel()
	limited, span := startSpan(limited, len(p.players))
	defer span.End()
	err := m.host.place(limited, p)
	if err == nil {
		m.placed(p)
		return
	}
	span.RecordError(err)
	m.abandon(p)
	if ctx.Err() == nil { // else the process ends, which is no failure
		m.log.WarnContext(ctx, "no hunt for a group: its players search on",
			"hunt", p.hunt.ID, "players", len(p.players), "may_exist", p.touched, "error", err)
	}
}

func (m *Matchmaker) placed(p *placement) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	m.placing--
	m.hunts.add(&p.hunt)
	m.pool.matched(p.tickets, p.hunt.ID, now)
	m.pauses.Reset()
	m.metrics.placed(p.tickets, now)
}

// abandon lets the players search on. If the hunt may be there it stays in the
// list until its engine was told that it is over; nobody ever learns its id as
// theirs.
func (m *Matchmaker) abandon(p *placement) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	m.placing--
	if p.touched {
		p.hunt.State = Abandoned
		m.hunts.add(&p.hunt)
	}
	m.pool.release(p.tickets, now)
	if now.After(m.resume) { // of several that fail together, one counts
		m.resume = now.Add(m.pauses.NextBackOff())
	}
	m.metrics.placements.WithLabelValues("abandoned").Inc()
}

// Open takes a new ticket in.
func (m *Matchmaker) Open(request TicketRequest) (Ticket, error) {
	if refusal := request.check(m.config.Rules.PartyMax); refusal != nil {
		return Ticket{}, refusal
	}
	t := &Ticket{ID: newID("ticket"), TicketRequest: request, State: Searching}
	m.mu.Lock()
	defer m.mu.Unlock()
	t.Since = time.Now()
	if refusal := m.pool.add(t); refusal != nil {
		return Ticket{}, refusal
	}
	return *t, nil
}

// Ticket is a ticket as it is now.
func (m *Matchmaker) Ticket(id string) (Ticket, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	t, refusal := m.pool.get(id)
	if refusal != nil {
		return Ticket{}, refusal
	}
	return *t, nil
}

// Cancel takes a ticket back that searches.
func (m *Matchmaker) Cancel(id string) (Ticket, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	before := m.pool.open
	t, refusal := m.pool.cancel(id, time.Now())
	if refusal != nil {
		return Ticket{}, refusal
	}
	m.metrics.done(Cancelled, before-m.pool.open)
	return *t, nil
}
