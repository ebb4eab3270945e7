package stataggregator

import (
	"strings"
	"time"

	"go.opentelemetry.io/contrib/instrumentation/google.golang.org/grpc/otelgrpc"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"

	"treasurehunt.example/go-compat/playerstate"
	"treasurehunt.example/go-compat/services/program"
)

// A page of the feed fits in the window at once, so that a slow reader holds up
// nobody but itself.
const windowBytes = 1 << 20

// connect makes the connection of one feed's reader, which has it to itself. It
// does not wait for the feed to be there.
func connect(addr string, options []grpc.DialOption) (*grpc.ClientConn, error) {
	target := program.Target(addr)
	if place, ok := strings.CutPrefix(target, "tcp:"); ok {
		target = "passthrough:///" + place // each connection looks the name up anew
	}
	return grpc.NewClient(target, append([]grpc.DialOption{
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(playerstate.MaxMessageBytes), grpc.MaxCallSendMsgSize(playerstate.MaxMessageBytes)),
		grpc.WithNoProxy(), // feeds are near, whatever HTTPS_PROXY says
		grpc.WithStaticStreamWindowSize(windowBytes),
		grpc.WithStaticConnWindowSize(windowBytes),
		// The puller has pauses of its own; those of the connection stay below them.
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: 50 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: time.Second},
			MinConnectTimeout: time.Second,
		}),
		// A peer that is gone without a word is found while a read waits.
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: 10 * time.Second, Timeout: 5 * time.Second}),
		// Retrying is the puller's alone.
		grpc.WithDisableRetry(),
		grpc.WithDisableServiceConfig(),
		grpc.WithStatsHandler(otelgrpc.NewClientHandler()),
	}, options...)...)
}
