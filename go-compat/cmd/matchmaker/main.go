// Command matchmaker brings players together, and is where a shard's player
// state is called: it serves the old engine, or a router over that and the
// sidecar, to every other service.
//
// Which of the two it is hangs on one constructor, in engine.go.
package main

import (
	"context"
	"log/slog"
	"net"

	"go.opentelemetry.io/contrib/instrumentation/google.golang.org/grpc/otelgrpc"
	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"

	"treasurehunt.example/go-compat/playerstate"
	"treasurehunt.example/go-compat/playerstate/serve"
	"treasurehunt.example/go-compat/services/matchmaker"
	"treasurehunt.example/go-compat/services/program"
	"treasurehunt.example/go-compat/services/program/jsonapi"
)

func main() { new(settings).program().Main() }

func (s *settings) program() program.Program {
	return program.Program{
		Name:     "matchmaker",
		Short:    "Brings players together in hunts, and serves the shard's player state",
		Long:     long,
		Admin:    "127.0.0.1:9101",
		Settings: s.table(),
		Check:    s.check,
		Run:      s.run,
	}
}

const long = `Brings players together in hunts, and serves the shard's player state.

Without --sidecar, hunts live in the old engine, in this process. With it, a
router places each new hunt there or on the sidecar, by the percentage in the
flag file, and keeps in the ledger which hunt is where.`

func (s *settings) run(ctx context.Context, p *program.Process) error {
	open, err := s.open(ctx)
	if err != nil {
		return err
	}
	defer open.close()
	shard, err := s.openShard(ctx, p)
	if err != nil {
		return err
	}
	defer shard.close(ctx, p)

	m := matchmaker.New(s.matchmaker, shard.engine, playerstate.NewRequestIDs(), p.Log, p.Metrics)
	api := jsonapi.New(p.Log, p.Metrics)
	m.Routes(api)
	if shard.router != nil {
		serveOperators(p, shard.router)
	}
	commands, err := newServer(p, serve.Config{Commander: shard.engine, Feeder: shard.engine})
	if err != nil {
		return err
	}
	legacyFeed, err := newServer(p, serve.Config{Feeder: shard.legacy})
	if err != nil {
		return err
	}

	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return p.Serve(ctx, commands, open.commands...) })
	group.Go(func() error { return p.Serve(ctx, legacyFeed, open.legacyFeed...) })
	group.Go(func() error { return p.ServeHTTP(ctx, open.http, api) })
	group.Go(func() error { return m.Run(ctx) })
	group.Go(func() error { return shard.watch(ctx) })
	open.log(p.Log)
	p.Ready.Started()
	return group.Wait()
}

func newServer(p *program.Process, config serve.Config) (*serve.Server, error) {
	config.Logger, config.Registerer = p.Log, p.Metrics
	config.Options = []grpc.ServerOption{grpc.StatsHandler(otelgrpc.NewServerHandler())}
	return serve.NewServer(config)
}

// listeners are where the program is called.
type listeners struct {
	commands   []net.Listener
	legacyFeed []net.Listener
	http       net.Listener
}

// open opens all of them, or none.
func (s *settings) open(ctx context.Context) (*listeners, error) {
	l := &listeners{}
	if err := l.open(ctx, s); err != nil {
		l.close()
		return nil, err
	}
	return l, nil
}

func (l *listeners) open(ctx context.Context, s *settings) (err error) {
	if l.commands, err = program.ListenAll(ctx, s.listen...); err != nil {
		return err
	}
	if l.legacyFeed, err = program.ListenAll(ctx, s.legacyFeed...); err != nil {
		return err
	}
	l.http, err = program.Listen(ctx, s.http)
	return err
}

func (l *listeners) log(log *slog.Logger) {
	for _, listener := range l.commands {
		log.Info("serving player state", "addr", listener.Addr().String())
	}
	for _, listener := range l.legacyFeed {
		log.Info("serving the old engine's feed", "addr", listener.Addr().String())
	}
	log.Info("serving the JSON API", "addr", l.http.Addr().String())
}

func (l *listeners) close() {
	program.CloseAll(l.commands)
	program.CloseAll(l.legacyFeed)
	if l.http != nil {
		_ = l.http.Close()
	}
}
