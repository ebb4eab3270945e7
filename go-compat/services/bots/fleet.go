// Package bots plays hunts as players would: parties ask the matchmaker for a
// hunt, walk to what they want, dig, pick up, and use every power-up on whom it
// hurts. They call the router's server like any other service of the shard, and
// keep exact count of what they were answered, so that an audit can hold the
// aggregator's numbers against it.
//
// Decisions come from a seed: the same seed, given the same answers, plays the
// same game.
package bots

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	pb "treasurehunt.example/go-compat/gen/playerstatev1"
	"treasurehunt.example/go-compat/playerstate"
	"treasurehunt.example/go-compat/services/audit"
)

// Walkthrough computes how a hunt begins from its settings, where every treasure
// and cache lies included.
type Walkthrough func(huntID string, settings *pb.HuntSettings) (*pb.HuntSnapshot, error)

// Config says who plays, and how.
type Config struct {
	Engine      playerstate.Commander // a client of the router's server
	Matchmaker  string                // host:port of its JSON API
	Walkthrough Walkthrough
	Rulesets    map[string]Ruleset // by name; "" is one too

	Seed     uint64
	Players  int           // in all, at once
	Party    int           // players who ask for a hunt together
	Think    time.Duration // between two commands of a player, on average
	Deadline time.Duration // of each call
	Patient  time.Duration // how long after a hunt's end an unanswered command is still asked for

	// Progress is called about every second with a line on how it goes; nil for silence.
	Progress func(line string)
	Log      *slog.Logger
}

// Fleet is a crowd of bots. Run it once.
type Fleet struct {
	config Config
	lobby  *lobby
	ids    *playerstate.RequestIDs
	tally  *tally

	mu    sync.Mutex // guards hunts; never held over a call
	hunts map[string]*hunt
}

// New makes a fleet.
func New(config Config) *Fleet {
	return &Fleet{
		config: config,
		lobby:  newLobby(config.Matchmaker),
		ids:    playerstate.NewRequestIDs(),
		tally:  newTally(config.Log),
		hunts:  make(map[string]*hunt),
	}
}

// Run plays until enough is over, then lets the running hunts end and reports.
// When ctx is over, everybody stops where they are.
func (f *Fleet) Run(ctx, enough context.Context) *audit.Report {
	playing := make(chan struct{})
	go f.progress(playing)

	var parties sync.WaitGroup
	results := make(chan result, 64)
	for first := 0; first < f.config.Players; first += f.config.Party {
		size := min(f.config.Party, f.config.Players-first)
		parties.Go(func() { f.runParty(ctx, enough, f.newParty(first, size), results) })
	}
	go func() {
		parties.Wait()
		close(results)
	}()
	gathered := newReporter(f.config.Seed)
	for r := range results {
		gathered.add(r.hunt, r.player)
	}
	close(playing)
	report := gathered.report()
	report.FailedCalls = f.tally.failedCalls()
	return report
}

// party is a few players who look for hunts together, one after the other.
type party struct {
	players []uint64
	skill   int
	region  string
	random  *rand.Rand
}

func (f *Fleet) newParty(first, size int) *party {
	regions := []string{"eu", "us", "asia"}
	random := rand.New(rand.NewPCG(f.config.Seed, uint64(first)))
	p := &party{
		skill:  600 + random.IntN(1200),
		region: regions[random.IntN(len(regions))],
		random: random,
	}
	for i := range size {
		p.players = append(p.players, uint64(1+first+i))
	}
	return p
}

// result is what one player of a hunt saw of it.
type result struct {
	hunt   *hunt
	player audit.Player
}

func (f *Fleet) runParty(ctx, enough context.Context, p *party, results chan<- result) {
	looking, stop := context.WithCancel(ctx)
	defer stop()
	defer context.AfterFunc(enough, stop)()
	for looking.Err() == nil {
		id, err := f.lobby.findHunt(looking, p.players, p.skill, p.region)
		if err == nil {
			f.playHunt(ctx, p, f.sitDown(id), results)
			continue
		}
		if looking.Err() == nil {
			f.config.Log.Warn("no hunt for a party", "first_player", p.players[0], "error", err)
		}
		select {
		case <-looking.Done():
		case <-time.After(500 * time.Millisecond):
		}
	}
}

func (f *Fleet) playHunt(ctx context.Context, p *party, h *hunt, results chan<- result) {
	if err := h.open(ctx, f.config.Engine, f.config.Walkthrough); err != nil {
		f.config.Log.Error("a hunt that cannot be opened", "hunt", h.id, "error", err)
	}
	f.tally.sat(len(p.players))
	defer f.tally.sat(-len(p.players))
	var seats sync.WaitGroup
	for _, player := range p.players {
		random := rand.New(rand.NewPCG(p.random.Uint64(), player))
		seats.Go(func() {
			played := audit.Player{ID: player}
			if h.err == nil {
				played = f.seat(h, player, random).play(ctx)
			}
			results <- result{h, played}
		})
	}
	seats.Wait()
	f.standUp(h)
}

func (f *Fleet) seat(h *hunt, player uint64, random *rand.Rand) *seat {
	return &seat{
		hunt:   h,
		player: player,
		brain: &brain{
			player: player, terrain: h.terrain, ruleset: f.config.Rulesets[h.ruleset], random: random,
		},
		engine: f.config.Engine, ids: f.ids, tally: f.tally,
		think: f.config.Think, patient: f.config.Patient,
	}
}

// sitDown finds the hunt that other parties may sit in already.
func (f *Fleet) sitDown(id string) *hunt {
	f.mu.Lock()
	defer f.mu.Unlock()
	h := f.hunts[id]
	if h == nil {
		h = &hunt{id: id, deadline: f.config.Deadline}
		f.hunts[id] = h
	}
	h.parties++
	return h
}

// standUp lets a hunt go that nobody sits in any more.
func (f *Fleet) standUp(h *hunt) {
	f.mu.Lock()
	defer f.mu.Unlock()
	h.parties--
	if h.parties == 0 {
		delete(f.hunts, h.id)
		f.tally.huntOver()
	}
}

func (f *Fleet) progress(done <-chan struct{}) {
	if f.config.Progress == nil {
		return
	}
	start := time.Now()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-done:
			return
		case <-tick.C:
			f.config.Progress(fmt.Sprintf("%3.0fs  %s", time.Since(start).Seconds(), f.tally.line()))
		}
	}
}
