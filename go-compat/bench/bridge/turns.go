package bridge

import (
	"context"
	"time"

	"treasurehunt.example/go-compat/bench/arm"
	"treasurehunt.example/go-compat/bench/crowd"
	"treasurehunt.example/go-compat/bench/loader"
)

// Config says how long and how hard.
type Config struct {
	// BinDir holds player-state, legacy-engine and echo; Dir gets sockets, logs and data.
	BinDir, Dir string
	Seed        uint64
	// Rounds is how often every arm has its turn.
	Rounds int
	// WarmUp is played before a turn is measured, and Length is measured.
	WarmUp, Length time.Duration
}

const (
	hunts, players = 64, 250 // of each
	// oneHuntPlayers are all in one hunt, as many as it takes.
	oneHuntPlayers = 10_000
	callers        = 128
	tick           = 256
	// redisCallers fill a pipeline of 64 on each connection.
	redisCallers = 64 * loader.RedisConnections
)

// turn is an arm: a server, or none, and how it is played on.
type turn struct {
	name string
	// server runs as a process of its own, or is nil.
	server *arm.Server
	job    loader.Job
	// unpinned says that the arm has a turn on all cores too.
	unpinned bool
}

// The arms.
const (
	armSidecar      = "sidecar"
	armSidecarSync  = "sidecar-sync"
	armSidecarUnary = "sidecar-unary"
	armEcho         = "echo"
	armEchoUnary    = "echo-unary"
	armGoUnary      = "go-unary"
	armGoBatched    = "go-batched"
	armGo           = "go"
	armTick         = "tick"
	armGoTick       = "go-tick"
	armOneHunt      = "one-hunt"
	armRedis        = "redis"
	armRaw          = "raw"
	armNobody       = "nobody"
)

func (c Config) turns() []turn {
	memory := arm.SidecarServer(c.BinDir)
	kept := arm.SidecarServer(c.BinDir).WithData()
	engine := arm.LegacyServer(c.BinDir, arm.GoTuning...)
	echo, raw := arm.EchoServer(c.BinDir, "grpc"), arm.EchoServer(c.BinDir, "raw")
	redis := arm.RedisServer("--appendonly", "no")

	batching, unary := c.job(loader.Batching), c.job(loader.Unary)
	ticks := batching
	ticks.Callers, ticks.Tick = 0, tick
	goTicks := ticks
	goTicks.Client = loader.InProcess
	oneHunt := batching
	oneHunt.Hunts, oneHunt.Players, oneHunt.Treasures = 1, oneHuntPlayers, crowd.Side*crowd.Side/2
	many := c.job(loader.Redis)
	many.Callers = redisCallers
	return []turn{
		{armSidecar, &memory, batching, true},
		{armEcho, &echo, batching, true},
		{armOneHunt, &memory, oneHunt, false},
		{armSidecarSync, &kept, batching, false},
		{armSidecarUnary, &memory, unary, false},
		{armEchoUnary, &echo, unary, false},
		{armGoUnary, &engine, unary, true},
		{armGoBatched, &engine, batching, false},
		{armGo, nil, c.job(loader.InProcess), true},
		{armTick, &memory, ticks, true},
		{armGoTick, nil, goTicks, false},
		{armRedis, &redis, many, false},
		{armRaw, &raw, c.job(loader.Raw), false},
		{armNobody, nil, c.job(loader.Nobody), false},
	}
}

func (c Config) job(client loader.Client) loader.Job {
	return loader.Job{
		Client: client, Seed: c.Seed, Hunts: hunts, Players: players, Treasures: crowd.Treasures,
		Callers: callers,
	}
}

func (c Config) turn() loader.Turn { return loader.Turn{WarmUp: c.WarmUp, Length: c.Length} }

// part is where the processes of all arms run.
type part struct {
	prefix string // of the figures' names
	cores  arm.Cores
}

// play is one turn.
func (c Config) play(ctx context.Context, t turn, where part) (loader.Result, error) {
	if t.server == nil {
		return loader.Run(ctx, t.job, c.turn(), where.cores.Load, arm.GoTuning...)
	}
	var result loader.Result
	err := t.server.With(ctx, c.Dir, t.name, where.cores.Server, func(serving *arm.Serving) (err error) {
		job := t.job
		job.Socket, job.ServerPID = serving.Socket, serving.PID()
		result, err = loader.Run(ctx, job, c.turn(), where.cores.Load, arm.GoTuning...)
		return err
	})
	return result, err
}
