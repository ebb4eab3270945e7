// Package serve puts an engine on the wire: PlayerStateService, EventFeedService and
// OwnershipService over any [playerstate.Commander], [playerstate.Feeder] and
// [playerstate.Mover], with health, reflection and metrics.
//
// It checks requests, bounds calls, and turns failures into statuses. It never
// looks into a hunt and knows no engine: the legacy engine and the router are
// served by the same code.
//
// What must stay true: a call of our services has a deadline or is refused; the
// engine's context of each ends at the server's own cap; what is shed says when to
// send it again, as RetryInfo and as grpc-retry-pushback-ms; nothing that a failure
// holds inside is shown to a caller, but for a [*playerstate.Failure].
package serve

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/reflection"

	pb "treasurehunt.example/go-compat/gen/playerstatev1"
	"treasurehunt.example/go-compat/playerstate"
)

// Config is what a server stands on. The zero value of each optional field is
// its default.
type Config struct {
	Commander playerstate.Commander // nil: PlayerStateService is not registered
	Feeder    playerstate.Feeder    // nil: EventFeedService is not registered; one of these two is required
	Mover     playerstate.Mover     // nil: OwnershipService is not registered

	Limits     Limits                // zero: DefaultLimits
	Logger     *slog.Logger          // nil: slog.Default()
	Registerer prometheus.Registerer // nil: the metrics are kept, and shown nowhere
	Options    []grpc.ServerOption   // added to the server's own: credentials, a stats handler for traces
}

// Server is a gRPC server of these services. It is safe for concurrent use.
type Server struct {
	grpc    *grpc.Server
	health  *health.Server
	log     *slog.Logger
	metrics *metrics
	limits  Limits

	draining context.Context // over when Shutdown begins
	drain    context.CancelFunc
}

// NewServer makes a server that serves nothing yet. It fails only on a Config
// with neither service, and on a Registerer that holds other metrics of the same
// name; several servers with one Registerer share theirs.
func NewServer(config Config) (*Server, error) {
	if config.Commander == nil && config.Feeder == nil {
		return nil, errors.New("serve: Config.Commander and Config.Feeder are missing")
	}
	limits := config.Limits.withDefaults()
	log := config.Logger
	if log == nil {
		log = slog.Default()
	}
	measured, err := newMetrics(config.Registerer)
	if err != nil {
		return nil, err
	}
	s := &Server{health: health.NewServer(), log: log, metrics: measured, limits: limits}
	s.draining, s.drain = context.WithCancel(context.Background())
	s.grpc = grpc.NewServer(append(s.options(), config.Options...)...)

	if config.Commander != nil {
		pb.RegisterPlayerStateServiceServer(s.grpc, &commands{commander: config.Commander})
		s.health.SetServingStatus(pb.PlayerStateService_ServiceDesc.ServiceName, healthpb.HealthCheckResponse_SERVING)
	}
	if config.Feeder != nil {
		pb.RegisterEventFeedServiceServer(s.grpc, &feed{feeder: config.Feeder, draining: s.draining})
		s.health.SetServingStatus(pb.EventFeedService_ServiceDesc.ServiceName, healthpb.HealthCheckResponse_SERVING)
	}
	if config.Mover != nil {
		pb.RegisterOwnershipServiceServer(s.grpc, &ownership{mover: config.Mover})
		s.health.SetServingStatus(pb.OwnershipService_ServiceDesc.ServiceName, healthpb.HealthCheckResponse_SERVING)
	}
	healthpb.RegisterHealthServer(s.grpc, s.health)
	reflection.Register(s.grpc)
	return s, nil
}

// options is the order of the layers, from the wire inwards: message and stream
// caps, measuring, when to retry, calls in flight, the failure's outside, panics,
// the deadline.
func (s *Server) options() []grpc.ServerOption {
	return []grpc.ServerOption{
		grpc.MaxRecvMsgSize(playerstate.MaxMessageBytes),
		grpc.MaxSendMsgSize(playerstate.MaxMessageBytes),
		grpc.MaxConcurrentStreams(s.limits.StreamsPerConnection),
		grpc.MaxHeaderListSize(s.limits.HeaderListBytes),
		grpc.InitialWindowSize(streamWindowBytes),
		grpc.InitialConnWindowSize(connectionWindowBytes),
		grpc.ConnectionTimeout(s.limits.Handshake),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: minClientPing, PermitWithoutStream: true}),
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: pingAfterIdle, Timeout: pingTimeout}),
		grpc.StatsHandler(s.metrics),
		grpc.ChainUnaryInterceptor(
			pushback,
			inFlight(s.limits.CallsInFlight),
			s.outside,
			s.recoverPanics,
			deadlines(s.limits),
		),
	}
}

// Serve answers calls on listener until Shutdown. It may be called for several
// listeners at once, one goroutine each; it returns nil after Shutdown.
func (s *Server) Serve(listener net.Listener) error {
	err := s.grpc.Serve(newCapped(listener, s.limits.Connections, s.log))
	if errors.Is(err, grpc.ErrServerStopped) {
		return nil
	}
	return err
}

// Shutdown turns health to NOT_SERVING, takes no more calls, and lets those in
// hand finish; reads that wait for records end at once. When ctx ends first it
// cuts off what is left and returns ctx's error.
func (s *Server) Shutdown(ctx context.Context) error {
	s.health.Shutdown()
	s.drain()
	drained := make(chan struct{})
	go func() {
		defer close(drained)
		s.grpc.GracefulStop()
	}()
	select {
	case <-drained:
		return nil
	case <-ctx.Done():
		s.grpc.Stop() // the GracefulStop above ends with the last handler, which may be stuck: nobody waits for it
		return ctx.Err()
	}
}

const (
	streamWindowBytes     = 1 << 20 // over MaxMessageBytes: a message never waits for itself
	connectionWindowBytes = 8 << 20

	minClientPing = 500 * time.Millisecond // the sidecar's client pings each second while in use
	pingAfterIdle = 10 * time.Second
	pingTimeout   = 5 * time.Second
)
