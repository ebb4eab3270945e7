package resident

import (
	"context"
	"fmt"
	"log/slog"

	"treasurehunt.example/go-compat/bench/account"
	"treasurehunt.example/go-compat/bench/arm"
	"treasurehunt.example/go-compat/bench/crowd"
	"treasurehunt.example/go-compat/bench/loader"
	"treasurehunt.example/go-compat/bench/report"
)

// Weight is what a server takes with so many players.
type Weight struct {
	Players       int   `json:"players"`
	ResidentBytes int64 `json:"resident_bytes"`
}

// parts of the players that a server is weighed with.
var parts = []float64{0, 0.25, 0.5, 1}

// commandsEach fill a player's remembered requests, together with the Join.
const commandsEach = 3

// Memory is the suite of what a player takes: the slope between a server with a quarter of
// the players and one with all. (One with none has not worked yet, so that it lacks also
// what a server takes for its work, however many players there are.) Neither engine keeps records for the feed here, which are bounded and
// not a player's. The Go engine is weighed after a collection, which its server would
// not be by itself: in the load process, less what the load has of a player.
func Memory(ctx context.Context, config Config, r *report.Report, log *slog.Logger) error {
	b := &bench{config, "memory", r, log}
	if err := b.memory(ctx); err != nil {
		return fmt.Errorf("%s: %w", b.suite, err)
	}
	return nil
}

func (b *bench) memory(ctx context.Context) error {
	all := b.Hunts
	slopes := make(map[string][]float64)
	for _, weighed := range []struct {
		name  string
		weigh func(context.Context) (int64, error)
	}{{"sidecar", b.weighSidecar}, {"go", b.weighEngine}} {
		var weights []Weight
		for _, part := range parts {
			b.Hunts = int(part * float64(all))
			bytes, err := weighed.weigh(ctx)
			if err != nil {
				return fmt.Errorf("%s with %d players: %w", weighed.name, b.Hunts*huntPlayers, err)
			}
			weight := Weight{b.Hunts * huntPlayers, bytes}
			b.log.Info("weighed", "suite", b.suite, "arm", weighed.name, "players", weight.Players, "resident_mb", weight.ResidentBytes/1e6)
			weights = append(weights, weight)
		}
		b.ran(weighed.name, 1, weights)
		few, most := weights[1], weights[len(weights)-1]
		slopes[weighed.name] = []float64{float64(most.ResidentBytes-few.ResidentBytes) / float64(most.Players-few.Players)}
	}
	b.Hunts = all
	ratio, err := report.Ratio(report.Figure{
		Name: "player-to-go", What: "what a player takes, to the Go engine after a collection", A: "sidecar", B: "go", Unit: "bytes", Goal: report.AtMost(0.35),
	}, slopes["sidecar"], slopes["go"])
	b.add(report.Of(report.Figure{
		Name: "player", Unit: "bytes", Goal: report.AtMost(160),
		What: fmt.Sprintf("what a player takes: the slope of the resident memory to %d players, with their index and remembered requests", all*huntPlayers),
	}, slopes["sidecar"]...), ratio)
	return err
}

// weighSidecar weighs a server with the hunts of b.
func (b *bench) weighSidecar(ctx context.Context) (bytes int64, err error) {
	server := arm.SidecarServer(b.BinDir, "--feed-records-max", "1")
	err = server.With(ctx, b.Dir, "weighed", arm.AnyCore, func(serving *arm.Serving) (err error) {
		if b.Hunts > 0 {
			if _, err = b.fill(ctx, loader.Batching, serving); err != nil {
				return err
			}
		}
		bytes, err = account.Resident(serving.PID())
		return err
	})
	return bytes, err
}

func (b *bench) weighEngine(ctx context.Context) (int64, error) {
	if b.Hunts == 0 {
		result, err := loader.Run(ctx, loader.Job{Client: loader.InProcess}, loader.Turn{}, arm.AnyCore)
		return result.Client.ResidentBytes, err
	}
	result, err := b.fill(ctx, loader.InProcess, nil)
	return result.Client.ResidentBytes - int64(b.Hunts*huntPlayers*crowd.SeatBytes), err
}

// fill lets the players of b's hunts join and play.
func (b *bench) fill(ctx context.Context, client loader.Client, serving *arm.Serving) (loader.Result, error) {
	job := b.job(client)
	job.Callers, job.Tick, job.Weighed = 0, ticked, true
	if serving != nil {
		job.Socket, job.ServerPID = serving.Socket, serving.PID()
	}
	return loader.Run(ctx, job, loader.Turn{Each: commandsEach}, arm.AnyCore)
}

// ticked is how many commands go in one call while players join and play: to save time.
const ticked = 256
