// Command stataggregator counts what happens in the hunts: it pulls the feeds of
// the engines, and serves statistics and leaderboards over HTTP.
package main

import (
	"context"
	"errors"

	"golang.org/x/sync/errgroup"

	"treasurehunt.example/go-compat/services/program"
	"treasurehunt.example/go-compat/services/program/jsonapi"
	"treasurehunt.example/go-compat/services/stataggregator"
	"treasurehunt.example/go-compat/services/stataggregator/store"
)

type settings struct {
	config stataggregator.Config
	store  string
	http   string
}

func main() {
	var s settings
	program.Program{
		Name:  "stataggregator",
		Short: "Counts what happens in the hunts",
		Long:  long,
		Admin: "127.0.0.1:9102",
		Settings: append(s.config.Settings(),
			program.String(&s.store, "store", "stats.db", "where the statistics are kept: sqlite:PATH, a path, or postgres://USER@HOST/DATABASE", program.Given()),
			program.String(&s.http, "http", "127.0.0.1:8102", "address of the JSON API; empty for none", program.Address()),
		),
		Check: s.config.Check,
		Run:   s.run,
	}.Main()
}

const long = `Counts what happens in the hunts, and serves statistics and leaderboards.

Each --feed is read from the cursor that is kept with what was counted, so that
it can be stopped at any time: nothing is missed, and nothing is counted twice,
also if a record comes from two feeds.

A Postgres server's password is looked for where libpq looks: in the file that
PGPASSFILE names, or ~/.pgpass. PGSERVICE, PGHOST and the like are heard too.`

func (s *settings) run(ctx context.Context, p *program.Process) error {
	counted, err := store.Open(ctx, s.store)
	switch {
	case err == nil:
	case errors.Is(err, store.ErrAway):
		return program.Exit(program.ExitDependency, "%w", err)
	case errors.Is(err, store.ErrDamaged):
		return program.Exit(program.ExitData, "%w", err)
	default:
		return program.Exit(program.ExitSettings, "%w", err)
	}
	return errors.Join(s.count(ctx, p, counted), counted.Close())
}

// count counts and answers until ctx is over.
func (s *settings) count(ctx context.Context, p *program.Process, counted store.Store) error {
	aggregator, err := stataggregator.New(ctx, s.config, counted, p.Ready, p.Log, p.Metrics)
	if err != nil {
		return err
	}
	defer aggregator.Close()
	group, ctx := errgroup.WithContext(ctx)
	if s.http != "" {
		listener, err := program.Listen(ctx, s.http)
		if err != nil {
			return err
		}
		api := jsonapi.New(p.Log, p.Metrics)
		aggregator.Routes(api)
		p.Log.Info("HTTP listens", "addr", listener.Addr().String())
		group.Go(func() error { return p.ServeHTTP(ctx, listener, api) })
	}
	group.Go(func() error { return aggregator.Run(ctx) })
	p.Ready.Started()
	return group.Wait()
}
