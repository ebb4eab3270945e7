package story

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"treasurehunt.example/go-compat/bench/loader"
	"treasurehunt.example/go-compat/bench/report"
)

// Config says how long and how hard.
type Config struct {
	// BinDir holds player-state and legacy-engine; Dir gets sockets, logs and ledgers.
	BinDir, Dir string
	Seed        uint64
	// PerSecond is the rate of the open loops.
	PerSecond float64
	// Players are how many an engine is measured with, ascending, and ShardPlayers how many
	// a whole shard has, at every rollout, and ShardPlayersMax at none and at all. All are
	// in hunts of 250.
	Players                       []int
	ShardPlayers, ShardPlayersMax int
	// WarmUp is played before a point is measured, and Length is measured. The Go collector
	// has work once in many seconds where players are many and GOGC is 100.
	WarmUp, Length time.Duration
	// SpikeLength is how long commands then come at twice the rate.
	SpikeLength time.Duration
}

const (
	suite       = "story"
	huntPlayers = 250
	// treasures are few: what is weighed is players.
	treasures = 256
	// callers are so many that an arrival finds a free one through 0.4 s without an answer.
	callers = 4096
	// spike is how many times the rate a spike has.
	spike = 2
)

// bench is one run of the suite.
type bench struct {
	Config
	report *report.Report
	log    *slog.Logger
}

// Run runs the suite, and adds its figures and runs to the report.
func Run(ctx context.Context, config Config, r *report.Report, log *slog.Logger) error {
	b := &bench{config, r, log}
	if err := b.engines(ctx); err != nil {
		return fmt.Errorf("%s: %w", suite, err)
	}
	if err := b.shards(ctx); err != nil {
		return fmt.Errorf("%s: a whole shard: %w", suite, err)
	}
	return nil
}

func (b *bench) job(client loader.Client, players int) loader.Job {
	return loader.Job{
		Client: client, Seed: b.Seed, Hunts: players / huntPlayers, Players: huntPlayers, Treasures: treasures, Callers: callers,
	}
}

func (b *bench) turn() loader.Turn { return loader.Turn{Length: b.Length, PerSecond: b.PerSecond} }

// warm plays what is not measured.
func (b *bench) warm(load *loader.Load) error {
	_, err := load.Play(loader.Turn{Length: b.WarmUp, PerSecond: b.PerSecond})
	return err
}

func (b *bench) add(figures ...report.Figure) {
	b.report.Figures = append(b.report.Figures, figures...)
}

func (b *bench) ran(arm string, result any) {
	b.report.Runs = append(b.report.Runs, report.Run{Suite: suite, Arm: arm, Round: 1, Result: result})
}

// column is a figure of a row of a table.
type column struct {
	name, unit string
	value      float64
	goal       report.Goal
}

// row adds the figures of a row, as group/row/column.
func (b *bench) row(group, row string, failed uint64, columns ...column) {
	for _, c := range columns {
		b.add(report.Of(report.Figure{Name: group + "/" + row + "/" + c.name, What: c.name, Unit: c.unit, Goal: c.goal, Errors: failed}, c.value))
	}
}

// latencies of an open loop.
func latencies(result loader.Result, p99 report.Goal) []column {
	return []column{
		{name: "p50", unit: "ms", value: result.Open.Latency.P50},
		{name: "p99", unit: "ms", value: result.Open.Latency.P99, goal: p99},
		{name: "max", unit: "ms", value: result.Open.Latency.Max},
	}
}

func (c collected) columns(seconds float64) []column {
	return []column{
		{name: "allocated", unit: "MB/s", value: c.AllocatedBytes / seconds / 1e6},
		{name: "collections", unit: "times", value: float64(c.Collections)},
		{name: "longest pause", unit: "ms", value: c.PauseMaxMs},
		{name: "pauses in all", unit: "ms", value: c.PauseTotalMs},
	}
}

func ofLoad(heap loader.Heap) collected {
	return collected{
		AllocatedBytes: float64(heap.AllocatedBytes), Collections: heap.Collections, PauseMaxMs: heap.PauseMaxMs, PauseTotalMs: heap.PauseTotalMs,
	}
}

func megabytes(bytes int64) float64 { return float64(bytes) / 1e6 }
