// Command legacy-engine serves the Go engine over the schema that every service
// speaks: as the oracle of the other engine, as its peer in benchmarks, and for a
// shard that has no sidecar yet.
package main

import (
	"context"

	"go.opentelemetry.io/contrib/instrumentation/google.golang.org/grpc/otelgrpc"
	"google.golang.org/grpc"

	"treasurehunt.example/go-compat/legacy"
	"treasurehunt.example/go-compat/playerstate/serve"
	"treasurehunt.example/go-compat/services/program"

	"github.com/spf13/cobra"
)

// settings are what the command line, the environment and the file decide.
type settings struct {
	listen []string
	rules  string
	claim  string
}

const (
	claimRouter = "router"
	claimAuto   = "auto"
)

func main() {
	var s settings
	program.Program{
		Name:  "legacy-engine",
		Short: "Serves the Go engine: hunts in the memory of one process",
		Admin: "127.0.0.1:9104",
		Settings: []program.Setting{
			program.Strings(&s.listen, "listen", []string{"tcp:127.0.0.1:7104"},
				"where to serve; may be given again", program.Each(program.Address())),
			program.String(&s.rules, "rules", "",
				"a directory of rulesets, NAME.toml each, beside the built-in classic; read again when it changes, and on SIGHUP"),
			program.String(&s.claim, "claim", claimRouter,
				"who gives hunts their epochs: the ledger of a router, or with auto this engine by itself",
				program.OneOf(claimRouter, claimAuto)),
		},
		Run:      s.run,
		Commands: []*cobra.Command{replayCommand()},
	}.Main()
}

func (s *settings) run(ctx context.Context, p *program.Process) error {
	config, err := s.engine(p)
	if err != nil {
		return err
	}
	engine := legacy.New(config)
	p.OnReload(ctx, engine.FollowRulesets(s.rules))
	defer func() { // by now no call is in hand: Serve waited for them, or cut them off
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), p.DrainWithin)
		defer cancel()
		if err := engine.Close(closing); err != nil {
			p.Log.Warn("the engine was closed with calls in hand", "error", err)
		}
	}()
	p.Metrics.MustRegister(engine.Metrics()...)
	server, err := serve.NewServer(serve.Config{
		Commander:  engine,
		Feeder:     engine,
		Mover:      engine,
		Logger:     p.Log,
		Registerer: p.Metrics,
		Options:    []grpc.ServerOption{grpc.StatsHandler(otelgrpc.NewServerHandler())},
	})
	if err != nil {
		return err
	}
	listeners, err := program.ListenAll(ctx, s.listen...)
	if err != nil {
		return err
	}
	for _, listener := range listeners {
		p.Log.Info("serving", "addr", listener.Addr().String(), "claim", s.claim)
	}
	p.Ready.Started()
	return p.Serve(ctx, server, listeners...)
}

func (s *settings) engine(p *program.Process) (legacy.Config, error) {
	config := legacy.Config{Logger: p.Log, Claim: legacy.ClaimRouter}
	if s.claim == claimAuto {
		config.Claim = legacy.ClaimAuto
	}
	rulesets, err := legacy.LoadRulesets(s.rules)
	if err != nil {
		return config, program.FileExit(err)
	}
	config.Rulesets = rulesets
	return config, nil
}
