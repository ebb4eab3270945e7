package serve

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"

	pb "treasurehunt.example/go-compat/gen/playerstatev1"
	"treasurehunt.example/go-compat/internal/logbook"
	"treasurehunt.example/go-compat/playerstate"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// engine is a Commander and Feeder that does what a test tells it.
type engine struct {
	playerstate.Commander
	playerstate.Feeder
	apply      func(context.Context, *pb.Command) (*pb.Outcome, error)
	applyBatch func(context.Context, []*pb.Command) ([]*pb.Outcome, error)
	read       func(context.Context, *pb.ReadRecordsRequest) (*pb.ReadRecordsResponse, error)
}

func (e *engine) Apply(ctx context.Context, cmd *pb.Command) (*pb.Outcome, error) {
	return e.apply(ctx, cmd)
}

func (e *engine) ApplyBatch(ctx context.Context, cmds []*pb.Command) ([]*pb.Outcome, error) {
	return e.applyBatch(ctx, cmds)
}

func (e *engine) ReadRecords(ctx context.Context, req *pb.ReadRecordsRequest) (*pb.ReadRecordsResponse, error) {
	return e.read(ctx, req)
}

// served is a server over a pipe in memory, and its clients.
type served struct {
	*Server
	commands pb.PlayerStateServiceClient
	feed     pb.EventFeedServiceClient
	health   healthpb.HealthClient
	metrics  *prometheus.Registry
	log      *logbook.Book
	listener *bufconn.Listener
}

func serveOver(t *testing.T, e *engine, limits Limits) *served {
	t.Helper()
	s := &served{metrics: prometheus.NewRegistry(), listener: bufconn.Listen(1 << 20)}
	book, logger := logbook.New()
	s.log = book
	var err error
	s.Server, err = NewServer(Config{
		Commander: e, Feeder: e, Limits: limits, Registerer: s.metrics,
		Logger: logger,
	})
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error)
	go func() { ended <- s.Serve(s.listener) }()
	conn := s.dial(t)
	t.Cleanup(func() {
		conn.Close()
		if err := s.Shutdown(context.Background()); err != nil {
			t.Errorf("Shutdown: %v", err)
		}
		if err := <-ended; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	s.commands, s.feed, s.health = pb.NewPlayerStateServiceClient(conn), pb.NewEventFeedServiceClient(conn), healthpb.NewHealthClient(conn)
	return s
}

func (s *served) dial(t *testing.T) *grpc.ClientConn {
	t.Helper()
	conn, err := grpc.NewClient("passthrough:///pipe", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return s.listener.DialContext(ctx) }))
	if err != nil {
		t.Fatal(err)
	}
	return conn
}

// calls tells how many calls the metrics have of a method and code.
func (s *served) calls(t *testing.T, method string, code codes.Code) (n uint64) {
	t.Helper()
	families, err := s.metrics.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		for _, m := range family.GetMetric() {
			labels := map[string]string{}
			for _, l := range m.GetLabel() {
				labels[l.GetName()] = l.GetValue()
			}
			if family.GetName() == CallDuration && labels["method"] == method && labels["code"] == code.String() {
				n += m.GetHistogram().GetSampleCount()
			}
		}
	}
	return n
}

// eventually waits for what another goroutine is about to do.
func eventually(t *testing.T, what string, happened func() bool) {
	t.Helper()
	for until := time.Now().Add(5 * time.Second); !happened(); time.Sleep(time.Millisecond) {
		if time.Now().After(until) {
			t.Fatalf("not within 5 s: %s", what)
		}
	}
}

func inTime(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func wantStatus(t *testing.T, err error, code codes.Code, says string) {
	t.Helper()
	if got := status.Convert(err); got.Code() != code || !strings.Contains(got.Message(), says) {
		t.Fatalf("got %v, want %v that says %q", err, code, says)
	}
}

func wantField(t *testing.T, err error, field string) {
	t.Helper()
	wantStatus(t, err, codes.InvalidArgument, field+": ")
	for _, detail := range status.Convert(err).Details() {
		if bad, ok := detail.(*errdetails.BadRequest); ok && bad.GetFieldViolations()[0].GetField() == field {
			return
		}
	}
	t.Fatalf("%v has no BadRequest detail that names %s", err, field)
}

func applied(_ context.Context, cmd *pb.Command) (*pb.Outcome, error) {
	return &pb.Outcome{RequestId: cmd.GetRequestId(), Verdict: pb.Verdict_VERDICT_APPLIED}, nil
}

func TestACallWithoutADeadlineIsToldWhatToAdd(t *testing.T) {
	s := serveOver(t, &engine{apply: applied}, Limits{})
	_, err := s.commands.Apply(context.Background(), &pb.ApplyRequest{Command: &pb.Command{}})
	wantStatus(t, err, codes.InvalidArgument, "the call carries no deadline: set one, at most 2s, ")
	_, err = s.feed.ReadRecords(context.Background(), &pb.ReadRecordsRequest{MaxRecords: 1})
	wantStatus(t, err, codes.InvalidArgument, "the call carries no deadline: set one, at most 35s, ")
	if _, err := s.health.Check(context.Background(), &healthpb.HealthCheckRequest{}); err != nil {
		t.Errorf("health needs no deadline: %v", err)
	}
}

func TestMalformedRequestsNameTheirField(t *testing.T) {
	s := serveOver(t, &engine{}, Limits{})
	ctx := inTime(t)
	ask := func(_ any, err error) error { return err }
	for field, err := range map[string]error{
		"hunt_id":        ask(s.commands.EndHunt(ctx, &pb.EndHuntRequest{HuntId: "a\nb"})),
		"settings":       ask(s.commands.CreateHunt(ctx, &pb.CreateHuntRequest{HuntId: "a"})),
		"settings.width": ask(s.commands.CreateHunt(ctx, &pb.CreateHuntRequest{HuntId: "a", Settings: &pb.HuntSettings{}})),
		"top":            ask(s.commands.GetHunt(ctx, &pb.GetHuntRequest{HuntId: "a", Top: 1001})),
		"player_id":      ask(s.commands.GetPlayer(ctx, &pb.GetPlayerRequest{HuntId: "a"})),
		"commands":       ask(s.commands.ApplyBatch(ctx, &pb.ApplyBatchRequest{Commands: slices.Repeat([]*pb.Command{{}}, 1025)})),
		"max_records":    ask(s.feed.ReadRecords(ctx, &pb.ReadRecordsRequest{MaxRecords: 10_001})),
		"wait_ms":        ask(s.feed.ReadRecords(ctx, &pb.ReadRecordsRequest{MaxRecords: 1, WaitMs: 30_001})),
		"sequence":       ask(s.feed.GetRecord(ctx, &pb.GetRecordRequest{HuntId: "a"})),
	} {
		wantField(t, err, field)
	}
	_, err := s.commands.ApplyBatch(ctx, &pb.ApplyBatchRequest{})
	wantField(t, err, "commands")
	wantStatus(t, err, codes.InvalidArgument, "commands: must be 1..1024, and is 0") // in the sidecar's words
}

func TestAMessageOverTheCapIsRefusedAndCounted(t *testing.T) {
	s := serveOver(t, &engine{}, Limits{})
	_, err := s.commands.EndHunt(inTime(t), &pb.EndHuntRequest{HuntId: strings.Repeat("a", playerstate.MaxMessageBytes)})
	// grpc-go sends this status while it reads the message, before handlers and
	// interceptors; docs/limits.md says what to do.
	wantStatus(t, err, codes.ResourceExhausted, "grpc: received message larger than max (")
	wantStatus(t, err, codes.ResourceExhausted, " vs. 262144)")
	eventually(t, "the refusal is counted", func() bool { return s.calls(t, "EndHunt", codes.ResourceExhausted) == 1 })
}

func TestTheServersOwnCapEndsACallThatAsksForMore(t *testing.T) {
	s := serveOver(t, &engine{apply: func(ctx context.Context, _ *pb.Command) (*pb.Outcome, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}}, Limits{CallTime: 20 * time.Millisecond})
	_, err := s.commands.Apply(inTime(t), &pb.ApplyRequest{Command: &pb.Command{}})
	wantStatus(t, err, codes.DeadlineExceeded, "")
	eventually(t, "the call is counted under its code", func() bool { return s.calls(t, "Apply", codes.DeadlineExceeded) == 1 })
}

func TestACallerWhoLeftIsCountedAsCanceled(t *testing.T) {
	arrived := make(chan struct{})
	s := serveOver(t, &engine{apply: func(ctx context.Context, _ *pb.Command) (*pb.Outcome, error) {
		close(arrived)
		<-ctx.Done()
		return nil, ctx.Err()
	}}, Limits{})
	ctx, cancel := context.WithCancel(inTime(t))
	go func() {
		<-arrived
		cancel()
	}()
	_, err := s.commands.Apply(ctx, &pb.ApplyRequest{Command: &pb.Command{}})
	wantStatus(t, err, codes.Canceled, "")
	eventually(t, "the call is counted as canceled", func() bool { return s.calls(t, "Apply", codes.Canceled) == 1 })
}

func TestAPanicFailsItsCallAlone(t *testing.T) {
	s := serveOver(t, &engine{apply: func(ctx context.Context, cmd *pb.Command) (*pb.Outcome, error) {
		if cmd.GetPlayerId() == 13 {
			panic("the secret of the pyramid")
		}
		return applied(ctx, cmd)
	}}, Limits{})
	_, err := s.commands.Apply(inTime(t), &pb.ApplyRequest{Command: &pb.Command{PlayerId: 13}})
	wantStatus(t, err, codes.Internal, "")
	if strings.Contains(err.Error(), "secret") || !s.log.Says("secret") {
		t.Errorf("the caller saw %v, the log has %q", err, s.log)
	}
	if _, err := s.commands.Apply(inTime(t), &pb.ApplyRequest{Command: &pb.Command{}}); err != nil {
		t.Errorf("the next call: %v", err)
	}
}

func TestOnlyAFailureShowsItsText(t *testing.T) {
	var answer error
	s := serveOver(t, &engine{apply: func(context.Context, *pb.Command) (*pb.Outcome, error) { return nil, answer }}, Limits{})
	answer = errors.New("dial tcp 10.1.2.3: the inside")
	_, err := s.commands.Apply(inTime(t), &pb.ApplyRequest{Command: &pb.Command{}})
	wantStatus(t, err, codes.Internal, "")
	if strings.Contains(err.Error(), "inside:") || strings.Contains(err.Error(), "10.1.2.3") {
		t.Errorf("the inner text went out: %v", err)
	}
	answer = playerstate.NotApplied(codes.Unavailable, "the sidecar is away")
	_, err = s.commands.Apply(inTime(t), &pb.ApplyRequest{Command: &pb.Command{}})
	wantStatus(t, err, codes.Unavailable, "the sidecar is away")
}

func TestCallsOverTheLimitAreRefusedAtOnce(t *testing.T) {
	arrived, release := make(chan struct{}), make(chan struct{})
	s := serveOver(t, &engine{apply: func(ctx context.Context, cmd *pb.Command) (*pb.Outcome, error) {
		arrived <- struct{}{}
		<-release
		return applied(ctx, cmd)
	}}, Limits{CallsInFlight: 1})
	first := make(chan error)
	go func() {
		_, err := s.commands.Apply(inTime(t), &pb.ApplyRequest{Command: &pb.Command{}})
		first <- err
	}()
	<-arrived
	var trailer metadata.MD
	_, err := s.commands.Apply(inTime(t), &pb.ApplyRequest{Command: &pb.Command{}}, grpc.Trailer(&trailer))
	wantStatus(t, err, codes.ResourceExhausted, "limit of 1 calls")
	if info := playerstate.RetryInfoOf(status.Convert(err)); info.GetRetryDelay().AsDuration() != retryLater {
		t.Errorf("RetryInfo %v, want %s", info, retryLater)
	}
	if got := trailer.Get(pushbackKey); !slices.Equal(got, []string{"50"}) {
		t.Errorf("%s %v, want 50", pushbackKey, got)
	}
	close(release)
	if err := <-first; err != nil {
		t.Errorf("the call in flight: %v", err)
	}
}

func TestAConnectionOverTheLimitIsClosed(t *testing.T) {
	s := serveOver(t, &engine{apply: applied}, Limits{Connections: 1})
	if _, err := s.commands.Apply(inTime(t), &pb.ApplyRequest{Command: &pb.Command{}}); err != nil {
		t.Fatal(err)
	}
	second := s.dial(t)
	defer second.Close()
	_, err := pb.NewPlayerStateServiceClient(second).Apply(inTime(t), &pb.ApplyRequest{Command: &pb.Command{}})
	wantStatus(t, err, codes.Unavailable, "")
}

func TestAReplyThatWouldNotFitIsShortenedAndSaysWhatIsKnown(t *testing.T) {
	big := func(request uint64, verdict pb.Verdict) *pb.Outcome {
		return &pb.Outcome{RequestId: request, Verdict: verdict, Sequence: request, Impacts: slices.Repeat([]*pb.Impact{{PlayerId: 1, X: 4000, Y: 4000}}, 7000)}
	}
	s := serveOver(t, &engine{applyBatch: func(context.Context, []*pb.Command) ([]*pb.Outcome, error) {
		return []*pb.Outcome{
			big(1, pb.Verdict_VERDICT_APPLIED), big(2, pb.Verdict_VERDICT_APPLIED),
			big(3, pb.Verdict_VERDICT_REJECTED), big(4, pb.Verdict_VERDICT_DUPLICATE),
		}, nil
	}}, Limits{})
	reply, err := s.commands.ApplyBatch(inTime(t), &pb.ApplyBatchRequest{Commands: make([]*pb.Command, 4)})
	if err != nil {
		t.Fatal(err)
	}
	want := []pb.Verdict{pb.Verdict_VERDICT_APPLIED, pb.Verdict_VERDICT_APPLIED, pb.Verdict_VERDICT_REFUSED, pb.Verdict_VERDICT_DUPLICATE}
	for i, o := range reply.GetOutcomes() {
		if o.GetVerdict() != want[i] || o.GetRequestId() != uint64(i+1) {
			t.Errorf("outcome %d: %v of %d, want %v", i, o.GetVerdict(), o.GetRequestId(), want[i])
		}
	}
	outcomes := []*pb.Outcome{big(1, pb.Verdict_VERDICT_APPLIED), big(2, pb.Verdict_VERDICT_APPLIED)}
	fit(outcomes, 200_000)
	if o := outcomes[1]; o.GetVerdict() != pb.Verdict_VERDICT_UNKNOWN || o.GetSequence() != 2 || len(o.GetImpacts()) != 0 {
		t.Errorf("an applied one in short: %v", o.GetVerdict())
	}
}

func TestShutdownEndsWaitingReads(t *testing.T) {
	arrived := make(chan struct{})
	e := &engine{read: func(ctx context.Context, _ *pb.ReadRecordsRequest) (*pb.ReadRecordsResponse, error) {
		close(arrived)
		<-ctx.Done()
		return nil, ctx.Err()
	}}
	s := serveOver(t, e, Limits{})
	answered := make(chan error)
	go func() {
		_, err := s.feed.ReadRecords(inTime(t), &pb.ReadRecordsRequest{MaxRecords: 1, WaitMs: 30_000})
		answered <- err
	}()
	<-arrived
	go s.Shutdown(context.Background())
	wantStatus(t, <-answered, codes.Unavailable, "shutting down")
}

func TestShutdownCutsOffWhatDoesNotFinish(t *testing.T) {
	arrived, release := make(chan struct{}), make(chan struct{})
	s, err := NewServer(Config{Logger: slog.New(slog.NewTextHandler(io.Discard, nil)), Commander: &engine{apply: func(ctx context.Context, cmd *pb.Command) (*pb.Outcome, error) {
		close(arrived)
		<-ctx.Done()
		<-release
		return applied(ctx, cmd)
	}}})
	if err != nil {
		t.Fatal(err)
	}
	over := &served{Server: s, listener: bufconn.Listen(1 << 20)}
	go s.Serve(over.listener)
	conn := over.dial(t)
	defer conn.Close()
	answered := make(chan error)
	go func() {
		_, err := pb.NewPlayerStateServiceClient(conn).Apply(inTime(t), &pb.ApplyRequest{Command: &pb.Command{}})
		answered <- err
	}()
	<-arrived
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := s.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Shutdown: %v", err)
	}
	close(release) // the handler is stuck until here
	if err := <-answered; err == nil {
		t.Error("the call that was cut off was answered")
	}
}

func TestHealthAndReflectionAreServed(t *testing.T) {
	s := serveOver(t, &engine{}, Limits{})
	for _, service := range []string{"", pb.PlayerStateService_ServiceDesc.ServiceName, pb.EventFeedService_ServiceDesc.ServiceName} {
		reply, err := s.health.Check(inTime(t), &healthpb.HealthCheckRequest{Service: service})
		if err != nil || reply.GetStatus() != healthpb.HealthCheckResponse_SERVING {
			t.Errorf("%q: %v, %v", service, reply, err)
		}
	}
	if _, there := s.grpc.GetServiceInfo()["grpc.reflection.v1.ServerReflection"]; !there {
		t.Error("no reflection")
	}
}

func TestAServerWithoutACommanderIsNotMade(t *testing.T) {
	if _, err := NewServer(Config{}); err == nil {
		t.Error("made")
	}
}
