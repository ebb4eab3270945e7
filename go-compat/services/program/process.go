package program

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"golang.org/x/net/netutil"
	"golang.org/x/sync/errgroup"
)

// The bounds of every HTTP listener here.
const (
	httpHeaderTimeout  = 2 * time.Second
	httpReadTimeout    = 5 * time.Second
	httpWriteTimeout   = 10 * time.Second
	httpIdleTimeout    = time.Minute
	httpHeaderBytesMax = 16 << 10
	httpConnectionsMax = 256
)

// Process is what a running program stands on. Safe for concurrent use.
type Process struct {
	Log     *slog.Logger
	Metrics *prometheus.Registry
	Ready   *Readiness
	// DrainWithin is how long calls in hand may take once the program was told to end.
	DrainWithin time.Duration

	name    string
	admin   *http.ServeMux
	hangups chan os.Signal // SIGHUP, until [Process.OnReload] takes it
}

func newProcess(name string, common common, log *slog.Logger) *Process {
	metrics := prometheus.NewRegistry()
	metrics.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return &Process{
		Log: log, Metrics: metrics, Ready: newReadiness(), DrainWithin: common.drainWithin, name: name, admin: http.NewServeMux(),
		hangups: make(chan os.Signal, 1),
	}
}

// Server is what a program serves on its listeners. Shutdown takes no more
// requests, lets those in hand finish, and cuts off what is left when ctx ends;
// then Serve returns nil. The gRPC server of playerstate/serve is one.
type Server interface {
	Serve(net.Listener) error
	Shutdown(context.Context) error
}

// Serve serves every listener until ctx is over, then shuts the server down
// within [Process.DrainWithin]. It closes the listeners.
func (p *Process) Serve(ctx context.Context, server Server, listeners ...net.Listener) error {
	group, ctx := errgroup.WithContext(ctx)
	for _, listener := range listeners {
		group.Go(func() error { return server.Serve(listener) })
	}
	group.Go(func() error {
		<-ctx.Done()
		limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), p.DrainWithin)
		defer cancel()
		err := server.Shutdown(limited)
		if errors.Is(err, context.DeadlineExceeded) {
			p.Log.Info("what was still in hand is cut off", "after", p.DrainWithin.String())
			return nil
		}
		return err
	})
	return group.Wait()
}

// ServeHTTP serves handler on a listener as [Process.Serve] does.
func (p *Process) ServeHTTP(ctx context.Context, listener net.Listener, handler http.Handler) error {
	return p.Serve(ctx, &httpServer{http.Server{
		Handler:           handler,
		ReadHeaderTimeout: httpHeaderTimeout,
		ReadTimeout:       httpReadTimeout,
		WriteTimeout:      httpWriteTimeout,
		IdleTimeout:       httpIdleTimeout,
		MaxHeaderBytes:    httpHeaderBytesMax,
		ErrorLog:          slog.NewLogLogger(p.Log.Handler(), slog.LevelWarn),
	}}, listener)
}

// httpServer is an http.Server that is a [Server].
type httpServer struct{ http http.Server }

func (s *httpServer) Serve(listener net.Listener) error {
	err := s.http.Serve(netutil.LimitListener(listener, httpConnectionsMax))
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

func (s *httpServer) Shutdown(ctx context.Context) error {
	err := s.http.Shutdown(ctx)
	if err == nil {
		return nil
	}
	return errors.Join(err, s.http.Close())
}
