// Demo plays hunts through both engines while the percentage goes up and down,
// and audits the result.
package main

import (
	"context"
	"errors"
	"os"
	"time"

	"golang.org/x/term"

	"treasurehunt.example/go-compat/services/demo"
	"treasurehunt.example/go-compat/services/program"
)

func main() {
	config := demo.Config{Out: os.Stdout, Terminal: term.IsTerminal(int(os.Stdout.Fd()))}
	var quick bool
	program.Program{
		Name:  "demo",
		Short: "Plays hunts through both engines while the percentage goes up and down, and audits the result",
		Settings: []program.Setting{
			program.String(&config.BinDir, "bin-dir", "bin", "where the programs are", program.Given()),
			program.String(&config.Dir, "dir", ".demo", "for sockets, logs and stores; made anew", program.Given()),
			program.Uint64(&config.Seed, "seed", 1, "what the bots' decisions come from"),
			program.Int(&config.Players, "players", 5000, "bots at once", program.Between(25, 100_000)),
			program.Bool(&quick, "quick", false, "shorter hunts and phases, and a fifth of the bots"),
			program.Bool(&config.Keep, "keep", false, "leave it running when it is over"),
		},
		Run: func(ctx context.Context, p *program.Process) error {
			p.Ready.Started()
			config.Phases, config.Hunts = demo.StoryPhases(), 10*time.Second
			if quick {
				config.Players /= 5
				config.Hunts /= 4
				for i := range config.Phases {
					config.Phases[i].For /= 4
				}
			}
			err := demo.Run(ctx, config)
			if errors.Is(err, context.Canceled) && ctx.Err() != nil {
				return nil // Ctrl-C is how a demo that was kept is ended
			}
			return err
		},
	}.Main()
}
