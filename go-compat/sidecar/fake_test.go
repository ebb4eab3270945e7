package sidecar

import (
	"context"
	"net"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/test/bufconn"

	pb "treasurehunt.example/go-compat/gen/playerstatev1"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fakeSidecar is a server in memory that a test holds in its hand.
type fakeSidecar struct {
	pb.UnimplementedPlayerStateServiceServer
	pb.UnimplementedEventFeedServiceServer
	listener *bufconn.Listener
	server   *grpc.Server

	// batch answers an ApplyBatch; by default every command is applied.
	batch func(ctx context.Context, cmds []*pb.Command) (*pb.ApplyBatchResponse, error)

	forget  bool       // keeps no batches, for benchmarks
	mu      sync.Mutex // guards batches
	batches [][]*pb.Command
}

func startFake(t testing.TB, batch func(context.Context, []*pb.Command) (*pb.ApplyBatchResponse, error)) *fakeSidecar {
	t.Helper()
	f := &fakeSidecar{listener: bufconn.Listen(1 << 20), server: grpc.NewServer(), batch: batch}
	pb.RegisterPlayerStateServiceServer(f.server, f)
	pb.RegisterEventFeedServiceServer(f.server, f)
	go func() { _ = f.server.Serve(f.listener) }()
	t.Cleanup(f.server.Stop)
	return f
}

func (f *fakeSidecar) ApplyBatch(ctx context.Context, req *pb.ApplyBatchRequest) (*pb.ApplyBatchResponse, error) {
	if !f.forget {
		f.mu.Lock()
		f.batches = append(f.batches, req.GetCommands())
		f.mu.Unlock()
	}
	if f.batch != nil {
		return f.batch(ctx, req.GetCommands())
	}
	return applied(req.GetCommands()), nil
}

// received is every batch so far.
func (f *fakeSidecar) received() [][]*pb.Command {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.batches
}

func applied(cmds []*pb.Command) *pb.ApplyBatchResponse {
	reply := &pb.ApplyBatchResponse{}
	for _, cmd := range cmds {
		reply.Outcomes = append(reply.Outcomes, &pb.Outcome{
			RequestId: cmd.GetRequestId(), Verdict: pb.Verdict_VERDICT_APPLIED, Epoch: 1, Sequence: cmd.GetRequestId(),
		})
	}
	return reply
}

// client dials the fake, with one lane unless config says otherwise.
func (f *fakeSidecar) client(t testing.TB, config Config) *Client {
	t.Helper()
	config.Target = "tcp:fake:1"
	config.Dialer = func(ctx context.Context, _ string) (net.Conn, error) { return f.listener.DialContext(ctx) }
	if config.Lanes == 0 {
		config.Lanes = 1
	}
	return dial(t, config)
}

func dial(t testing.TB, config Config) *Client {
	t.Helper()
	c, err := Dial(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel() // whatever a test left in hand is not waited for
		_ = c.Close(ctx)
	})
	return c
}

// gated is a batch handler that announces each call and holds it until the test
// sends a value, or the call's deadline.
func gated() (batch func(context.Context, []*pb.Command) (*pb.ApplyBatchResponse, error), arrived chan int, release chan struct{}) {
	arrived, release = make(chan int, 64), make(chan struct{})
	return func(ctx context.Context, cmds []*pb.Command) (*pb.ApplyBatchResponse, error) {
		arrived <- len(cmds)
		select {
		case <-release:
			return applied(cmds), nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}, arrived, release
}

func dig(player, request uint64) *pb.Command {
	return &pb.Command{HuntId: "h", PlayerId: player, RequestId: request, Action: &pb.Command_Dig{Dig: &pb.Dig{}}}
}

// applying gives what sends a dig of a player, each beside the others, and what waits for
// the answers to all.
func applying(ctx context.Context, t testing.TB, c *Client) (apply func(player uint64), wait func()) {
	var all sync.WaitGroup
	return func(player uint64) {
		all.Go(func() {
			if _, err := c.Apply(ctx, dig(player, player)); err != nil {
				t.Error(err)
			}
		})
	}, all.Wait
}

func within(t testing.TB, limit time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	t.Cleanup(cancel)
	return ctx
}

// await polls until done, at most 5 s.
func await(t testing.TB, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(5 * time.Second); !done(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("never came: %s", what)
		}
	}
}

// queued waits until so many commands wait in all lanes.
func queued(t testing.TB, c *Client, commands int) {
	t.Helper()
	await(t, "the commands in the queue", func() bool {
		n := 0
		for _, lane := range c.lanes {
			n += lane.waiting()
		}
		return n == commands
	})
}
