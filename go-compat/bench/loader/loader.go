// Package loader is the load in a process of its own, so that the client that is
// measured has a heap, a collector and a CPU account to itself, and can be pinned to
// other cores than the server. The bench starts itself again for that: a job goes in
// as JSON on standard input, its result comes out on standard output.
package loader

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"time"

	"github.com/spf13/cobra"

	"treasurehunt.example/go-compat/bench/arm"
	"treasurehunt.example/go-compat/bench/load"
)

// Job is what a load process does. It makes the hunts, lets everybody join, plays,
// and ends.
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
	// Callers is how many wait for an answer at any time; 0 is one a core.
	Callers int `json:"callers"`
	// Tick is how many commands a caller has in one call; 0 is one, as services have.
	Tick int `json:"tick,omitempty"`

	WarmUp time.Duration `json:"warm_up_ns"`
	Length time.Duration `json:"length_ns"`
	// PerSecond, if any, makes it an open loop.
	PerSecond float64 `json:"per_second,omitempty"`
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
	// ResidentBytes is its memory at the end.
	ResidentBytes int64 `json:"resident_bytes"`
}

// Heap is what the Go runtime did.
type Heap struct {
	AllocatedBytes   uint64  `json:"allocated_bytes"`
	AllocatedObjects uint64  `json:"allocated_objects"`
	Collections      uint64  `json:"collections"`
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

// Run starts a load process on some cores, or on [arm.AnyCore], and waits for its result.
// env is added to its environment.
func Run(ctx context.Context, job Job, cores string, env ...string) (Result, error) {
	var result Result
	own, err := os.Executable()
	if err != nil {
		return result, err
	}
	command, err := arm.Pinned(cores, []string{own, commandName})
	if err != nil {
		return result, err
	}
	asked, err := json.Marshal(job)
	if err != nil {
		return result, err
	}
	var answer, said bytes.Buffer
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(asked), &answer, &said
	cmd.Env = append(os.Environ(), env...)
	if err := cmd.Run(); err != nil {
		return result, fmt.Errorf("the load process: %w\n%s", err, said.String())
	}
	if err := json.Unmarshal(answer.Bytes(), &result); err != nil {
		return result, fmt.Errorf("the load process answered %q: %w", answer.String(), err)
	}
	if result.Answered() == 0 {
		return result, fmt.Errorf("no command was answered; errors: %v", result.Errors)
	}
	return result, nil
}

// Command is what makes the bench a load process.
func Command() *cobra.Command {
	return &cobra.Command{
		Use: commandName, Hidden: true, Args: cobra.NoArgs,
		Short: "Be the load of one turn: a job on standard input, its result on standard output",
		RunE: func(cmd *cobra.Command, _ []string) error {
			var job Job
			if err := json.NewDecoder(cmd.InOrStdin()).Decode(&job); err != nil {
				return fmt.Errorf("the job: %w", err)
			}
			result, err := job.do(cmd.Context())
			if err != nil {
				return err
			}
			return json.NewEncoder(cmd.OutOrStdout()).Encode(result)
		},
	}
}
