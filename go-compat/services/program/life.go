package program

import (
	"context"
	"io"
	"os/signal"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"
)

// slack is what a program gets beyond its drain time before it is ended.
const slack = 500 * time.Millisecond

// live is the life of a process: logs, traces, the admin listener, the work, a
// signal, the drain, and the end.
func (p Program) live(ctx context.Context, common common, warnings []string, stderr io.Writer) error {
	log := newLogger(stderr, common.logLevel, common.logFormat)
	for _, warning := range warnings {
		log.Warn(warning)
	}
	stopTracing, err := startTracing(ctx, p.Name, log)
	if err != nil {
		return err
	}
	defer stopTracing()

	process := newProcess(p.Name, common, log)
	stopAdmin, err := process.startAdmin(ctx, common.admin)
	if err != nil {
		return err
	}
	defer stopAdmin()

	log.Info("starting", "program", p.Name, "version", Version())
	err = p.work(ctx, process)
	if err == nil {
		log.Info("stopped")
	}
	return err
}

// work runs the program until it ends, or until it was told to and did not in time.
func (p Program) work(ctx context.Context, process *Process) error {
	ctx, stopSignals := signal.NotifyContext(ctx, syscall.SIGTERM, syscall.SIGINT)
	defer stopSignals()
	ctx, stopHangup := process.untilHangup(ctx)
	defer stopHangup()
	done := make(chan error, 1)
	go func() { done <- p.Run(ctx, process) }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	stopHangup()
	stopSignals() // a second signal ends the process at once, as it would any
	process.Ready.Set("process", "draining")
	process.Log.Info("draining", "within", process.DrainWithin.String())
	select {
	case err := <-done:
		return err
	case <-time.After(process.DrainWithin + slack):
		return Exit(ExitFailure, "not drained within %s; what was in hand is cut off", process.DrainWithin+slack)
	}
}

// startAdmin serves the admin listener until the function that it returns is called.
func (p *Process) startAdmin(ctx context.Context, addr string) (stop func(), err error) {
	if addr == "" {
		return func() {}, nil
	}
	listener, err := Listen(ctx, addr)
	if err != nil {
		return nil, err
	}
	// It outlives ctx, so that /readyz can say that the process drains.
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var group errgroup.Group
	group.Go(func() error { return p.ServeHTTP(ctx, listener, p.adminHandler()) })
	p.Log.Info("admin listens", "addr", listener.Addr().String())
	return func() {
		cancel()
		if err := group.Wait(); err != nil {
			p.Log.Error("admin listener", "error", err)
		}
	}, nil
}
