package loader

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"time"

	"github.com/spf13/cobra"

	"treasurehunt.example/go-compat/bench/account"
	"treasurehunt.example/go-compat/bench/crowd"
	"treasurehunt.example/go-compat/bench/load"
	pb "treasurehunt.example/go-compat/gen/playerstatev1"
)

// session is a load process at work.
type session struct {
	Job
	players *crowd.Crowd
	// How the players act, in calls of one command and in calls of many. A turn goes on
	// with the player after the last one of the turn before.
	sends []load.Send
	plays []load.Play
	// commands are for vegeta, which sends them by itself.
	commands func() *pb.Command
}

// Command is what makes the bench a load process.
func Command() *cobra.Command {
	return &cobra.Command{
		Use: commandName, Hidden: true, Args: cobra.NoArgs,
		Short: "Be the load of one arm: a job and turns on standard input, their results on standard output",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return serve(cmd.Context(), json.NewDecoder(cmd.InOrStdin()), json.NewEncoder(cmd.OutOrStdout()))
		},
	}
}

func serve(ctx context.Context, in *json.Decoder, out *json.Encoder) error {
	var job Job
	if err := in.Decode(&job); err != nil {
		return fmt.Errorf("the job: %w", err)
	}
	if job.Callers == 0 {
		job.Callers = runtime.NumCPU()
	}
	connection, err := job.connect()
	if err != nil {
		return err
	}
	defer connection.hangUp()
	s, err := job.begin(ctx, connection)
	if err != nil {
		return err
	}
	if err := out.Encode(joined{job.Hunts * job.Players}); err != nil {
		return err
	}
	for {
		var turn Turn
		if err := in.Decode(&turn); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("the turn: %w", err)
		}
		result, err := s.play(ctx, turn)
		if err != nil {
			return err
		}
		if err := out.Encode(result); err != nil {
			return err
		}
	}
}

// begin lets everybody join.
func (j Job) begin(ctx context.Context, connection connection) (*session, error) {
	s := &session{Job: j, players: crowd.Beside(j.Others, j.Seed, j.Hunts, j.Players)}
	s.players.Treasures = j.Treasures
	if err := j.sitDown(ctx, s.players, connection); err != nil {
		return nil, err
	}
	if j.Client == Vegeta {
		s.commands = s.players.Commands()
		return s, nil
	}
	if j.Tick == 0 {
		s.sends = s.players.Callers(connection.engine, min(j.Callers, j.Hunts*j.Players))
		s.plays = load.OneByOne(s.sends)
		return s, nil
	}
	batcher, takes := connection.engine.(crowd.Batcher)
	if !takes {
		return nil, fmt.Errorf("the client %s takes no batches", j.Client)
	}
	var err error
	s.plays, err = s.players.Ticks(batcher, j.Callers, j.Tick)
	return s, err
}

func (s *session) play(ctx context.Context, turn Turn) (Result, error) {
	switch {
	case s.Client == Vegeta:
		return s.attack(ctx, turn)
	case turn.Length == 0:
		return s.each(ctx, turn)
	case turn.PerSecond > 0:
		return s.open(ctx, turn)
	}
	return s.closed(ctx, turn)
}

func (s *session) closed(ctx context.Context, turn Turn) (Result, error) {
	measured := borders{serverPID: s.ServerPID}
	counted, err := load.Closed{Callers: s.plays, WarmUp: turn.WarmUp, Length: turn.Length, Border: measured.note}.Run(ctx)
	if err != nil {
		return Result{}, err
	}
	result, err := measured.between()
	result.ClosedResult = counted
	return result, err
}

// each lets every player send so many commands.
func (s *session) each(ctx context.Context, turn Turn) (Result, error) {
	measured := borders{serverPID: s.ServerPID}
	measured.note()
	began := time.Now()
	counted := load.ClosedResult{Callers: len(s.plays)}
	for all := uint64(turn.Each * s.Hunts * s.Players); counted.Answered()+counted.Failed() < all && ctx.Err() == nil; {
		for _, play := range s.plays {
			play(ctx, &counted.Tally)
		}
	}
	counted.Seconds = time.Since(began).Seconds()
	measured.note()
	debug.FreeOSMemory() // collects first
	result, err := measured.between()
	result.ClosedResult = counted
	return result, errors.Join(err, ctx.Err())
}

// window is how long the parts of an open loop are.
const window = 10 * time.Second

func (s *session) open(ctx context.Context, turn Turn) (Result, error) {
	loop := load.Open{Seed: s.Seed, PerSecond: turn.PerSecond, Length: turn.WarmUp, Window: window, Sends: s.sends}
	if _, err := loop.Run(ctx); err != nil {
		return Result{}, err
	}
	watching, stop := context.WithCancel(ctx)
	defer stop()
	waits := make(chan sampled, 1)
	go func() {
		all, err := account.SampleWaits(watching, s.ServerPID)
		waits <- sampled{all, err}
	}()
	measured := borders{serverPID: s.ServerPID}
	loop.Length, loop.Border = turn.Length, measured.note
	open, err := loop.Run(ctx)
	if err != nil {
		return Result{}, err
	}
	stop()
	seen := <-waits
	result, err := measured.between()
	result.ClosedResult = load.ClosedResult{Tally: open.Tally, Callers: len(s.sends), Seconds: open.Seconds}
	result.Server.WaitP99Ms = seen.all.AtMost(0.99).Seconds() * 1000
	result.Open = &open
	return result, errors.Join(err, seen.err)
}

type sampled struct {
	all account.Sampled
	err error
}

// borders are the readings at the beginning and the end of the measured time.
type borders struct {
	serverPID int
	readings  []reading
	err       error
}

type reading struct {
	clientCPU, serverCPU     time.Duration
	clientWaits, serverWaits account.Waits
	heap                     []metrics.Sample
	collector                debug.GCStats
}

func (b *borders) note() {
	var r reading
	// The CPU comes first at the beginning as at the end, so that what the reading itself
	// takes is between the borders once.
	b.read(os.Getpid(), &r.clientCPU, &r.clientWaits)
	if b.serverPID != 0 {
		b.read(b.serverPID, &r.serverCPU, &r.serverWaits)
	}
	r.heap = []metrics.Sample{
		{Name: "/gc/heap/allocs:bytes"}, {Name: "/gc/heap/allocs:objects"},
		{Name: "/gc/cycles/total:gc-cycles"}, {Name: "/sched/pauses/total/gc:seconds"},
	}
	metrics.Read(r.heap)
	debug.ReadGCStats(&r.collector)
	b.readings = append(b.readings, r)
}

func (b *borders) read(pid int, cpu *time.Duration, waits *account.Waits) {
	var err error
	if *cpu, err = account.CPU(pid); err == nil {
		*waits, err = account.WaitsOf(pid)
	}
	if err != nil && b.err == nil {
		b.err = err
	}
}

func (b *borders) between() (Result, error) {
	if b.err != nil {
		return Result{}, b.err
	}
	begin, end := b.readings[0], b.readings[1]
	result := Result{
		Client: used(end.clientCPU-begin.clientCPU, end.clientWaits.Since(begin.clientWaits)),
		Server: used(end.serverCPU-begin.serverCPU, end.serverWaits.Since(begin.serverWaits)),
		Heap: Heap{
			AllocatedBytes:   end.heap[0].Value.Uint64() - begin.heap[0].Value.Uint64(),
			AllocatedObjects: end.heap[1].Value.Uint64() - begin.heap[1].Value.Uint64(),
			Collections:      end.heap[2].Value.Uint64() - begin.heap[2].Value.Uint64(),
			PauseTotalMs:     1000 * (end.collector.PauseTotal - begin.collector.PauseTotal).Seconds(),
			PauseMaxMs:       1000 * largest(begin.heap[3].Value.Float64Histogram(), end.heap[3].Value.Float64Histogram()),
		},
	}
	var err error
	if result.Client.ResidentBytes, err = account.Resident(os.Getpid()); err != nil {
		return result, err
	}
	if b.serverPID != 0 {
		result.Server.ResidentBytes, err = account.Resident(b.serverPID)
	}
	return result, err
}

func used(cpu time.Duration, waits account.Waits) Used {
	return Used{CPUSeconds: cpu.Seconds(), WaitMs: waits.Mean().Seconds() * 1000, Turns: waits.Turns}
}

// largest is the upper bound of the highest bucket that grew.
func largest(begin, end *metrics.Float64Histogram) float64 {
	for i := len(end.Counts) - 1; i >= 0; i-- {
		if end.Counts[i] > begin.Counts[i] {
			return end.Buckets[i+1]
		}
	}
	return 0
}
