package bridge

import (
	"context"
	"fmt"
	"log/slog"
	"slices"

	"treasurehunt.example/go-compat/bench/arm"
	"treasurehunt.example/go-compat/bench/loader"
	"treasurehunt.example/go-compat/bench/report"
)

// bench is one run of the suite.
type bench struct {
	Config
	report *report.Report
	log    *slog.Logger
}

// results are those of each arm, by its name, one a round.
type results map[string][]loader.Result

// Run runs the suite, and adds its figures and runs to the report.
func Run(ctx context.Context, config Config, r *report.Report, log *slog.Logger) error {
	b := &bench{config, r, log}
	if err := b.versions(); err != nil {
		return fmt.Errorf("bridge: %w", err)
	}
	apart, err := arm.Apart()
	if err != nil {
		return fmt.Errorf("bridge: %w", err)
	}
	turns := config.turns()
	free := slices.DeleteFunc(slices.Clone(turns), func(t turn) bool { return !t.unpinned })
	for _, each := range []struct {
		where   part
		turns   []turn
		figures []ratio
	}{
		{part{"bridge", apart}, turns, slices.Concat(everywhere, pinnedOnly)},
		{part{"bridge-unpinned", arm.Cores{}}, free, everywhere},
	} {
		all, err := b.compare(ctx, each.where, each.turns)
		if err == nil {
			err = b.figures(each.where, each.figures, all)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", each.where.prefix, err)
		}
	}
	return nil
}

func (b *bench) versions() error {
	for _, a := range []arm.Arm{arm.Sidecar{BinDir: b.BinDir}, arm.Redis{}} {
		version, err := a.Version()
		if err != nil {
			return err
		}
		b.report.Programs[arm.ProgramOf(a)] = version
	}
	return nil
}

// compare gives every arm its turn in every round.
func (b *bench) compare(ctx context.Context, where part, turns []turn) (results, error) {
	all := make(results)
	for round := 1; round <= b.Rounds; round++ {
		for _, t := range turns {
			result, err := b.play(ctx, t, where)
			if err != nil {
				return nil, fmt.Errorf("round %d, %s: %w", round, t.name, err)
			}
			b.log.Info("played", "suite", where.prefix, "round", round, "arm", t.name, "per_s", int(result.AnsweredPerSecond()),
				"cpu_us", short(result.CPUMicros()), "server_us", short(result.ServerMicros()), "errors", result.Failed())
			b.report.Runs = append(b.report.Runs, report.Run{Suite: where.prefix, Arm: t.name, Round: round, Result: result})
			all[t.name] = append(all[t.name], result)
		}
	}
	return all, nil
}

func short(micros float64) string { return fmt.Sprintf("%.2f", micros) }

// measure is what a figure compares, of one turn.
type measure struct {
	unit string
	of   func(loader.Result) float64
}

var (
	cpu    = measure{"µs of CPU a command", loader.Result.CPUMicros}
	server = measure{"µs of the server's CPU a command", loader.Result.ServerMicros}
	rate   = measure{"commands/s", func(r loader.Result) float64 { return r.AnsweredPerSecond() }}
)

// ratio is a figure that compares two arms.
type ratio struct {
	name, what string
	a, b       string
	measure    measure
	goal       report.Goal
}

var everywhere = []ratio{
	{"server-batched", "128 callers through sidecar.Client, to the same batches echoed by tonic", armSidecar, armEcho, server, report.AtMost(1.35)},
	{"total", "128 callers through sidecar.Client, to unary calls of the Go engine behind grpc-go; server and client", armSidecar, armGoUnary, cpu, report.AtMost(1.0 / 15)},
	{"in-process", "128 callers through sidecar.Client, to the Go engine in process; server and client", armSidecar, armGo, cpu, report.AtMost(2)},
	{"tick", "a tick's batch of 256, to the Go engine in process", armTick, armGo, cpu, report.AtMost(0.8)},
	{"rate", "128 callers through sidecar.Client, to unary calls of the Go engine behind grpc-go", armSidecar, armGoUnary, rate, report.AtLeast(10)},
}

var pinnedOnly = []ratio{
	{"server-unary", "unary Apply, to the same echoed by tonic", armSidecarUnary, armEchoUnary, server, report.AtMost(1.1)},
	{"redis", "128 callers, to Redis in memory with the same in Lua, 50 connections with 64 callers each", armSidecar, armRedis, rate, report.AtLeast(1.5)},
	{"one-hunt", "all commands on one hunt, to 64 hunts", armOneHunt, armSidecar, rate, report.AtLeast(0.8)},
	{"batching-gain", "the Go engine behind grpc-go, unary, to the same behind sidecar.Client: what batching brings", armGoUnary, armGoBatched, cpu, report.Goal{}},
	{"language-gain", "behind sidecar.Client, the Go engine to the sidecar: what the sidecar brings", armGoBatched, armSidecar, cpu, report.Goal{}},
	{"tick-to-tick", "a tick's batch of 256, to the same batch of the Go engine in process", armTick, armGoTick, cpu, report.Goal{}},
	{"sync", "with the journal synced before the answer, to in memory", armSidecarSync, armSidecar, cpu, report.Goal{}},
	{"echo-to-raw", "batches echoed by tonic, to each command echoed on a bare socket", armEcho, armRaw, cpu, report.Goal{}},
}

func (b *bench) figures(where part, ratios []ratio, all results) error {
	for _, each := range ratios {
		figure, err := report.Ratio(report.Figure{
			Name: where.prefix + "/" + each.name, What: each.what, A: each.a, B: each.b, Unit: each.measure.unit,
			Errors: failed(all[each.a]) + failed(all[each.b]), Goal: each.goal,
		}, values(all[each.a], each.measure), values(all[each.b], each.measure))
		if err != nil {
			return err
		}
		b.report.Figures = append(b.report.Figures, figure)
	}
	if own, measured := all[armNobody]; measured {
		b.report.Figures = append(b.report.Figures, b.alone(where, all[armSidecar], own)...)
	}
	return nil
}

// alone are the figures of one arm each.
func (b *bench) alone(where part, sidecar, nobody []loader.Result) []report.Figure {
	objects := measure{"allocations", func(r loader.Result) float64 { return float64(r.Heap.AllocatedObjects) / float64(r.Answered()) }}
	bytes := measure{"bytes", func(r loader.Result) float64 { return float64(r.Heap.AllocatedBytes) / float64(r.Answered()) }}
	of := func(name, what string, results []loader.Result, m measure, goal report.Goal) report.Figure {
		return report.Of(report.Figure{
			Name: where.prefix + "/" + name, What: what, Unit: m.unit, Goal: goal, Errors: failed(results),
		}, values(results, m)...)
	}
	return []report.Figure{
		of("allocations", "what sidecar.Client allocates a command of 128 callers, in number", sidecar, objects, report.AtMost(2)),
		of("allocated", "the same in bytes", sidecar, bytes, report.AtMost(256)),
		of("load", "128 callers to a function that answers at once: the load's own part of every arm's client", nobody, cpu, report.Goal{}),
	}
}

func values(all []loader.Result, m measure) (values []float64) {
	for _, result := range all {
		values = append(values, m.of(result))
	}
	return values
}

func failed(all []loader.Result) (failed uint64) {
	for _, result := range all {
		failed += result.Failed()
	}
	return failed
}
