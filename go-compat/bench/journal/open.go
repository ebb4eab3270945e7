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

// sizes are what the data directory took on disk.
type sizes struct {
	Before      int64 `json:"before_bytes"`       // after the warm-up, when it changed no more
	BeforeAhead int64 `json:"before_ahead_bytes"` // of these, in write-ahead files
	Settled     int64 `json:"settled_bytes"`      // after the load, when it changed no more
	Ahead       int64 `json:"ahead_bytes"`        // of these, in write-ahead files
	Stopped     int64 `json:"stopped_bytes"`      // after the server had ended
}

// openRun is what the open loop leaves in the report.
type openRun struct {
	load.OpenResult
	Rotations int   `json:"rotations"`
	Disk      sizes `json:"disk"`
}

// open plays at a given rate until the journal was rotated often enough, and weighs
// what that left on disk.
func (b *bench) open(ctx context.Context) error {
	durable, _, _, _ := b.turns()
	var run openRun
	err := arm.With(ctx, durable.arm, b.Dir, func(running *arm.Running) (err error) {
		c := crowd.New(b.Seed, hunts, players)
		if err := c.SitDown(ctx, running.Engine); err != nil {
			return err
		}
		// What the journal takes however little is written is there after the warm-up.
		if _, err := b.offer(ctx, running, c, func() int { return rotationsLeast }, b.OpenLength/warmUpPart); err != nil {
			return err
		}
		if run.Disk.Before, run.Disk.BeforeAhead, err = settled(ctx, running.Data); err != nil {
			return err
		}
		if err := b.measure(ctx, running, c, &run); err != nil {
			return err
		}
		if run.Disk.Settled, run.Disk.Ahead, err = settled(ctx, running.Data); err != nil {
			return err
		}
		if err := running.Stop(); err != nil {
			return err
		}
		run.Disk.Stopped, _, err = diskBytes(running.Data)
		return err
	})
	if err != nil {
		return fmt.Errorf("open loop: %w", err)
	}
	b.report.Runs = append(b.report.Runs, report.Run{Suite: suite, Arm: durable.name, Round: 1, Result: run})
	b.report.Figures = append(b.report.Figures, latencies(run)...)
	b.report.Figures = append(b.report.Figures, bytesACommand(run)...)
	return nil
}

// measure offers the load until the journal was rotated often enough.
func (b *bench) measure(ctx context.Context, running *arm.Running, c *crowd.Crowd, run *openRun) error {
	watching, stop := context.WithCancel(ctx)
	defer stop()
	rotated, err := watchRotations(watching, running.Data)
	if err != nil {
		return err
	}
	if run.OpenResult, err = b.offer(ctx, running, c, rotated.most, b.OpenLength); err != nil {
		return err
	}
	run.Rotations = rotated.most()
	b.log.Info("open loop is over", "rotations", run.Rotations, "p99_ms", run.Latency.P99, "stall_ms", run.StallMs, "errors", run.Failed())
	return nil
}

// offer sends commands at the rate, for the length and until there were rotations enough.
func (b *bench) offer(ctx context.Context, running *arm.Running, c *crowd.Crowd, rotations func() int, length time.Duration) (load.OpenResult, error) {
	b.log.Info("open loop", "per_s", b.PerSecond, "at_least", length, "at_most", b.OpenLengthMax, "until_rotations", rotationsLeast)
	result, err := load.Open{
		Seed: b.Seed, PerSecond: b.PerSecond,
		Length: length, LengthMax: b.OpenLengthMax, Done: func() bool { return rotations() >= rotationsLeast },
		Window: window, Sends: c.Players(running.Engine),
	}.Run(ctx)
	if err == nil && result.Applied == 0 {
		err = fmt.Errorf("no command was applied; errors: %v", result.Errors)
	}
	return result, err
}

func latencies(run openRun) []report.Figure {
	var few string
	if run.Rotations < rotationsLeast {
		few = fmt.Sprintf("%d rotations of the journal in %.0f s, and the goal is across %d", run.Rotations, run.Seconds, rotationsLeast)
	}
	at := fmt.Sprintf("%.0f/s, open loop", run.PerSecond)
	// quantile's Min and Max are those of the parts.
	quantile := func(name, what string, of func(load.Spread) float64) report.Figure {
		var parts []float64
		for _, part := range run.Windows {
			parts = append(parts, of(part))
		}
		return report.Figure{
			Name: suite + "/" + name, What: at + ": " + what, Unit: "ms", Errors: run.Failed(),
			Value: of(run.Latency), Min: slices.Min(parts), Max: slices.Max(parts),
		}
	}
	p99 := quantile("p99", "99 of 100 answers came within, from when they were to be sent", func(s load.Spread) float64 { return s.P99 })
	p99.Goal, p99.NotReached = report.AtMost(14.2), few
	stall := single("stall", at+": the longest time without an answer while some were due", run.StallMs, "ms")
	stall.Goal, stall.NotReached, stall.Errors = report.AtMost(25), few, run.Failed()
	return []report.Figure{
		quantile("p50", "half of the answers came within", func(s load.Spread) float64 { return s.P50 }),
		p99,
		quantile("p99.9", "999 of 1,000", func(s load.Spread) float64 { return s.P999 }),
		quantile("max", "all", func(s load.Spread) float64 { return s.Max }),
		stall,
		single("rotations", at+": how often the journal began a new file meanwhile", float64(run.Rotations), "files"),
		single("late", at+": the load's own part, 99 of 100 commands were sent within", run.LateMs.P99, "ms"),
	}
}

func bytesACommand(run openRun) []report.Figure {
	each := func(before, after int64) float64 { return float64(after-before) / float64(run.Applied) }
	all := single("disk", "what a command adds on disk, when the size changes no more", each(run.Disk.Before, run.Disk.Settled), "bytes")
	all.Goal = report.AtMost(120)
	return []report.Figure{
		all,
		single("disk-kept", "the same without the write-ahead files", each(run.Disk.Before-run.Disk.BeforeAhead, run.Disk.Settled-run.Disk.Ahead), "bytes"),
		single("disk-stopped", "the same with all, when the server has ended", each(run.Disk.Before, run.Disk.Stopped), "bytes"),
		single("ahead", "write-ahead files, which do not grow with what was ever written", float64(run.Disk.Ahead)/1e6, "MB"),
	}
}

// single is a figure that was measured once.
func single(name, what string, value float64, unit string) report.Figure {
	return report.Figure{Name: suite + "/" + name, What: what, Value: value, Min: value, Max: value, Unit: unit}
}
