package sidecar

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"strings"
	"time"

	"go.opentelemetry.io/contrib/instrumentation/google.golang.org/grpc/otelgrpc"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"

	pb "treasurehunt.example/go-compat/gen/playerstatev1"
	"treasurehunt.example/go-compat/playerstate"
	"treasurehunt.example/go-compat/sidecar/internal/onecall"
)

// Config says where the sidecar is, and what the client may use. A zero field is
// its default.
type Config struct {
	// Target is "unix:PATH" or "tcp:HOST:PORT".
	Target string
	// Lanes is how many calls with commands may be out at once, each on a
	// connection of its own: 1 to 16, by default 2. More lanes mean smaller batches.
	Lanes int
	// QueueCommands is the most commands that wait in one lane: by default 8,192.
	// One more is answered REFUSED OVERLOADED at once.
	QueueCommands int
	// Linger is how long a call with few commands waits for more where more are to be
	// expected: by default 200 µs, 5 ms at most; negative is never. A caller alone never
	// waits. A longer one costs every command that much time, and the shard less CPU:
	// docs/story.md measures both.
	Linger time.Duration
	// CallsInFlight is the most calls at once that carry no commands, for hunts, reads
	// and ownership, and as many again for the feed: by default 1,024. One more fails with
	// codes.ResourceExhausted.
	CallsInFlight int
	// TracerProvider gets a span a batch. By default it is the global one.
	TracerProvider trace.TracerProvider
	// Dialer replaces the way to the target, as for an in-memory server.
	Dialer func(ctx context.Context, addr string) (net.Conn, error)
}

const (
	// DefaultLinger is the Linger of a Config that has none.
	DefaultLinger = 200 * time.Microsecond
	// LingerMax is the most that Linger takes: a tenth of what a shard has for a command.
	LingerMax = 5 * time.Millisecond
)

const (
	lanesMax = 16
	// playerCommandsMax is the most commands of one player in a call: as many
	// requests of a player as an engine remembers (RULES).
	playerCommandsMax = 4

	// The server ends its calls at these, so a longer deadline here would only
	// hold a caller.
	callTimeMax = 2 * time.Second
	feedTimeMax = 35 * time.Second

	// Above the message cap, so that a message never waits for window credit of
	// its own stream; and room for many streams in the connection's.
	streamWindowBytes     = 1 << 20
	connectionWindowBytes = 8 << 20

	socketPathBytesMax = 107 // of sun_path, without its NUL
)

func (c Config) withDefaults() Config {
	c.Lanes = cmp.Or(c.Lanes, 2)
	c.QueueCommands = cmp.Or(c.QueueCommands, 8192)
	c.Linger = cmp.Or(c.Linger, DefaultLinger)
	c.CallsInFlight = cmp.Or(c.CallsInFlight, 1024)
	if c.TracerProvider == nil {
		c.TracerProvider = otel.GetTracerProvider()
	}
	return c
}

func (c Config) check() error {
	if c.Lanes < 1 || c.Lanes > lanesMax {
		return fmt.Errorf("sidecar: Lanes must be 1 to %d; this is %d", lanesMax, c.Lanes)
	}
	if c.Linger > LingerMax {
		return fmt.Errorf("sidecar: Linger must be %s at most; this is %s", LingerMax, c.Linger)
	}
	if c.QueueCommands < 1 {
		return fmt.Errorf("sidecar: QueueCommands must be 1 at least; this is %d", c.QueueCommands)
	}
	if c.CallsInFlight < 1 {
		return fmt.Errorf("sidecar: CallsInFlight must be 1 at least; this is %d", c.CallsInFlight)
	}
	return nil
}

// address splits a Target into a network and a place in it.
func (c Config) address() (network, address string, err error) {
	network, address, _ = strings.Cut(c.Target, ":")
	switch network {
	case "unix":
		if n := len(address); n < 1 || n > socketPathBytesMax {
			return "", "", fmt.Errorf("sidecar: the socket path of %q must have 1 to %d bytes; this has %d", c.Target, socketPathBytesMax, n)
		}
	case "tcp":
		if _, _, err := net.SplitHostPort(address); err != nil {
			return "", "", fmt.Errorf("sidecar: target %q: %w", c.Target, err)
		}
	default:
		return "", "", fmt.Errorf("sidecar: target %q must be unix:PATH or tcp:HOST:PORT", c.Target)
	}
	return network, address, nil
}

// ofLane is how a lane reaches a target that was checked.
func (c Config) ofLane() onecall.Config {
	network, address, _ := c.address()
	lane := onecall.Config{
		Authority: address, Method: pb.PlayerStateService_ApplyBatch_FullMethodName, ReplyBytesMax: playerstate.MaxMessageBytes,
		Dial: func(ctx context.Context) (net.Conn, error) {
			if c.Dialer != nil {
				return c.Dialer(ctx, address)
			}
			dialer := net.Dialer{Control: unacked}
			return dialer.DialContext(ctx, network, address)
		},
	}
	if network == "unix" {
		lane.Authority = "localhost"
	}
	return lane
}

// connect makes one connection, which comes up on its own and stays up. An absent
// peer fails calls at once (wait-for-ready is off).
func (c Config) connect() (*grpc.ClientConn, error) {
	network, address, err := c.address()
	if err != nil {
		return nil, err
	}
	target := c.Target
	if network == "tcp" {
		target = "passthrough:///" + address
	}
	options := []grpc.DialOption{
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(
			grpc.MaxCallSendMsgSize(playerstate.MaxMessageBytes),
			grpc.MaxCallRecvMsgSize(playerstate.MaxMessageBytes),
		),
		grpc.WithStaticStreamWindowSize(streamWindowBytes),
		grpc.WithStaticConnWindowSize(connectionWindowBytes),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: 10 * time.Second, Timeout: time.Second}),
		grpc.WithConnectParams(grpc.ConnectParams{
			// A restarted sidecar should be found within a fraction of a second.
			Backoff:           backoff.Config{BaseDelay: 20 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: 250 * time.Millisecond},
			MinConnectTimeout: 2 * time.Second,
		}),
		grpc.WithDisableRetry(),
		grpc.WithDisableServiceConfig(),
		grpc.WithIdleTimeout(0),
		grpc.WithNoProxy(), // the sidecar is on this host, whatever HTTPS_PROXY says
		grpc.WithStatsHandler(otelgrpc.NewClientHandler(
			otelgrpc.WithTracerProvider(c.TracerProvider),
			otelgrpc.WithPropagators(propagation.TraceContext{}),
		)),
	}
	if c.Dialer != nil {
		options = append(options, grpc.WithContextDialer(c.Dialer))
	}
	conn, err := grpc.NewClient(target, options...)
	if err != nil {
		return nil, fmt.Errorf("sidecar: target %q: %w", c.Target, err)
	}
	conn.Connect() // now, not with the first caller's time
	return conn, nil
}

// bounded gives ctx a deadline: its own, [playerstate.DefaultTimeout] and extra
// where it has none, and limit at most.
func bounded(ctx context.Context, extra, limit time.Duration) (context.Context, context.CancelFunc) {
	if until, isOurs := bound(ctx, extra, limit); isOurs {
		return context.WithDeadline(ctx, until)
	}
	return ctx, func() {}
}

// bound is that deadline, and whether it is sooner than ctx's own.
func bound(ctx context.Context, extra, limit time.Duration) (until time.Time, isOurs bool) {
	now := time.Now()
	deadline, ok := ctx.Deadline()
	switch {
	case !ok:
		return now.Add(min(playerstate.DefaultTimeout+extra, limit)), true
	case deadline.Sub(now) > limit:
		return now.Add(limit), true
	}
	return deadline, false
}
