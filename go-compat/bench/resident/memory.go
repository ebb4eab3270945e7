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
	sidecar, err := b.weighSidecar(ctx)
	if err != nil {
		return fmt.Errorf("sidecar: %w", err)
	}
	engine, err := b.weighEngine(ctx)
	if err != nil {
		return fmt.Errorf("go: %w", err)
	}
	var few string
	if all := b.Hunts * huntPlayers; all < playersLeast {
		few = fmt.Sprintf("with %d players a slope is as much of what a server keeps beside them", all)
	}
	b.ran("sidecar", 1, sidecar)
	b.ran("go", 1, engine)
	ratio, err := report.Ratio(report.Figure{
		Name: "player-to-go", What: "what a player takes, to the Go engine after a collection", A: "sidecar", B: "go", Unit: "bytes", Goal: report.AtMost(0.35), NotReached: few,
	}, []float64{slope(sidecar)}, []float64{slope(engine)})
	b.add(report.Of(report.Figure{
		Name: "player", Unit: "bytes", Goal: report.AtMost(160), NotReached: few,
		What: fmt.Sprintf("what a player takes: the slope of the resident memory to %d players, with their index and remembered requests", b.Hunts*huntPlayers),
	}, slope(sidecar)), ratio)
	return err
}

// playersLeast make a slope that is a player's.
const playersLeast = 1_000_000

// slope is the bytes of a player, of those who came after the first part.
func slope(weights []Weight) float64 {
	few, most := weights[1], weights[len(weights)-1]
	return float64(most.ResidentBytes-few.ResidentBytes) / float64(most.Players-few.Players)
}

func (b *bench) weighed(name string, hunts int, bytes int64) Weight {
	b.log.Info("weighed", "suite", b.suite, "arm", name, "players", hunts*huntPlayers, "resident_mb", bytes/1e6)
	return Weight{hunts * huntPlayers, bytes}
}

// weighSidecar weighs one server to which more and more players come.
func (b *bench) weighSidecar(ctx context.Context) (weights []Weight, err error) {
	server := arm.SidecarServer(b.BinDir, "--feed-records-max", "1")
	err = server.With(ctx, b.Dir, "weighed", arm.AnyCore, func(serving *arm.Serving) error {
		hunts := 0
		for _, part := range parts {
			job := b.filling(loader.Batching, hunts, int(part*float64(b.Hunts)))
			job.Socket, job.ServerPID = serving.Socket, serving.PID()
			if _, err := loader.Run(ctx, job, loader.Turn{Each: commandsEach}, arm.AnyCore); err != nil {
				return err
			}
			hunts += job.Hunts
			bytes, err := account.Settled(ctx, serving.PID())
			if err != nil {
				return err
			}
			weights = append(weights, b.weighed("sidecar", hunts, bytes))
		}
		return nil
	})
	return weights, err
}

// weighEngine weighs a process with the Go engine for each count of players, less what
// the load in it has of a player.
func (b *bench) weighEngine(ctx context.Context) (weights []Weight, err error) {
	for _, part := range parts {
		job := b.filling(loader.InProcess, 0, int(part*float64(b.Hunts)))
		result, err := loader.Run(ctx, job, loader.Turn{Each: commandsEach}, arm.AnyCore)
		if err != nil {
			return nil, err
		}
		ofLoad := int64(job.Hunts * huntPlayers * crowd.SeatBytes)
		weights = append(weights, b.weighed("go", job.Hunts, result.Client.ResidentBytes-ofLoad))
	}
	return weights, nil
}

// filling is a load that lets the players of more hunts join, until there are so many,
// in calls of many commands, to save time.
func (b *bench) filling(client loader.Client, hunts, until int) loader.Job {
	job := b.job(client)
	job.Others, job.Hunts = hunts, until-hunts
	job.Weighed = true
	if job.Hunts > 0 {
		job.Callers, job.Tick = 1, ticked
	}
	return job
}

const ticked = 256
