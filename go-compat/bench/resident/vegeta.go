package resident

import (
	"context"
	"fmt"
	"log/slog"

	"treasurehunt.example/go-compat/bench/arm"
	"treasurehunt.example/go-compat/bench/loader"
	"treasurehunt.example/go-compat/bench/report"
)

// Vegeta is the suite of the story's own measurement: vegeta at a steady rate, with
// its own client and its own way to count. Each command is a call of its own.
func Vegeta(ctx context.Context, config Config, r *report.Report, log *slog.Logger) error {
	b := &bench{config, "vegeta", r, log}
	if err := b.vegeta(ctx); err != nil {
		return fmt.Errorf("%s: %w", b.suite, err)
	}
	return nil
}

// sentLeast is which part of the commands vegeta must have sent for its rate to be one.
const sentLeast = 0.99

func (b *bench) vegeta(ctx context.Context) error {
	return arm.SidecarServer(b.BinDir).With(ctx, b.Dir, "attacked", arm.AnyCore, func(serving *arm.Serving) error {
		job := b.job(loader.Vegeta)
		job.Socket, job.ServerPID = serving.Socket, serving.PID()
		result, err := loader.Run(ctx, job, loader.Turn{WarmUp: b.WarmUp, Length: b.VegetaLength, PerSecond: b.PerSecond}, arm.AnyCore, arm.GoTuning...)
		if err != nil {
			return err
		}
		b.log.Info("attacked", "suite", b.suite, "p50_ms", result.Open.Latency.P50, "p99_ms", result.Open.Latency.P99, "errors", result.Failed())
		b.ran("sidecar", 1, result)
		at := fmt.Sprintf("vegeta, %.0f/s for %s, %d players resident, unary calls: ", b.PerSecond, b.VegetaLength, b.Hunts*huntPlayers)
		var few string
		if sent, asked := result.Answered()+result.Failed(), b.PerSecond*b.VegetaLength.Seconds(); float64(sent) < sentLeast*asked {
			few = fmt.Sprintf("vegeta sent %d of %.0f commands", sent, asked)
		}
		b.add(
			report.Of(report.Figure{Name: "p50", What: at + "half of the answers came within", Unit: "ms", Errors: result.Failed()}, result.Open.Latency.P50),
			report.Of(report.Figure{Name: "p99", What: at + "99 of 100", Unit: "ms", Goal: report.AtMost(14.2), Errors: result.Failed(), NotReached: few}, result.Open.Latency.P99),
		)
		return nil
	})
}
