package router

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/grpc/codes"

	pb "treasurehunt.example/go-compat/gen/playerstatev1"
	"treasurehunt.example/go-compat/playerstate"
	"treasurehunt.example/go-compat/playerstatetest"
	"treasurehunt.example/go-compat/rollout"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// peer is one of the two engines: the real rules with the test's faults, on the
// machine's time or a bubble's.
type peer struct {
	*playerstatetest.Fake
	closed atomic.Bool
}

func newPeer(t testing.TB) *peer {
	t.Helper()
	return &peer{Fake: playerstatetest.New(t, playerstatetest.ClaimedByRouter(), playerstatetest.OnSystemClock())}
}

// Close is noted, and closes nothing: tests begin another router over the same engines.
func (p *peer) Close(context.Context) error {
	p.closed.Store(true)
	return nil
}

var (
	// away is a peer that is not there.
	away = playerstate.NotApplied(codes.Unavailable, "connection refused")
	// cutOff is a connection that broke with the call under way.
	cutOff = playerstate.Unknown(codes.Unavailable, "EOF")
)

// fakeFlag is a percentage that the test sets.
type fakeFlag struct{ percent atomic.Uint32 }

func (f *fakeFlag) Percent() rollout.Percent { return rollout.Percent(f.percent.Load()) }

func (f *fakeFlag) set(t testing.TB, percent float64) {
	t.Helper()
	p, err := rollout.ParsePercent(percent)
	if err != nil {
		t.Fatal(err)
	}
	f.percent.Store(uint32(p))
}

// bench is a router over two engines in the test's hand.
type bench struct {
	*Router
	t       testing.TB
	legacy  *peer
	sidecar *peer
	flag    *fakeFlag
	config  Config
}

func newBench(t testing.TB, percent float64) *bench {
	t.Helper()
	return newBenchWith(t, percent, slog.New(slog.DiscardHandler))
}

func newBenchWith(t testing.TB, percent float64, log *slog.Logger) *bench {
	t.Helper()
	b := &bench{t: t, legacy: newPeer(t), sidecar: newPeer(t), flag: &fakeFlag{}}
	b.flag.set(t, percent)
	b.config = Config{
		Legacy: b.legacy, Sidecar: b.sidecar, Rollout: b.flag,
		LedgerPath: filepath.Join(t.TempDir(), "ledger.db"),
		Logger:     log,
	}
	b.start()
	t.Cleanup(func() { b.stop() })
	return b
}

func (b *bench) start() {
	b.t.Helper()
	router, err := New(b.config)
	if err != nil {
		b.t.Fatal(err)
	}
	b.Router = router
}

func (b *bench) stop() {
	if err := b.Router.Close(context.Background()); err != nil {
		b.t.Errorf("close: %v", err)
	}
}

// restart is another router on the same ledger. The Go engine's hunts go with the
// process, the sidecar's stay.
func (b *bench) restart() {
	b.t.Helper()
	b.stop()
	b.legacy.Restart()
	b.start()
}

// inTime is time enough for a call that is to be answered, on a busy machine too.
func inTime() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), 10*time.Second)
}

func settings(seed uint64) *pb.HuntSettings {
	return &pb.HuntSettings{Seed: seed, Width: 16, Height: 16, Treasures: 8, MaxPlayers: 8, DurationMs: 600_000}
}

func (b *bench) create(huntID string) error {
	ctx, cancel := inTime()
	defer cancel()
	_, err := b.CreateHunt(ctx, &pb.CreateHuntRequest{HuntId: huntID, Settings: settings(1)})
	return err
}

func (b *bench) mustCreate(huntID string) {
	b.t.Helper()
	if err := b.create(huntID); err != nil {
		b.t.Errorf("create %s: %v", huntID, err)
	}
}

var requests = playerstate.NewRequestIDs()

func join(huntID string) *pb.Command {
	return &pb.Command{HuntId: huntID, PlayerId: 7, RequestId: requests.Next(), Action: &pb.Command_Join{Join: &pb.Join{}}}
}

// eventually waits for a condition that something else brings about.
func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		if holds() {
			return
		}
	}
	t.Fatalf("it never came to be that %s", what)
}

func wantCode(t testing.TB, err error, want codes.Code) {
	t.Helper()
	if got := codeOf(err); got != want {
		t.Fatalf("got %v (%v), want %v", got, err, want)
	}
}

func huntID(i int) string { return fmt.Sprintf("hunt-%d", i) }
