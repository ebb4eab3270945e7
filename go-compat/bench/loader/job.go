package loader

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"runtime/metrics"
	"time"

	"treasurehunt.example/go-compat/bench/account"
	"treasurehunt.example/go-compat/bench/crowd"
	"treasurehunt.example/go-compat/bench/load"
)

// do does the job in this process.
func (j Job) do(ctx context.Context) (Result, error) {
	if j.Callers == 0 {
		j.Callers = runtime.NumCPU()
	}
	players := crowd.New(j.Seed, j.Hunts, j.Players)
	players.Treasures = j.Treasures
	connection, err := j.connect()
	if err != nil {
		return Result{}, err
	}
	defer connection.hangUp()
	if err := j.sitDown(ctx, players, connection); err != nil {
		return Result{}, err
	}
	if j.PerSecond > 0 {
		return j.open(ctx, players, connection)
	}
	return j.closed(ctx, players, connection)
}

func (j Job) closed(ctx context.Context, players *crowd.Crowd, connection connection) (Result, error) {
	callers, err := j.callers(players, connection.engine)
	if err != nil {
		return Result{}, err
	}
	measured := borders{serverPID: j.ServerPID}
	counted, err := load.Closed{Callers: callers, WarmUp: j.WarmUp, Length: j.Length, Border: measured.note}.Run(ctx)
	if err != nil {
		return Result{}, err
	}
	result, err := measured.between()
	result.ClosedResult = counted
	return result, err
}

func (j Job) callers(players *crowd.Crowd, engine crowd.Engine) ([]load.Play, error) {
	if j.Tick == 0 {
		return load.OneByOne(players.Callers(engine, j.Callers)), nil
	}
	batcher, takes := engine.(crowd.Batcher)
	if !takes {
		return nil, fmt.Errorf("the client %s takes no batches", j.Client)
	}
	return players.Ticks(batcher, j.Callers, j.Tick)
}

// window is how long the parts of an open loop are.
const window = 10 * time.Second

func (j Job) open(ctx context.Context, players *crowd.Crowd, connection connection) (Result, error) {
	loop := load.Open{
		Seed: j.Seed, PerSecond: j.PerSecond, Length: j.WarmUp, Window: window,
		Sends: players.Callers(connection.engine, j.Callers),
	}
	if _, err := loop.Run(ctx); err != nil {
		return Result{}, err
	}
	measured := borders{serverPID: j.ServerPID}
	measured.note()
	loop.Length = j.Length
	open, err := loop.Run(ctx)
	if err != nil {
		return Result{}, err
	}
	measured.note()
	result, err := measured.between()
	result.ClosedResult = load.ClosedResult{Tally: open.Tally, Callers: j.Callers, Seconds: open.Seconds}
	result.Open = &open
	return result, err
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
