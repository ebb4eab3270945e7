// Bots plays hunts as a crowd of players would, and reports what it was answered.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	pb "treasurehunt.example/go-compat/gen/playerstatev1"
	"treasurehunt.example/go-compat/legacy"
	"treasurehunt.example/go-compat/legacy/rules"
	"treasurehunt.example/go-compat/playerstate"
	"treasurehunt.example/go-compat/services/audit"
	"treasurehunt.example/go-compat/services/bots"
	"treasurehunt.example/go-compat/services/program"
	"treasurehunt.example/go-compat/sidecar"
)

func main() {
	var config bots.Config
	var router, report, rulesDir string
	var length time.Duration
	program.Program{
		Name:  "bots",
		Short: "Plays hunts as a crowd of players, from a seed",
		Long: "Plays hunts as a crowd of players, from a seed. On SIGTERM it takes no new hunts, plays the running\n" +
			"ones to their end (within --drain-within), writes its report and exits 0; 69 says that nothing was ever played.",
		Settings: []program.Setting{
			program.String(&router, "router", "tcp:127.0.0.1:7101", "the router's gRPC server", program.Address()),
			program.String(&config.Matchmaker, "matchmaker", "127.0.0.1:8101", "host:port of the matchmaker's JSON API", program.Given()),
			program.String(&rulesDir, "rules", "", "the directory of rulesets that the engines have, NAME.toml each, beside the built-in classic"),
			program.Uint64(&config.Seed, "seed", 1, "what the players' decisions come from"),
			program.Int(&config.Players, "players", 5000, "players at once", program.Between(1, 1_000_000)),
			program.Int(&config.Party, "party", 5, "players who ask for a hunt together", program.Between(1, 100)),
			program.Duration(&config.Think, "think", 500*time.Millisecond, "between two commands of a player, on average",
				program.Between(time.Millisecond, time.Hour)),
			program.Duration(&config.Deadline, "deadline", playerstate.DefaultTimeout, "of each call, as a service would set it",
				program.Between(time.Millisecond, 2*time.Second)),
			program.Duration(&config.Patient, "patient", 5*time.Second,
				"how long after a hunt's end an unanswered command is still asked for", program.Between(0, time.Minute)),
			program.Duration(&length, "for", 0, "how long to take new hunts; 0 until SIGTERM", program.Between(0, 24*time.Hour)),
			program.String(&report, "report", "", "file for the report of what was answered; empty for none"),
		},
		Run: func(ctx context.Context, p *program.Process) error {
			config.Log = p.Log
			config.Progress = func(line string) { fmt.Fprintln(os.Stdout, line) }
			if err := learn(&config, rulesDir); err != nil {
				return program.FileExit(err)
			}
			return run(ctx, p, config, router, report, length)
		},
	}.Main()
}

func run(ctx context.Context, p *program.Process, config bots.Config, router, report string, length time.Duration) error {
	client, err := sidecar.Dial(sidecar.Config{Target: program.Target(router)})
	if err != nil {
		return err
	}
	config.Engine = client
	p.Ready.Started()
	enough := ctx
	if length > 0 {
		var cancel context.CancelFunc
		enough, cancel = context.WithTimeout(ctx, length)
		defer cancel()
	}
	seen := bots.New(config).Run(context.WithoutCancel(ctx), enough)
	if report != "" {
		if err := seen.WriteFile(report); err != nil {
			return err
		}
	}
	closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	return errors.Join(played(seen, config.Matchmaker, router), client.Close(closing))
}

// played refuses a run in which no bot was answered one command: it proves nothing.
func played(seen *audit.Report, matchmaker, router string) error {
	answered := func(player audit.Player) bool { return player.Answered > 0 }
	if slices.ContainsFunc(seen.Hunts, func(hunt audit.Hunt) bool { return slices.ContainsFunc(hunt.Players, answered) }) {
		return nil
	}
	return program.Exit(program.ExitDependency, "nothing was played: see that the matchmaker answers at %s and the router at %s", matchmaker, router)
}

// learn gives the bots the rulesets: what their power-ups do, and how a hunt
// begins, for where everything lies follows from its settings.
func learn(config *bots.Config, dir string) error {
	known, err := legacy.LoadRulesets(dir)
	if err != nil {
		return err
	}
	known[""] = known["classic"] // hunts that name none
	config.Rulesets = make(map[string]bots.Ruleset)
	for name, ruleset := range known {
		if config.Rulesets[name], err = bots.ParseRuleset(ruleset.Source()); err != nil {
			return err
		}
	}
	config.Walkthrough = func(huntID string, settings *pb.HuntSettings) (*pb.HuntSnapshot, error) {
		ruleset, has := known[settings.GetRuleset()]
		if !has {
			return nil, fmt.Errorf("hunt %s is of ruleset %q, which is not in --rules", huntID, settings.GetRuleset())
		}
		return rules.Create(huntID, settings, ruleset, 1, 0).Snapshot(), nil
	}
	return nil
}
