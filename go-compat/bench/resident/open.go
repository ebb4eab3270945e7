package resident

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"

	"treasurehunt.example/go-compat/bench/arm"
	"treasurehunt.example/go-compat/bench/loader"
	"treasurehunt.example/go-compat/bench/quota"
	"treasurehunt.example/go-compat/bench/report"
)

// openArm is a server that all players are on, and the load that has its turns on it.
type openArm struct {
	name   string
	server arm.Server
	client loader.Client

	serving *arm.Serving
	load    *loader.Load
	results []loader.Result
}

// Places of the arms.
const (
	memory = iota
	kept
	echo
	engine
)

func (b *bench) openArms() []*openArm {
	sidecar := arm.SidecarServer(b.BinDir)
	return []*openArm{
		memory: {name: "sidecar", server: sidecar, client: loader.Batching},
		kept:   {name: "sidecar-sync", server: sidecar.WithData(), client: loader.Batching},
		echo:   {name: "echo", server: arm.EchoServer(b.BinDir, "grpc"), client: loader.Batching},
		engine: {name: "go-unary", server: arm.LegacyServer(b.BinDir, arm.GoTuning...), client: loader.Unary},
	}
}

// Open is the suite of latencies: commands come at their own times, on all players in
// turn. A million players are long in joining, so all servers are started before the
// first round and have nothing to do while it is another's turn.
func Open(ctx context.Context, config Config, r *report.Report, log *slog.Logger) error {
	b := &bench{config, "open", r, log}
	if err := b.open(ctx); err != nil {
		return fmt.Errorf("%s: %w", b.suite, err)
	}
	return nil
}

func (b *bench) open(ctx context.Context) error {
	apart, err := arm.Apart()
	if err != nil {
		return err
	}
	ofLoad, err := b.allocatedByTheLoad(ctx, apart)
	if err != nil {
		return err
	}
	arms := b.openArms()
	return b.withAll(ctx, apart, arms, func() error {
		for round := 1; round <= b.Rounds; round++ {
			for _, a := range arms {
				result, err := a.load.Play(b.turn())
				if err != nil {
					return fmt.Errorf("round %d, %s: %w", round, a.name, err)
				}
				b.log.Info("played", "suite", b.suite, "round", round, "arm", a.name, "p50_ms", result.Open.Latency.P50, "p99_ms", result.Open.Latency.P99,
					"late_p99_ms", result.Open.LateMs.P99, "server_wait_p99_ms", result.Server.WaitP99Ms, "errors", result.Failed())
				b.ran(a.name, round, result)
				a.results = append(a.results, result)
			}
		}
		if err := b.openFigures(arms, ofLoad); err != nil {
			return err
		}
		return b.underQuota(arms[memory])
	})
}

func (b *bench) turn() loader.Turn {
	return loader.Turn{WarmUp: b.WarmUp, Length: b.Length, PerSecond: b.PerSecond}
}

// withAll starts the arms, one within the other, and does work with them all.
func (b *bench) withAll(ctx context.Context, apart arm.Cores, arms []*openArm, work func() error) error {
	if len(arms) == 0 {
		return work()
	}
	a := arms[0]
	return a.server.With(ctx, b.Dir, a.name, apart.Server, func(serving *arm.Serving) (err error) {
		job := b.job(a.client)
		job.Socket, job.ServerPID = serving.Socket, serving.PID()
		a.serving = serving
		if a.load, err = loader.Start(ctx, job, apart.Load, arm.GoTuning...); err != nil {
			return err
		}
		b.log.Info("everybody has joined", "suite", b.suite, "arm", a.name, "players", job.Hunts*job.Players)
		if err := b.withAll(ctx, apart, arms[1:], work); err != nil {
			return err
		}
		return a.load.End()
	})
}

func (b *bench) openFigures(arms []*openArm, ofLoad float64) error {
	at := fmt.Sprintf("%.0f/s, open loop, %d players: ", b.PerSecond, b.Hunts*huntPlayers)
	p99 := func(r loader.Result) float64 { return r.Open.Latency.P99 }
	for _, ratio := range []struct {
		name, what string
		a, b       *openArm
		goal       report.Goal
	}{
		{"p99-to-echo", "99 of 100 answers came within, to the same echoed by tonic", arms[memory], arms[echo], report.AtMost(1.2)},
		{"p99-to-go", "the same, to unary calls of the Go engine behind grpc-go", arms[memory], arms[engine], report.AtMost(0.5)},
		{"p99-sync-to-go", "the same with the journal synced before the answer", arms[kept], arms[engine], report.Goal{}},
	} {
		figure, err := report.Ratio(report.Figure{
			Name: ratio.name, What: at + ratio.what, A: ratio.a.name, B: ratio.b.name, Unit: "ms", Goal: ratio.goal,
			Errors: failed(ratio.a.results) + failed(ratio.b.results),
		}, values(ratio.a.results, p99), values(ratio.b.results, p99))
		if err != nil {
			return err
		}
		b.add(figure)
	}
	alone := func(name, what, unit string, a *openArm, goal report.Goal, of func(loader.Result) float64) {
		b.add(report.Of(report.Figure{Name: name, What: at + what, Unit: unit, Goal: goal, Errors: failed(a.results)}, values(a.results, of)...))
	}
	alone("scheduler", "99 of 100 times a thread of the sidecar that was ready to run was given a core within, or sooner", "ms", arms[memory], report.AtMost(0.4),
		func(r loader.Result) float64 { return r.Server.WaitP99Ms })
	alone("scheduler-mean", "the same on average", "ms", arms[memory], report.Goal{}, func(r loader.Result) float64 { return r.Server.WaitMs })
	alone("allocated", "what the client of the sidecar allocates, less the load's own part", "MB/s", arms[memory], report.AtMost(2.5),
		func(r loader.Result) float64 { return allocated(r) - ofLoad })
	alone("late", "the load's own part, 99 of 100 commands were sent within", "ms", arms[memory], report.Goal{},
		func(r loader.Result) float64 { return r.Open.LateMs.P99 })
	alone("resident", "memory of the sidecar in all, with its journal", "MB", arms[kept], report.AtMost(250),
		func(r loader.Result) float64 { return float64(r.Server.ResidentBytes) / 1e6 })
	alone("resident-memory", "the same without a journal, whose records are then in memory", "MB", arms[memory], report.Goal{},
		func(r loader.Result) float64 { return float64(r.Server.ResidentBytes) / 1e6 })
	return nil
}

func allocated(r loader.Result) float64 { return float64(r.Heap.AllocatedBytes) / r.Seconds / 1e6 }

// allocatedByTheLoad is what an open loop to nobody allocates.
func (b *bench) allocatedByTheLoad(ctx context.Context, apart arm.Cores) (float64, error) {
	job := b.job(loader.Nobody)
	job.ServerPID = os.Getpid() // who is sampled instead of a server, at the same cost
	result, err := loader.Run(ctx, job, b.turn(), apart.Load, arm.GoTuning...)
	if err != nil {
		return 0, err
	}
	b.ran("nobody", 1, result)
	b.add(report.Of(report.Figure{
		Name: "allocated-load", What: fmt.Sprintf("%.0f/s, open loop, to nobody: the load's own part of what is allocated", b.PerSecond), Unit: "MB/s",
	}, allocated(result)))
	return allocated(result), nil
}

// quotaCores is what the sidecar has of a core where it has less.
const quotaCores = 0.8

// underQuota is one more turn, with less CPU.
func (b *bench) underQuota(a *openArm) (err error) {
	figure := report.Figure{
		Name: "quota-p99", What: fmt.Sprintf("%.0f/s, open loop, the sidecar with a quota of %.0f %% of a core: 99 of 100 answers came within", b.PerSecond, 100*quotaCores),
		Unit: "ms", Goal: report.AtMost(50),
	}
	lift, err := quota.Limit(a.serving.PID(), quotaCores)
	if err != nil {
		figure.NotReached = err.Error()
		b.add(figure)
		return nil
	}
	defer func() { err = errors.Join(err, lift()) }()
	result, err := a.load.Play(b.turn())
	if err != nil {
		return err
	}
	b.ran(a.name+"-quota", 1, result)
	figure.Errors = result.Failed()
	b.add(report.Of(figure, result.Open.Latency.P99))
	return nil
}

func values(results []loader.Result, of func(loader.Result) float64) (values []float64) {
	for _, result := range results {
		values = append(values, of(result))
	}
	return values
}

func failed(results []loader.Result) (failed uint64) {
	for _, result := range results {
		failed += result.Failed()
	}
	return failed
}
