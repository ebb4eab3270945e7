package router

import (
	"context"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	pb "treasurehunt.example/go-compat/gen/playerstatev1"
	"treasurehunt.example/go-compat/legacy"
	"treasurehunt.example/go-compat/playerstate"
	"treasurehunt.example/go-compat/playerstate/serve"
	"treasurehunt.example/go-compat/sidecar"
)

// served is a server on a Unix socket, with nothing kept when it ends: to its
// clients a process.
type served struct {
	t      *testing.T
	path   string
	engine playerstate.Engine
	server *serve.Server
}

func startServed(t *testing.T, path string, engine playerstate.Engine) *served {
	t.Helper()
	server, err := serve.NewServer(serve.Config{Commander: engine, Feeder: engine, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	listener, err := serve.Listen(t.Context(), "unix:"+path)
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = server.Serve(listener) }()
	return &served{t: t, path: path, engine: engine, server: server}
}

func (s *served) kill() {
	at, cancel := context.WithCancel(context.Background())
	cancel()
	_ = s.server.Shutdown(at) // at once: what was in hand is cut off
	if err := s.engine.Close(context.Background()); err != nil {
		s.t.Error(err)
	}
}

func quietLegacy() *legacy.Engine {
	return legacy.New(legacy.Config{Logger: slog.New(slog.DiscardHandler)})
}

func TestOverTheWireASidecarDiesAndComesBackEmpty(t *testing.T) {
	dir := t.TempDir()
	peer := startServed(t, filepath.Join(dir, "sidecar.sock"), quietLegacy())
	client, err := sidecar.Dial(sidecar.Config{Target: "unix:" + peer.path})
	if err != nil {
		t.Fatal(err)
	}
	flag := &fakeFlag{}
	flag.set(t, 100)
	r, err := New(Config{
		Legacy: quietLegacy(), Sidecar: client, Rollout: flag,
		LedgerPath: filepath.Join(dir, "ledger.db"), Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	front := startServed(t, filepath.Join(dir, "router.sock"), r)
	defer front.kill()
	conn, err := grpc.NewClient("unix:"+front.path, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	caller := pb.NewPlayerStateServiceClient(conn)

	wantOnWire(t, codes.OK, wireCreate(t, caller, "first"))
	wantOnWire(t, codes.OK, wireJoin(t, caller, "first"))

	peer.kill()
	wantOnWire(t, codes.Unavailable, wireJoin(t, caller, "first"))
	wantOnWire(t, codes.OK, wireCreate(t, caller, "while-away"))
	wantOnWire(t, codes.OK, wireJoin(t, caller, "while-away"))

	peer = startServed(t, peer.path, quietLegacy())
	defer func() { peer.kill() }()
	eventually(t, "the breaker closes", r.sidecar.breaker.closed)
	wantOnWire(t, codes.Unavailable, wireJoin(t, caller, "first")) // it is there, without the hunt
	wantOnWire(t, codes.Unavailable, wireCreate(t, caller, "first"))
	wantOnWire(t, codes.Unavailable, wireJoin(t, caller, "first"))
	wantOnWire(t, codes.OK, wireCreate(t, caller, "after"))
	wantOnWire(t, codes.OK, wireJoin(t, caller, "after"))

	records, err := pb.NewEventFeedServiceClient(conn).ReadRecords(deadline(t), &pb.ReadRecordsRequest{MaxRecords: 100})
	if err != nil || len(records.GetRecords()) != 4 { // two hunts of two records; the first died with its engine
		t.Errorf("%d records, %v", len(records.GetRecords()), err)
	}
}

func deadline(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func wireCreate(t *testing.T, caller pb.PlayerStateServiceClient, huntID string) error {
	_, err := caller.CreateHunt(deadline(t), &pb.CreateHuntRequest{HuntId: huntID, Settings: settings(1)})
	return err
}

func wireJoin(t *testing.T, caller pb.PlayerStateServiceClient, huntID string) error {
	resp, err := caller.Apply(deadline(t), &pb.ApplyRequest{Command: join(huntID)})
	if err == nil && resp.GetOutcome().GetVerdict() != pb.Verdict_VERDICT_APPLIED {
		t.Errorf("%s: %v", huntID, resp.GetOutcome())
	}
	return err
}

func wantOnWire(t *testing.T, want codes.Code, err error) {
	t.Helper()
	if got := status.Code(err); got != want {
		t.Fatalf("got %s (%v); want %s", got, err, want)
	}
}
