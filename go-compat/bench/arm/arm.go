package arm

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"treasurehunt.example/go-compat/bench/crowd"
	"treasurehunt.example/go-compat/services/localshard"
)

// The bounds of a server's life.
const (
	startLimit = 20 * time.Second
	stopLimit  = 30 * time.Second
)

// Arm is a server that can be started.
type Arm interface {
	// Name is what the figures call it.
	Name() string
	// Version is what its program says of itself.
	Version() (string, error)
	// Start runs it with all that it writes under dir.
	Start(ctx context.Context, dir string) (*Running, error)
}

// ProgramOf names the program whose version an arm tells.
func ProgramOf(a Arm) string {
	if _, isRedis := a.(Redis); isRedis {
		return "redis-server"
	}
	return "player-state"
}

// Running is a server that takes commands.
type Running struct {
	Engine crowd.Engine
	// Data is the directory of what it keeps.
	Data string

	process *localshard.Process
	close   func(context.Context) error // the client
	stopped bool
}

// Stop ends the client, then the server, and says so if the server did not end well.
// A second Stop does nothing.
func (r *Running) Stop() error {
	if r.stopped {
		return nil
	}
	r.stopped = true
	ctx, cancel := context.WithTimeout(context.Background(), stopLimit)
	defer cancel()
	return errors.Join(r.close(ctx), r.process.Stop(ctx))
}

// Restart kills the server and starts it again on what it kept. It answers how long
// that took until it was ready, which is asked every 20 ms.
func (r *Running) Restart(ctx context.Context) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	if err := r.process.Kill(); err != nil {
		return 0, err
	}
	began := time.Now()
	err := r.process.Restart(ctx)
	return time.Since(began), err
}

func (r *Running) kill() error { return r.process.Kill() }

// With starts an arm in a new directory of its name under dir, lets do work with it,
// and leaves neither the process nor the directory behind. After an error the
// directory stays, with the server's log.
func With(ctx context.Context, arm Arm, dir string, do func(*Running) error) error {
	return within(ctx, dir, arm.Name(), arm.Start, do)
}

// started is a server that can be ended.
type started interface {
	Stop() error
	kill() error
}

func within[S started](ctx context.Context, dir, name string, start func(ctx context.Context, dir string) (S, error), do func(S) error) error {
	own := filepath.Join(dir, name)
	if err := os.RemoveAll(own); err != nil {
		return err
	}
	if err := os.MkdirAll(own, 0o755); err != nil {
		return err
	}
	starting, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	server, err := start(starting, own)
	if err != nil {
		return fmt.Errorf("start %s: %w", name, err)
	}
	err = do(server)
	if ctx.Err() != nil { // whoever interrupts a bench does not wait for servers to end well
		return errors.Join(err, server.kill(), os.RemoveAll(own))
	}
	if err := errors.Join(err, server.Stop()); err != nil {
		return fmt.Errorf("%s (its logs are kept in %s): %w", name, filepath.Join(own, "logs"), err)
	}
	return os.RemoveAll(own)
}
