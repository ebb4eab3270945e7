package story

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"treasurehunt.example/go-compat/bench/arm"
	"treasurehunt.example/go-compat/bench/loader"
	"treasurehunt.example/go-compat/bench/report"
)

// shard is a whole one: a Go process with its collector so tuned, and a sidecar for so
// many percent of the hunts. At 0 there is none.
type shard struct {
	players int
	gogc    string
	percent float64
	linger  time.Duration // of sidecar.Config; 0 is its default
}

func (s shard) name() string {
	tuned := ""
	if s.gogc != defaultGOGC {
		tuned = "-gogc" + s.gogc
	}
	if s.linger != 0 {
		tuned += "-linger-" + s.linger.String()
	}
	return fmt.Sprintf("%.0f-percent-%dk%s", s.percent, s.players/1000, tuned)
}

const defaultGOGC = "100"

// shards measures them, each on all cores, as a shard has them.
func (b *bench) shards(ctx context.Context) error {
	load, err := b.playShard(ctx, "nobody", loader.Nobody, shard{players: b.ShardPlayers, gogc: defaultGOGC})
	if err != nil {
		return err
	}
	for _, each := range []struct {
		players int
		gogc    string
		with    []shard // of these only percent and linger
	}{
		{b.ShardPlayers, defaultGOGC, []shard{{percent: 25}, {percent: 100}, {percent: 100, linger: time.Millisecond}, {percent: 100, linger: 5 * time.Millisecond}}},
		{b.ShardPlayers, "10", []shard{{percent: 100}}},
		{b.ShardPlayersMax, defaultGOGC, []shard{{percent: 100}}},
		{b.ShardPlayersMax, "10", []shard{{percent: 100}}},
	} {
		none := shard{players: each.players, gogc: each.gogc}
		before, err := b.playShard(ctx, none.name(), loader.Shard, none)
		if err != nil {
			return err
		}
		for _, s := range each.with {
			s.players, s.gogc = each.players, each.gogc
			after, err := b.playShard(ctx, s.name(), loader.Shard, s)
			if err != nil {
				return err
			}
			if err := b.changes(none, s, before, after, load); err != nil {
				return err
			}
		}
	}
	return nil
}

func shardColumns(s shard, result loader.Result) []column {
	columns := []column{{name: "CPU", unit: "% of a core", value: cpuPercent(result)}}
	if s.percent > 0 {
		columns = append(columns, column{name: "of it the sidecar", unit: "% of a core", value: percentOf(result.Server, result)})
	}
	columns = append(append(columns, latencies(result, report.Goal{})...), ofLoad(result.Heap).columns(result.Seconds)...)
	columns = append(columns, column{name: "resident", unit: "MB", value: megabytes(result.Client.ResidentBytes)})
	if s.percent > 0 {
		columns = append(columns, column{name: "the sidecar's", unit: "MB", value: megabytes(result.Server.ResidentBytes)})
	}
	return columns
}

// cpuPercent is what the load process, with the Go engine in it, and the sidecar use of a core.
func cpuPercent(r loader.Result) float64 { return percentOf(r.Client, r) + percentOf(r.Server, r) }

func percentOf(used loader.Used, r loader.Result) float64 { return 100 * used.CPUSeconds / r.Seconds }

// playShard is a turn on a shard of its own, and its row.
func (b *bench) playShard(ctx context.Context, name string, client loader.Client, s shard) (loader.Result, error) {
	result, err := b.playedShard(ctx, client, s)
	if err != nil {
		return result, fmt.Errorf("%s: %w", name, err)
	}
	b.log.Info("played", "suite", suite, "arm", name, "p99_ms", result.Open.Latency.P99, "cpu_percent", cpuPercent(result), "errors", result.Failed())
	b.ran("shard-"+name, result)
	b.row("shard", name, result.Failed(), shardColumns(s, result)...)
	return result, nil
}

func (b *bench) playedShard(ctx context.Context, client loader.Client, s shard) (result loader.Result, err error) {
	dir, err := os.MkdirTemp(b.Dir, "shard-")
	if err != nil {
		return result, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	job := b.job(client, s.players)
	job.Canary = &loader.Canary{Percent: s.percent, Linger: s.linger, Ledger: filepath.Join(dir, "ledger")}
	play := func() (err error) {
		load, err := loader.Start(ctx, job, arm.AnyCore, "GOGC="+s.gogc)
		if err != nil {
			return err
		}
		if err := b.warm(load); err != nil {
			return err
		}
		if result, err = load.Play(b.turn()); err != nil {
			return err
		}
		return load.End()
	}
	if s.percent == 0 {
		// This process does nothing meanwhile, and is sampled in a server's place at the same cost.
		job.Socket, job.ServerPID = filepath.Join(dir, "nobody.sock"), os.Getpid()
		err = play()
		result.Server = loader.Used{}
		return result, err
	}
	err = arm.RoutedServer(b.BinDir).With(ctx, dir, "sidecar", arm.AnyCore, func(serving *arm.Serving) error {
		job.Socket, job.ServerPID = serving.Socket, serving.PID()
		return play()
	})
	return result, err
}

// changes are what the sidecar changes in a shard, to the same without one.
func (b *bench) changes(none, s shard, before, after, load loader.Result) error {
	for _, change := range []struct {
		name, unit string
		of         func(loader.Result) float64
	}{
		{"CPU less the load's", "% of a core", func(r loader.Result) float64 { return cpuPercent(r) - cpuPercent(load) }},
		{"allocated less the load's", "MB/s", func(r loader.Result) float64 { return allocatedPerSecond(r) - allocatedPerSecond(load) }},
		{"resident, both processes", "MB", func(r loader.Result) float64 { return megabytes(r.Client.ResidentBytes + r.Server.ResidentBytes) }},
		{"pauses in all", "ms", func(r loader.Result) float64 { return r.Heap.PauseTotalMs }},
		{"p99", "ms", func(r loader.Result) float64 { return r.Open.Latency.P99 }},
	} {
		figure := report.Figure{
			Name: "change/" + s.name() + "/" + change.name, What: change.name, A: s.name(), B: none.name(), Unit: change.unit,
			Errors: before.Failed() + after.Failed(),
		}
		if change.of(before) == 0 { // a short turn may have no collection
			figure.NotReached = none.name() + " has none"
			b.add(figure)
			continue
		}
		figure, err := report.Ratio(figure, []float64{change.of(after)}, []float64{change.of(before)})
		if err != nil {
			return err
		}
		b.add(figure)
	}
	return nil
}

func allocatedPerSecond(r loader.Result) float64 {
	return float64(r.Heap.AllocatedBytes) / r.Seconds / 1e6
}
