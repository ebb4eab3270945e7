package program

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

// OnReload calls reload at each SIGHUP, one after the other, until ctx is over. A
// program that never asks for it ends at SIGHUP, as when its terminal is closed.
func OnReload(ctx context.Context, reload func()) {
	heard := make(chan os.Signal, 1) // one that comes during a reload asks for another
	signal.Notify(heard, syscall.SIGHUP)
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
