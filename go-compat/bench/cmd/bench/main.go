// Bench measures the sidecar beside its peers on this machine, and writes one line a
// figure, each beside its goal.
package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"treasurehunt.example/go-compat/bench/bridge"
	"treasurehunt.example/go-compat/bench/journal"
	"treasurehunt.example/go-compat/bench/load"
	"treasurehunt.example/go-compat/bench/loader"
	"treasurehunt.example/go-compat/bench/plots"
	"treasurehunt.example/go-compat/bench/report"
	"treasurehunt.example/go-compat/bench/resident"
	"treasurehunt.example/go-compat/bench/story"
	"treasurehunt.example/go-compat/services/program"
)

// settings are those of all suites.
type settings struct {
	journal.Config
	bridge   bridge.Config // what these share with the journal's is there
	resident resident.Config
	story    story.Config
	suites   []string
	short    bool
	json     string
}

// suites, in the order in which they run.
var suites = []struct {
	name string
	run  func(ctx context.Context, s *settings, r *report.Report, log *slog.Logger) error
}{
	{"load", func(ctx context.Context, s *settings, r *report.Report, _ *slog.Logger) error {
		return loadItself(ctx, s, r)
	}},
	{"bridge", func(ctx context.Context, s *settings, r *report.Report, log *slog.Logger) error {
		return bridge.Run(ctx, s.bridge, r, log)
	}},
	{"open", func(ctx context.Context, s *settings, r *report.Report, log *slog.Logger) error {
		return resident.Open(ctx, s.resident, r, log)
	}},
	{"memory", func(ctx context.Context, s *settings, r *report.Report, log *slog.Logger) error {
		return resident.Memory(ctx, s.resident, r, log)
	}},
	{"connections", func(ctx context.Context, s *settings, r *report.Report, log *slog.Logger) error {
		return resident.Connections(ctx, s.resident, r, log)
	}},
	{"vegeta", func(ctx context.Context, s *settings, r *report.Report, log *slog.Logger) error {
		return resident.Vegeta(ctx, s.resident, r, log)
	}},
	{"journal", func(ctx context.Context, s *settings, r *report.Report, log *slog.Logger) error {
		return journal.Run(ctx, s.Config, r, log)
	}},
	{storyName, func(ctx context.Context, s *settings, r *report.Report, log *slog.Logger) error {
		return story.Run(ctx, s.story, r, log)
	}},
}

// storyName is the suite that runs only when it is asked for: its figures have a page of their own.
const storyName = "story"

func suiteNames() (names []string) {
	for _, suite := range suites {
		names = append(names, suite.name)
	}
	return names
}

func defaultSuites() []string {
	return slices.DeleteFunc(suiteNames(), func(name string) bool { return name == storyName })
}

func main() {
	var s settings
	program.Program{
		Name:  "bench",
		Short: "Measures the sidecar beside its peers, and writes one line a figure, each beside its goal",
		Settings: []program.Setting{
			program.String(&s.BinDir, "bin-dir", "bin", "where player-state, legacy-engine and echo are, as built for release", program.Given()),
			program.String(&s.Dir, "dir", ".bench", "for sockets, logs and data, on a disk", program.Given()),
			program.String(&s.json, "json", ".bench/bench.json", "where everything is written to, as JSON", program.Given()),
			program.Strings(&s.suites, "suites", defaultSuites(), "what is measured; with commas between", program.Each(program.OneOf(suiteNames()...))),
			program.Int(&s.Rounds, "rounds", 5, "how often every arm has its turn", program.Between(1, 100)),
			program.Duration(&s.Length, "length", 5*time.Second, "how long a turn of the journal is measured", program.Between(100*time.Millisecond, time.Hour)),
			program.Duration(&s.bridge.Length, "bridge-length", 1500*time.Millisecond, "how long a turn of the bridge is measured",
				program.Between(100*time.Millisecond, time.Hour)),
			program.Float64(&s.PerSecond, "open-rate", 10_000, "commands a second of the open loop", program.Between[float64](1, 1_000_000)),
			program.Duration(&s.OpenLength, "open-length", time.Minute, "how long the open loop lasts at least", program.Between(time.Second, time.Hour)),
			program.Duration(&s.OpenLengthMax, "open-length-max", 5*time.Minute,
				"how long it lasts at most, if the journal is not rotated often enough before", program.Between(time.Second, time.Hour)),
			program.Uint64(&s.Seed, "seed", 1, "what arrivals and steps come from"),
			program.Bool(&s.short, "short", false, "one round of short turns, 10 s of open loop, fewer players, whatever else is set: for a look, not to be quoted"),
		},
		Check: func() error {
			if s.OpenLengthMax < s.OpenLength {
				return fmt.Errorf("open-length-max is %s, and must be open-length, %s, at least", s.OpenLengthMax, s.OpenLength)
			}
			return nil
		},
		Run: func(ctx context.Context, p *program.Process) error {
			p.Ready.Started()
			return s.run(ctx, p)
		},
		Commands: []*cobra.Command{tableCommand(), loader.Command()},
	}.Main()
}

// shortRounds is how many there are in the short form at most.
const shortRounds = 1

func (s *settings) run(ctx context.Context, p *program.Process) error {
	s.WarmUp, s.bridge.WarmUp = time.Second, 500*time.Millisecond
	if s.short {
		s.Rounds = min(s.Rounds, shortRounds)
		s.WarmUp, s.Length = 500*time.Millisecond, time.Second
		s.bridge.WarmUp, s.bridge.Length = 200*time.Millisecond, 500*time.Millisecond
		s.OpenLength, s.OpenLengthMax = 10*time.Second, 10*time.Second
	}
	if err := os.MkdirAll(s.Dir, 0o755); err != nil {
		return err
	}
	r, err := report.Start(s.Dir, s.short)
	if err != nil {
		return err
	}
	s.shared()
	for _, suite := range suites {
		if !slices.Contains(s.suites, suite.name) {
			continue
		}
		if err := suite.run(ctx, s, r, p.Log); err != nil {
			return err
		}
	}
	r.Finish()
	return errors.Join(r.WriteLines(os.Stdout), r.WriteFile(s.json))
}

// shared gives the suites what they share.
func (s *settings) shared() {
	s.bridge.BinDir, s.bridge.Dir, s.bridge.Seed, s.bridge.Rounds = s.BinDir, s.Dir, s.Seed, s.Rounds
	r := &s.resident
	r.BinDir, r.Dir, r.Seed, r.Rounds, r.PerSecond = s.BinDir, s.Dir, s.Seed, s.Rounds, s.PerSecond
	r.Hunts, r.WarmUp, r.Length, r.VegetaLength = 4000, time.Second, 4*time.Second, time.Minute
	r.Connections = []int{1000, 5000, 15_000}
	s.story = story.Config{
		BinDir: s.BinDir, Dir: s.Dir, Seed: s.Seed, PerSecond: s.PerSecond,
		Players: []int{100_000, 500_000, 1_000_000, 1_200_000}, ShardPlayers: 200_000, ShardPlayersMax: 1_000_000,
		WarmUp: time.Second, Length: 20 * time.Second, SpikeLength: 5 * time.Second,
	}
	if s.short {
		s.story.Players, s.story.ShardPlayers, s.story.ShardPlayersMax = []int{10_000, 100_000}, 20_000, 100_000
		s.story.Length, s.story.SpikeLength = 2*time.Second, time.Second
		r.Hunts, r.Length, r.VegetaLength = 400, time.Second, 5*time.Second
		r.Connections = []int{200, 1000}
	}
}

// loadItself is the open loop against nothing: what the latencies of every suite
// have from the load alone.
func loadItself(ctx context.Context, s *settings, r *report.Report) error {
	echo := make([]load.Send, 1024)
	for i := range echo {
		echo[i] = func(context.Context) (load.Kind, error) { return load.Applied, nil }
	}
	result, err := load.Open{Seed: s.Seed, PerSecond: s.PerSecond, Length: max(s.Length, time.Second), Window: time.Second, Sends: echo}.Run(ctx)
	if err != nil {
		return err
	}
	r.Runs = append(r.Runs, report.Run{Suite: "load", Arm: "echo", Round: 1, Result: result})
	r.Figures = append(r.Figures, report.Figure{
		Name: "load/late", What: fmt.Sprintf("%.0f/s, open loop, to nobody: 99 of 100 commands were sent within, from when they were to be", s.PerSecond),
		Value: result.LateMs.P99, Min: result.LateMs.P50, Max: result.LateMs.Max, Unit: "ms", Goal: report.AtMost(1),
	})
	return nil
}

func tableCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "table REPORT.json DOCUMENT.md",
		Short: "Write the table of a report into a document, between its marks, and its pictures beside it",
		Args:  cobra.ExactArgs(2),
		RunE: func(_ *cobra.Command, args []string) error {
			r, err := report.ReadFile(args[0])
			if err != nil {
				return err
			}
			if err := plots.Write(r, report.PicturesOf(args[1])); err != nil {
				return err
			}
			return r.WriteTable(args[1])
		},
	}
}
