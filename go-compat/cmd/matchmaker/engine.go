package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"

	bolterrors "go.etcd.io/bbolt/errors"

	"treasurehunt.example/go-compat/legacy"
	"treasurehunt.example/go-compat/playerstate"
	"treasurehunt.example/go-compat/rollout"
	"treasurehunt.example/go-compat/router"
	"treasurehunt.example/go-compat/router/ledger"
	"treasurehunt.example/go-compat/services/program"
	"treasurehunt.example/go-compat/sidecar"
)

// shard is what hunts live in. What stands behind engine is nobody's business but
// this file's.
type shard struct {
	engine playerstate.Engine
	legacy playerstate.Feeder // the old engine's own feed
	failed <-chan struct{}    // closed when engine can go on no more; nil: never
	why    func() error       // it failed
	router *router.Router     // nil: the old engine runs alone
}

// openShard is the whole difference between a shard of the old engine and one
// with a sidecar: legacy.New, or router.New around it.
func (s *settings) openShard(ctx context.Context, p *program.Process) (*shard, error) {
	rulesets, err := s.rulesets()
	if err != nil {
		return nil, err
	}
	if s.sidecar == "" {
		old := s.newLegacy(ctx, p, legacy.Config{Claim: legacy.ClaimAuto, Rulesets: rulesets})
		return &shard{engine: old, legacy: old}, nil
	}
	old := s.newLegacy(ctx, p, legacy.Config{Claim: legacy.ClaimRouter, Rulesets: rulesets})
	both, err := s.openRouter(ctx, p, old)
	if err != nil {
		return nil, errors.Join(err, old.Close(ctx))
	}
	return &shard{engine: both, legacy: old, failed: both.Failed(), why: both.Err, router: both.Router}, nil
}

func (s *settings) newLegacy(ctx context.Context, p *program.Process, config legacy.Config) *legacy.Engine {
	config.Logger = p.Log
	engine := legacy.New(config)
	p.OnReload(ctx, engine.FollowRulesets(s.rules))
	p.Metrics.MustRegister(engine.Metrics()...)
	return engine
}

// routed is a router with the flag that it follows.
type routed struct {
	*router.Router
	flag *rollout.Flag
}

// Close closes the router, which closes both engines, and then the flag.
func (r *routed) Close(ctx context.Context) error {
	return errors.Join(r.Router.Close(ctx), r.flag.Close(ctx))
}

func (s *settings) openRouter(ctx context.Context, p *program.Process, old *legacy.Engine) (*routed, error) {
	flag, err := rollout.WatchFile(ctx, s.flagFile, rollout.Config{Logger: p.Log})
	if err != nil {
		return nil, fmt.Errorf("the flag: %w", err)
	}
	client, err := sidecar.Dial(sidecar.Config{
		Target: program.Target(s.sidecar),
		Linger: cmp.Or(s.sidecarLinger, -1), // 0 would be the default
	})
	if err != nil {
		return nil, errors.Join(program.Exit(program.ExitUsage, "--sidecar: %w", err), flag.Close(ctx))
	}
	both, err := router.New(router.Config{
		Legacy: old, Sidecar: client, Rollout: flag, LedgerPath: s.ledger,
		RecoverWithin: s.recoverWithin,
		Logger:        p.Log, Registerer: p.Metrics,
	})
	if err != nil {
		return nil, errors.Join(ledgerExit(err), client.Close(ctx), flag.Close(ctx))
	}
	p.Metrics.MustRegister(client, flag)
	return &routed{Router: both, flag: flag}, nil
}

// ledgerExit gives the failures of a ledger their exit codes.
func ledgerExit(err error) error {
	var damaged *ledger.DamagedError
	var path *fs.PathError
	switch {
	case errors.Is(err, ledger.ErrLocked):
		return &program.ExitError{Code: program.ExitLocked, Err: err}
	case errors.As(err, &damaged):
		return &program.ExitError{Code: program.ExitData, Err: err}
	case errors.Is(err, bolterrors.ErrInvalid), errors.Is(err, bolterrors.ErrVersionMismatch), errors.Is(err, bolterrors.ErrChecksum):
		return program.Exit(program.ExitData, "%w; it is no ledger, or a damaged one: restore it, or name another --ledger if it never was one", err)
	case errors.As(err, &path):
		return program.Exit(program.ExitSettings, "--ledger: %w; its directory has to be there, and this user's to write", err)
	default:
		return err
	}
}

// rulesets loads those of the old engine, which every hunt's has to be among: it may
// be placed there at any percentage, and could not be made.
func (s *settings) rulesets() (legacy.Rulesets, error) {
	rulesets, err := legacy.LoadRulesets(s.rules)
	if err != nil {
		return nil, program.FileExit(err)
	}
	for _, name := range s.matchmaker.Rulesets {
		if _, has := rulesets[name]; !has {
			return nil, program.Exit(program.ExitSettings, "--hunt-ruleset %s: there is no such ruleset; with this --rules there are %s",
				name, strings.Join(slices.Sorted(maps.Keys(rulesets)), ", "))
		}
	}
	return rulesets, nil
}

// watch waits until ctx is over, or the engine can go on no more, which ends the program.
func (s *shard) watch(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case <-s.failed:
		return program.Exit(program.ExitFailure, "the router has stopped, and the process with it: %w", s.why())
	}
}

// close ends the engine. Nobody calls it any more.
func (s *shard) close(ctx context.Context, p *program.Process) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), p.DrainWithin)
	defer cancel()
	if err := s.engine.Close(ctx); err != nil {
		p.Log.Warn("the engine was closed with something in hand", "error", err)
	}
}
