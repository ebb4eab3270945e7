package program

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

// OnReload calls reload at each SIGHUP, one after the other, until ctx is over. A
// program that never asks for it takes SIGHUP, as when its terminal is closed, for
// SIGTERM.
func (p *Process) OnReload(ctx context.Context, reload func()) {
	heard := make(chan os.Signal, 1) // one that comes during a reload asks for another
	signal.Notify(heard, syscall.SIGHUP)
	signal.Stop(p.hangups)
	go func() {
		defer signal.Stop(heard)
		for {
			select {
			case <-heard:
				reload()
			case <-ctx.Done():
				return
			}
		}
	}()
}

// untilHangup gives a context that is over at SIGHUP, unless [Process.OnReload]
// takes it. A process that was started to outlive its terminal, as by nohup, does.
func (p *Process) untilHangup(ctx context.Context) (_ context.Context, stop func()) {
	ctx, end := context.WithCancel(ctx)
	if !signal.Ignored(syscall.SIGHUP) {
		signal.Notify(p.hangups, syscall.SIGHUP)
	}
	go func() {
		select {
		case <-p.hangups:
			end()
		case <-ctx.Done():
		}
	}()
	return ctx, func() {
		signal.Stop(p.hangups)
		end()
	}
}
