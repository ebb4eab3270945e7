// Package localshard runs a whole shard on this machine, as real processes: the
// sidecar, the matchmaker with its router, and the stat aggregator. The demo and
// the end-to-end tests stand on it.
package localshard

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"treasurehunt.example/go-compat/services/canary"
)

// Config says what to run, and where.
type Config struct {
	// BinDir holds the programs.
	BinDir string
	// Dir gets sockets, logs, ledger, store and flag file. It should be short:
	// a Unix socket's path has at most 107 bytes.
	Dir string
	// Percent is the flag's first value.
	Percent float64
	// LegacyOnly leaves the sidecar out: the matchmaker runs the old engine alone.
	LegacyOnly bool
	// SidecarOnly leaves the others out: who calls the sidecar is the caller's choice.
	SidecarOnly bool
	// Env is added to the environment of every program, as "NAME=value".
	Env []string
	// Args are added to a program's arguments, by the program's name.
	Args map[string][]string
}

// Shard is a running shard. Its processes may be paused, killed and restarted by
// the tests that own it.
type Shard struct {
	Sidecar    *Process // nil with LegacyOnly
	Matchmaker *Process // nil, as the aggregator, with SidecarOnly
	Aggregator *Process

	// Dir is where its sockets, logs and stores are.
	Dir string
	// Router is the gRPC address that every service of the shard calls.
	Router string
	// SidecarSocket is where the sidecar listens, as unix:PATH.
	SidecarSocket string
	// SidecarAddr is the sidecar's TCP address, for grpcurl.
	SidecarAddr string
	// MatchmakerHTTP and AggregatorHTTP are the services' JSON APIs.
	MatchmakerHTTP string
	AggregatorHTTP string
	// LegacyFeed is the old engine's own feed.
	LegacyFeed string

	flagFile string
}

// Start runs the shard, and returns when every part of it is ready. On an error
// nothing is left running.
func Start(ctx context.Context, config Config) (*Shard, error) {
	s := &Shard{
		Dir:           config.Dir,
		SidecarSocket: "unix:" + filepath.Join(config.Dir, "sidecar.sock"),
		flagFile:      filepath.Join(config.Dir, "flags", "player-state.flagd.json"),
	}
	if err := os.MkdirAll(filepath.Dir(s.flagFile), 0o755); err != nil {
		return nil, err
	}
	if err := s.SetPercent(config.Percent); err != nil {
		return nil, err
	}
	for _, addr := range []*string{&s.Router, &s.SidecarAddr, &s.MatchmakerHTTP, &s.AggregatorHTTP, &s.LegacyFeed} {
		free, err := FreeAddr()
		if err != nil {
			return nil, err
		}
		*addr = free
	}
	for _, start := range s.starts(config) {
		if err := start(ctx, config); err != nil {
			return nil, errors.Join(err, s.Kill())
		}
	}
	return s, nil
}

// starts are the steps that start what config asks for.
func (s *Shard) starts(config Config) []func(context.Context, Config) error {
	switch {
	case config.LegacyOnly:
		return []func(context.Context, Config) error{s.startMatchmaker, s.startAggregator}
	case config.SidecarOnly:
		return []func(context.Context, Config) error{s.startSidecar}
	}
	return []func(context.Context, Config) error{s.startSidecar, s.startMatchmaker, s.startAggregator}
}

func (s *Shard) startSidecar(ctx context.Context, config Config) (err error) {
	s.Sidecar, err = Run(ctx, config, "player-state", "serve",
		"--listen", s.SidecarSocket, "--listen", "tcp:"+s.SidecarAddr,
		"--data-dir", s.sidecarData())
	return err
}

func (s *Shard) startMatchmaker(ctx context.Context, config Config) (err error) {
	args := []string{
		"--listen", "tcp:" + s.Router, "--http", s.MatchmakerHTTP, "--legacy-feed-listen", "tcp:" + s.LegacyFeed,
	}
	if !config.LegacyOnly {
		args = append(args,
			"--sidecar", s.SidecarSocket, "--sidecar-data-dir", s.sidecarData(),
			"--flag-file", s.flagFile, "--ledger", filepath.Join(config.Dir, "ledger.db"))
	}
	s.Matchmaker, err = Run(ctx, config, "matchmaker", args...)
	return err
}

func (s *Shard) startAggregator(ctx context.Context, config Config) (err error) {
	args := []string{
		"--feed", "go=tcp:" + s.LegacyFeed,
		"--store", "sqlite:" + filepath.Join(config.Dir, "stats.db"), "--http", s.AggregatorHTTP,
	}
	if !config.LegacyOnly {
		args = append(args, "--feed", "sidecar="+s.SidecarSocket)
	}
	s.Aggregator, err = Run(ctx, config, "stataggregator", args...)
	return err
}

// Run starts a program with an admin port, and waits until it is ready, within ctx.
// On an error nothing is left running.
func Run(ctx context.Context, config Config, name string, args ...string) (*Process, error) {
	admin, err := FreeAddr()
	if err != nil {
		return nil, err
	}
	p, err := Launch(config, name, append(args, "--admin", admin)...)
	if err != nil {
		return nil, err
	}
	p.Admin = admin
	if err := p.awaitReady(ctx); err != nil {
		return nil, errors.Join(err, p.Kill())
	}
	return p, nil
}

// Launch starts a program beside the shard, without waiting for anything.
func Launch(config Config, name string, args ...string) (*Process, error) {
	path, err := program(config.BinDir, name)
	if err != nil {
		return nil, err
	}
	logs := filepath.Join(config.Dir, "logs")
	if err := os.MkdirAll(logs, 0o755); err != nil {
		return nil, err
	}
	p := &Process{
		Name: name,
		path: path,
		args: append(args, config.Args[name]...),
		env:  config.Env,
		log:  filepath.Join(logs, name+".log"),
	}
	return p, p.start()
}

// SetPercent writes the flag file as an operator's tool would: whole, then renamed into place.
func (s *Shard) SetPercent(percent float64) error {
	type flag struct {
		State          string             `json:"state"`
		Variants       map[string]float64 `json:"variants"`
		DefaultVariant string             `json:"defaultVariant"`
	}
	text, err := json.MarshalIndent(map[string]any{
		"flags": map[string]flag{"player-state-percent": {
			State: "ENABLED", Variants: map[string]float64{"now": percent}, DefaultVariant: "now",
		}},
	}, "", "  ")
	if err != nil {
		return err
	}
	return s.WriteFlagFile(text)
}

// WriteFlagFile puts text into the flag file, be it a flag or not.
func (s *Shard) WriteFlagFile(text []byte) error {
	draft := s.flagFile + ".new"
	if err := os.WriteFile(draft, text, 0o644); err != nil {
		return err
	}
	return os.Rename(draft, s.flagFile)
}

func (s *Shard) sidecarData() string { return filepath.Join(s.Dir, "sidecar") }

// WipeSidecarData is a disk that was lost. The sidecar has to be down.
func (s *Shard) WipeSidecarData() error { return os.RemoveAll(s.sidecarData()) }

// FlagFile is the path of the flag file.
func (s *Shard) FlagFile() string { return s.flagFile }

// AwaitClaims returns when the router has the sidecar's hunts back, and places new ones
// there again, or says within ctx why not.
func (s *Shard) AwaitClaims(ctx context.Context) error {
	router := canary.Client{Base: "http://" + s.Matchmaker.Admin}
	deadline, _ := ctx.Deadline()
	return Await(time.Until(deadline), func() error {
		status, err := router.Status(ctx)
		switch {
		case err != nil:
			return err
		case status.MissingHunts > 0:
			return fmt.Errorf("%d hunts are not at their owner", status.MissingHunts)
		case status.Breaker != "closed" || status.RecoveringMs > 0:
			return fmt.Errorf("the breaker is %s (%s), the hunts have waited for %d ms", status.Breaker, status.BreakerCause, status.RecoveringMs)
		}
		return nil
	})
}

// Stop ends the shard in order: first who calls, then who is called.
func (s *Shard) Stop(ctx context.Context) error {
	var errs []error
	for _, p := range s.processes() {
		errs = append(errs, p.Stop(ctx))
	}
	return errors.Join(errs...)
}

// Kill ends whatever still runs, at once.
func (s *Shard) Kill() error {
	var errs []error
	for _, p := range s.processes() {
		errs = append(errs, p.Kill())
	}
	return errors.Join(errs...)
}

func (s *Shard) processes() []*Process {
	var running []*Process
	for _, p := range []*Process{s.Aggregator, s.Matchmaker, s.Sidecar} {
		if p != nil {
			running = append(running, p)
		}
	}
	return running
}

// Await polls until done says so, at most for the time given; the last error is what it reports.
func Await(limit time.Duration, done func() error) error {
	deadline := time.Now().Add(limit)
	for {
		err := done()
		if err == nil {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("not within %s: %w", limit, err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}
