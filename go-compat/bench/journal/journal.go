package journal

import (
	"context"
	"fmt"
	"log/slog"
	"slices"

	"treasurehunt.example/go-compat/bench/arm"
	"treasurehunt.example/go-compat/bench/crowd"
	"treasurehunt.example/go-compat/bench/load"
	"treasurehunt.example/go-compat/bench/report"
)

const suite = "journal"

// bench is one run of the suite.
type bench struct {
	Config
	report *report.Report
	log    *slog.Logger
}

// turn is an arm with so many callers.
type turn struct {
	name    string
	arm     arm.Arm
	callers int
}

func (c Config) turns() (sync, none, one, redis turn) {
	durable := arm.Sidecar{BinDir: c.BinDir, Durability: "sync"}
	return turn{"sync", durable, callersMany},
		turn{"none", arm.Sidecar{BinDir: c.BinDir, Durability: "none"}, callersMany},
		turn{"sync-1", durable, callersOne},
		turn{"redis", arm.Redis{Connections: redisConnections, FlushDelay: redisFlushDelay}, callersMany}
}

// Run runs the suite, and adds its figures and runs to the report.
func Run(ctx context.Context, config Config, r *report.Report, log *slog.Logger) error {
	b := &bench{config, r, log}
	if err := b.compare(ctx); err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	if err := b.open(ctx); err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	if err := b.restart(ctx); err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	return nil
}

// results are those of each turn, by its name, one a round.
type results map[string][]load.ClosedResult

// compare gives every arm its turn in every round.
func (b *bench) compare(ctx context.Context) error {
	sync, none, one, redis := b.turns()
	turns := []turn{sync, none, one, redis}
	for _, t := range turns {
		version, err := t.arm.Version()
		if err != nil {
			return err
		}
		b.report.Programs[arm.ProgramOf(t.arm)] = version
	}
	all := make(results)
	for round := 1; round <= b.Rounds; round++ {
		for _, t := range turns {
			result, err := b.play(ctx, t)
			if err != nil {
				return fmt.Errorf("round %d: %w", round, err)
			}
			b.log.Info("played", "round", round, "arm", t.name, "applied_per_s", int(result.AppliedPerSecond()), "errors", result.Failed())
			b.report.Runs = append(b.report.Runs, report.Run{Suite: suite, Arm: t.name, Round: round, Result: result})
			all[t.name] = append(all[t.name], result)
		}
	}
	return b.figures(all)
}

// play is one turn.
func (b *bench) play(ctx context.Context, t turn) (result load.ClosedResult, err error) {
	err = arm.With(ctx, t.arm, b.Dir, func(running *arm.Running) error {
		c := crowd.New(b.Seed, hunts, players)
		if err := c.SitDown(ctx, running.Engine); err != nil {
			return err
		}
		result, err = load.Closed{Callers: load.OneByOne(c.Callers(running.Engine, t.callers)), WarmUp: b.WarmUp, Length: b.Length}.Run(ctx)
		if err == nil && result.Applied == 0 {
			err = fmt.Errorf("no command was applied; errors: %v", result.Errors)
		}
		return err
	})
	return result, err
}

func (b *bench) figures(all results) error {
	sync, none, one, redis := b.turns()
	for _, f := range []struct {
		name, what string
		a, b       turn
		goal       report.Goal
	}{
		{"sync-to-none", "1,024 callers, answered after the sync, to answered before", sync, none, report.AtLeast(0.5)},
		{"group-commit", "1,024 callers, to one, whose every command waits for a sync of its own", sync, one, report.AtLeast(30)},
		{"sync-to-redis", "1,024 callers, to Redis with `appendfsync always` and the same in Lua", sync, redis, report.AtLeast(1.5)},
	} {
		figure, err := report.Ratio(report.Figure{
			Name: suite + "/" + f.name, What: f.what, A: f.a.name, B: f.b.name, Unit: "commands/s",
			Errors: failed(all[f.a.name]) + failed(all[f.b.name]), Goal: f.goal,
		}, rates(all[f.a.name]), rates(all[f.b.name]))
		if err != nil {
			return err
		}
		b.report.Figures = append(b.report.Figures, figure)
	}
	b.report.Figures = append(b.report.Figures, appliedShare(all))
	return nil
}

func rates(results []load.ClosedResult) (rates []float64) {
	for _, result := range results {
		rates = append(rates, result.AppliedPerSecond())
	}
	return rates
}

func failed(results []load.ClosedResult) (failed uint64) {
	for _, result := range results {
		failed += result.Failed()
	}
	return failed
}

// appliedShare shows that the rates are of commands that were applied.
func appliedShare(all results) report.Figure {
	var sum load.Tally
	var shares []float64
	for _, results := range all {
		for _, result := range results {
			sum.Add(result.Tally)
			shares = append(shares, 100*result.AppliedShare())
		}
	}
	return report.Figure{
		Name: suite + "/applied", What: "of the answered commands, those that were applied and recorded; the others are digs where nothing was",
		Value: 100 * sum.AppliedShare(), Min: slices.Min(shares), Max: slices.Max(shares), Unit: "%", Errors: sum.Failed(),
	}
}
