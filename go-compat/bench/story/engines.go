package story

import (
	"context"
	"fmt"

	"treasurehunt.example/go-compat/bench/account"
	"treasurehunt.example/go-compat/bench/arm"
	"treasurehunt.example/go-compat/bench/loader"
	"treasurehunt.example/go-compat/bench/report"
)

// What the story has of its sidecar.
const (
	storyPlayers = 1_000_000
	storyP99Ms   = 14.2
)

// engine is an arm. The load reaches all of them through sidecar.Client: single calls
// take most of a core of the Go engine's server by themselves.
type engine struct {
	name   string
	server arm.Server
	goes   bool // a Go process, whose collector is looked at
}

func (b *bench) arms() []engine {
	legacy := func(gogc string) arm.Server { return arm.LegacyServer(b.BinDir, "GOGC="+gogc, traced) }
	return []engine{
		{"sidecar", arm.SidecarServer(b.BinDir), false},
		{"go", legacy("100"), true},
		{"go-gogc10", legacy("10"), true},
	}
}

// point is an engine with so many players.
type point struct {
	Players int `json:"players"`
	loader.Result
	Collector *collected `json:"collector,omitempty"` // the server's
	// AfterSpikeBytes is the server's resident memory when commands had come at twice the rate.
	AfterSpikeBytes int64 `json:"after_spike_bytes"`
}

// engines measures each with more and more players, pinned apart from the load.
func (b *bench) engines(ctx context.Context) error {
	cores, err := arm.Apart()
	if err != nil {
		return err
	}
	for _, players := range b.Players {
		for _, e := range b.arms() {
			p, err := b.point(ctx, e, players, cores)
			name := fmt.Sprintf("%s-%dk", e.name, players/1000)
			if err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			b.log.Info("played", "suite", suite, "arm", name, "p50_ms", p.Open.Latency.P50, "p99_ms", p.Open.Latency.P99, "errors", p.Failed())
			b.ran(name, p)
			b.row("players", name, p.Failed(), p.columns(e)...)
		}
	}
	return nil
}

func (p point) columns(e engine) []column {
	var goal report.Goal
	if !e.goes && p.Players == storyPlayers {
		goal = report.AtMost(storyP99Ms)
	}
	columns := append(latencies(p.Result, goal),
		column{name: "resident", unit: "MB", value: megabytes(p.Server.ResidentBytes)},
		column{name: "after a spike", unit: "MB", value: megabytes(p.AfterSpikeBytes)},
		column{name: "CPU", unit: "% of a core", value: percentOf(p.Server, p.Result)},
		column{name: "scheduler p99", unit: "ms", value: p.Server.WaitP99Ms})
	if p.Collector != nil {
		columns = append(columns, p.Collector.columns(p.Seconds)...)
	}
	return columns
}

func (b *bench) point(ctx context.Context, e engine, players int, cores arm.Cores) (p point, err error) {
	p.Players = players
	err = e.server.With(ctx, b.Dir, e.name, cores.Server, func(serving *arm.Serving) error {
		job := b.job(loader.Batching, players)
		job.Socket, job.ServerPID = serving.Socket, serving.PID()
		load, err := loader.Start(ctx, job, cores.Load, arm.GoTuning...)
		if err != nil {
			return err
		}
		if err := b.warm(load); err != nil {
			return err
		}
		if p.Result, p.Collector, err = b.watchedTurn(ctx, e, serving, load); err != nil {
			return err
		}
		if _, err := load.Play(loader.Turn{Length: b.SpikeLength, PerSecond: spike * b.PerSecond}); err != nil {
			return fmt.Errorf("the spike: %w", err)
		}
		if p.AfterSpikeBytes, err = account.Resident(serving.PID()); err != nil {
			return err
		}
		return load.End()
	})
	return p, err
}

// watchedTurn is a turn, with what the server's collector did in it.
func (b *bench) watchedTurn(ctx context.Context, e engine, serving *arm.Serving, load *loader.Load) (loader.Result, *collected, error) {
	if !e.goes {
		result, err := load.Play(b.turn())
		return result, nil, err
	}
	w, err := watch(ctx, serving)
	if err != nil {
		return loader.Result{}, nil, err
	}
	result, err := load.Play(b.turn())
	if err != nil {
		return result, nil, err
	}
	c, err := w.seen(ctx)
	return result, &c, err
}
