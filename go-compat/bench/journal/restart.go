package journal

import (
	"context"
	"fmt"
	"slices"
	"time"

	"treasurehunt.example/go-compat/bench/arm"
	"treasurehunt.example/go-compat/bench/crowd"
	"treasurehunt.example/go-compat/bench/load"
	"treasurehunt.example/go-compat/bench/report"
)

// restarts are the sizes of a shard that is killed, each with its goal.
var restarts = []struct {
	name           string
	hunts, players int // players of each
	goal           report.Goal
}{
	{"restart-100k", 2000, 50, report.AtMost(0.5)},
	{"restart-1m", 2000, 500, report.AtMost(3)},
}

// treasuresOfMany is how many lie in each of many hunts.
const treasuresOfMany = 256

// restartRun is what the restarts of one size leave in the report.
type restartRun struct {
	Players int       `json:"players"`
	Seconds []float64 `json:"seconds"`
}

// restart kills a shard of each size under load, again and again, and measures how long
// it is away.
func (b *bench) restart(ctx context.Context) error {
	durable, _, _, _ := b.turns()
	for _, size := range restarts {
		run := restartRun{Players: size.hunts * size.players}
		err := arm.With(ctx, durable.arm, b.Dir, func(running *arm.Running) error {
			c := crowd.New(b.Seed, size.hunts, size.players)
			c.Treasures = treasuresOfMany
			if err := c.SitDown(ctx, running.Engine); err != nil {
				return err
			}
			callers := load.OneByOne(c.Callers(running.Engine, callersMany))
			for range b.Rounds {
				result, err := load.Closed{Callers: callers, WarmUp: b.WarmUp, Length: b.Length}.Run(ctx)
				if err != nil {
					return err
				}
				took, err := running.Restart(ctx)
				if err != nil {
					return err
				}
				b.log.Info("killed and ready again", "players", run.Players, "applied_per_s", int(result.AppliedPerSecond()), "took", took.Round(time.Millisecond))
				run.Seconds = append(run.Seconds, took.Seconds())
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("%s: %w", size.name, err)
		}
		b.report.Runs = append(b.report.Runs, report.Run{Suite: suite, Arm: size.name, Round: 1, Result: run})
		b.report.Figures = append(b.report.Figures, report.Figure{
			Name: suite + "/" + size.name, What: fmt.Sprintf("%d players in %d hunts, killed under the load of 1,024 callers: ready again after", run.Players, size.hunts),
			Value: report.Median(run.Seconds), Min: slices.Min(run.Seconds), Max: slices.Max(run.Seconds), Unit: "s", Goal: size.goal,
		})
	}
	return nil
}
