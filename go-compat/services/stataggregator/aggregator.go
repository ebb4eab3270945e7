package stataggregator

import (
	"context"
	"fmt"
	"log/slog"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"

	pb "treasurehunt.example/go-compat/gen/playerstatev1"
	"treasurehunt.example/go-compat/services/stataggregator/store"
)

// Readiness learns which part of the aggregator cannot work, and why; "" says
// that it can again. Safe for concurrent use.
type Readiness interface {
	Set(part, reason string)
}

// Aggregator is the service. Safe for concurrent use.
type Aggregator struct {
	pullers     []*puller
	connections []*grpc.ClientConn
	store       store.Store
	log         *slog.Logger
}

// New makes an aggregator that counts into a store. config was checked. Options
// are added to those of each feed's connection. Close ends it, but not the store.
func New(
	ctx context.Context, config Config, counted store.Store, ready Readiness,
	log *slog.Logger, registerer prometheus.Registerer, options ...grpc.DialOption,
) (*Aggregator, error) {
	missing, err := counted.Missing(ctx)
	if err != nil {
		return nil, err
	}
	metrics := newMetrics(registerer, missing)
	a := &Aggregator{store: counted, log: log}
	for _, feed := range config.Feeds {
		name, addr, _ := strings.Cut(feed, "=")
		conn, err := connect(addr, options)
		if err != nil {
			a.Close()
			return nil, fmt.Errorf("feed %s: %w", name, err)
		}
		a.connections = append(a.connections, conn)
		a.pullers = append(a.pullers, newPuller(name, pb.NewEventFeedServiceClient(conn), config, counted, ready, log, metrics))
	}
	return a, nil
}

// Run reads the feeds until ctx is over. What is being counted then is counted
// whole, or not at all.
func (a *Aggregator) Run(ctx context.Context) error {
	var group errgroup.Group
	for _, p := range a.pullers {
		group.Go(func() error {
			p.run(ctx)
			return nil
		})
	}
	return group.Wait()
}

// Close ends the connections. Run has returned.
func (a *Aggregator) Close() {
	for _, conn := range a.connections {
		_ = conn.Close() // it was open, which is all that can be wrong
	}
}
