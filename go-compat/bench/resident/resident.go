package resident

import (
	"log/slog"
	"time"

	"treasurehunt.example/go-compat/bench/loader"
	"treasurehunt.example/go-compat/bench/report"
)

// Config says how long and how hard.
type Config struct {
	// BinDir holds player-state, legacy-engine and echo; Dir gets sockets, logs and data.
	BinDir, Dir string
	Seed        uint64
	// Hunts of 250 players each.
	Hunts int
	// PerSecond is the rate of the open loops.
	PerSecond float64
	// Rounds is how often every arm of the open loop has its turn. WarmUp is played
	// before a turn is measured, and Length is measured.
	Rounds         int
	WarmUp, Length time.Duration
	// VegetaLength is how long vegeta attacks.
	VegetaLength time.Duration
	// Connections are how many are idle at once, ascending.
	Connections []int
}

const (
	huntPlayers = 250
	// treasures are few: what a hunt takes is not a player's.
	treasures = 256
	// callers are so many that an arrival finds a free one through 0.4 s without an answer.
	callers = 4096
)

// bench is one run of a suite.
type bench struct {
	Config
	suite  string
	report *report.Report
	log    *slog.Logger
}

func (b *bench) job(client loader.Client) loader.Job {
	return loader.Job{
		Client: client, Seed: b.Seed, Hunts: b.Hunts, Players: huntPlayers, Treasures: treasures, Callers: callers,
	}
}

func (b *bench) add(figures ...report.Figure) {
	for _, figure := range figures {
		figure.Name = b.suite + "/" + figure.Name
		b.report.Figures = append(b.report.Figures, figure)
	}
}

func (b *bench) ran(arm string, round int, result any) {
	b.report.Runs = append(b.report.Runs, report.Run{Suite: b.suite, Arm: arm, Round: round, Result: result})
}
