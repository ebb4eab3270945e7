// Package loader is the load in a process of its own, so that the client that is
// measured has a heap, a collector and a CPU account to itself, and can be pinned to
// other cores than the server. The bench starts itself again for that. On standard
// input come a job and then turns, one after the other; on standard output go a line
// when everybody has joined, and the result of each turn. All of it is JSON.
package loader

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"

	"treasurehunt.example/go-compat/bench/arm"
	"treasurehunt.example/go-compat/bench/load"
)

// Job is what a load process is for. It makes the hunts and lets everybody join.
type Job struct {
	Client Client `json:"client"`
	// Socket is where the server listens, and ServerPID its process, whose CPU is read
	// at the borders of the measured time. Both are empty where there is none.
	Socket    string `json:"socket,omitempty"`
	ServerPID int    `json:"server_pid,omitempty"`

	Seed      uint64 `json:"seed"`
	Hunts     int    `json:"hunts"`
	Players   int    `json:"players"` // of each hunt
	Treasures uint32 `json:"treasures"`
	// Others is how many hunts of as many players the server has from other load processes.
	Others int `json:"others,omitempty"`
	// Callers is how many wait for an answer at any time; 0 is one a core.
	Callers int `json:"callers"`
	// Tick is how many commands a caller has in one call; 0 is one, as services have.
	Tick int `json:"tick,omitempty"`
	// Weighed is for a Go engine in process that keeps no records for the feed, so that
	// its memory is that of its players.
	Weighed bool `json:"weighed,omitempty"`
	// Canary is for [Shard] alone.
	Canary *Canary `json:"canary,omitempty"`
}

// Turn is one time of playing.
type Turn struct {
	WarmUp time.Duration `json:"warm_up_ns"`
	Length time.Duration `json:"length_ns"`
	// PerSecond, if any, makes it an open loop.
	PerSecond float64 `json:"per_second,omitempty"`
	// Each is how many commands every player sends, where Length is 0. Then the client's
	// heap is collected before its memory is read.
	Each int `json:"each,omitempty"`
}

// Result is what a load process measured.
type Result struct {
	load.ClosedResult
	// What both processes used in the measured time.
	Client Used             `json:"client"`
	Server Used             `json:"server"`
	Heap   Heap             `json:"heap"` // the client's
	Open   *load.OpenResult `json:"open,omitempty"`
}

// Used is what a process used.
type Used struct {
	CPUSeconds float64 `json:"cpu_s"`
	// WaitMs is how long a thread that was ready to run waited for a core, on
	// average, and Turns how often one was given a core.
	WaitMs float64 `json:"wait_ms"`
	Turns  uint64  `json:"turns"`
	// WaitP99Ms is what 99 of 100 of these waits were below, or less: it is a bound
	// (see [account.Sampled]). Of an open loop's server alone.
	WaitP99Ms float64 `json:"wait_p99_ms,omitempty"`
	// ResidentBytes is its memory at the end.
	ResidentBytes int64 `json:"resident_bytes"`
}

// Heap is what the Go runtime did.
type Heap struct {
	AllocatedBytes   uint64  `json:"allocated_bytes"`
	AllocatedObjects uint64  `json:"allocated_objects"`
	Collections      uint64  `json:"collections"`
	PauseTotalMs     float64 `json:"pause_total_ms"`
	PauseMaxMs       float64 `json:"pause_max_ms"` // the upper bound of its histogram's bucket
}

// CPUMicros is the CPU of server and client a command that was answered.
func (r Result) CPUMicros() float64 { return r.ServerMicros() + r.ClientMicros() }

// ServerMicros is the server's part of it.
func (r Result) ServerMicros() float64 { return r.micros(r.Server) }

// ClientMicros is the client's part of it.
func (r Result) ClientMicros() float64 { return r.micros(r.Client) }

func (r Result) micros(used Used) float64 {
	return used.CPUSeconds * 1e6 / float64(max(r.Answered(), 1))
}

// commandName is how the bench is told to be a load process.
const commandName = "load"

// Load is a load process whose players have all joined. Not safe for concurrent use.
type Load struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *json.Decoder

	players int
	said    bytes.Buffer // on standard error; to be read when the process has ended
}

// Start starts a load process on some cores, or on [arm.AnyCore]. env is added to its
// environment. It ends with ctx, or by [Load.End].
func Start(ctx context.Context, job Job, cores string, env ...string) (*Load, error) {
	own, err := os.Executable()
	if err != nil {
		return nil, err
	}
	command, err := arm.Pinned(cores, []string{own, commandName})
	if err != nil {
		return nil, err
	}
	l := &Load{cmd: exec.CommandContext(ctx, command[0], command[1:]...)}
	l.cmd.Env, l.cmd.Stderr = append(os.Environ(), env...), &l.said
	if l.in, err = l.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := l.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	l.out = json.NewDecoder(out)
	if err := l.cmd.Start(); err != nil {
		return nil, err
	}
	var all joined
	if err := l.ask(job, &all); err != nil {
		return nil, err
	}
	l.players = all.Players
	return l, nil
}

// joined is the line that says so.
type joined struct {
	Players int `json:"joined"`
}

// Play is one turn.
func (l *Load) Play(turn Turn) (result Result, err error) {
	if err := l.ask(turn, &result); err != nil {
		return result, err
	}
	if result.Answered() == 0 && l.players > 0 {
		return result, fmt.Errorf("no command was answered; errors: %v", result.Errors)
	}
	return result, nil
}

// ask sends one value and reads another. After an error the process is gone, and the
// error says what it said.
func (l *Load) ask(value, answer any) error {
	err := json.NewEncoder(l.in).Encode(value)
	if err == nil {
		err = l.out.Decode(answer)
	}
	if err == nil {
		return nil
	}
	if ended := l.End(); ended != nil {
		err = ended
	}
	return err
}

// End lets the process end.
func (l *Load) End() error {
	if err := errors.Join(l.in.Close(), l.cmd.Wait()); err != nil {
		return fmt.Errorf("the load process: %w\n%s", err, l.said.String())
	}
	return nil
}

// Run is a load process for one turn.
func Run(ctx context.Context, job Job, turn Turn, cores string, env ...string) (Result, error) {
	l, err := Start(ctx, job, cores, env...)
	if err != nil {
		return Result{}, err
	}
	result, err := l.Play(turn)
	if err != nil {
		return result, err
	}
	return result, l.End()
}
