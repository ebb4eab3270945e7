package serve

import (
	"context"
	"log/slog"
	"net"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"

	pb "treasurehunt.example/go-compat/gen/playerstatev1"
	"treasurehunt.example/go-compat/playerstate"
)

// mover says yes to all that comes to it.
type mover struct{}

func (mover) Hello(context.Context, *pb.HelloRequest) (*pb.HelloResponse, error) {
	return &pb.HelloResponse{Engine: "test"}, nil
}

func (mover) ListHunts(context.Context, *pb.ListHuntsRequest) (*pb.ListHuntsResponse, error) {
	return &pb.ListHuntsResponse{}, nil
}

func (mover) Probe(context.Context, *pb.ProbeRequest) (*pb.ProbeResponse, error) {
	return &pb.ProbeResponse{}, nil
}

func (mover) Activate(context.Context, *pb.ActivateRequest) (*pb.ActivateResponse, error) {
	return &pb.ActivateResponse{Sequence: 3}, nil
}

func TestOwnershipIsServedCheckedAndWhatIsNotBuiltIsUnimplemented(t *testing.T) {
	server, err := NewServer(Config{Commander: &engine{}, Mover: mover{}, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	pipe := bufconn.Listen(1 << 16)
	go func() { _ = server.Serve(pipe) }()
	conn, err := grpc.NewClient("passthrough:///pipe", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return pipe.DialContext(ctx) }))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	defer func() { _ = server.Shutdown(ctx) }()
	defer conn.Close()
	caller := pb.NewOwnershipServiceClient(conn)
	fence := &pb.Fence{LedgerId: "l", RouterIncarnation: 1}
	good := &pb.ActivateRequest{HuntId: "h", Epoch: 2, Sequence: 1, Fence: fence}
	for name, test := range map[string]struct {
		call func() error
		want codes.Code
	}{
		"Hello":           {func() error { _, err := caller.Hello(ctx, &pb.HelloRequest{Fence: fence}); return err }, codes.OK},
		"Hello of nobody": {func() error { _, err := caller.Hello(ctx, &pb.HelloRequest{}); return err }, codes.InvalidArgument},
		"ListHunts": {func() error {
			_, err := caller.ListHunts(ctx, &pb.ListHuntsRequest{MaxHunts: playerstate.MaxListHunts})
			return err
		}, codes.OK},
		"ListHunts of none": {func() error { _, err := caller.ListHunts(ctx, &pb.ListHuntsRequest{}); return err }, codes.InvalidArgument},
		"Probe":             {func() error { _, err := caller.Probe(ctx, &pb.ProbeRequest{}); return err }, codes.OK},
		"Probe for ever":    {func() error { _, err := caller.Probe(context.Background(), &pb.ProbeRequest{}); return err }, codes.InvalidArgument},
		"Activate":          {func() error { _, err := caller.Activate(ctx, good); return err }, codes.OK},
		"Activate of nobody": {func() error {
			_, err := caller.Activate(ctx, &pb.ActivateRequest{HuntId: "h", Epoch: 2, Sequence: 1})
			return err
		}, codes.InvalidArgument},
		"Seal":   {func() error { _, err := caller.Seal(ctx, &pb.SealRequest{}); return err }, codes.Unimplemented},
		"Reopen": {func() error { _, err := caller.Reopen(ctx, &pb.ReopenRequest{}); return err }, codes.Unimplemented},
		"Follow": {func() error { _, err := caller.Follow(ctx, &pb.FollowRequest{}); return err }, codes.Unimplemented},
	} {
		if got := status.Code(test.call()); got != test.want {
			t.Errorf("%s: %s; want %s", name, got, test.want)
		}
	}
}
