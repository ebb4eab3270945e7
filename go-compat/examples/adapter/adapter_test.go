package adapter

import (
	"context"
	"log/slog"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"treasurehunt.example/go-compat/enginetest"
	pb "treasurehunt.example/go-compat/gen/playerstatev1"
	"treasurehunt.example/go-compat/playerstate"
	"treasurehunt.example/go-compat/playerstatetest"
	"treasurehunt.example/go-compat/rollout"
	"treasurehunt.example/go-compat/router"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// This is the test to keep: what fails is what the adapter still lacks.
func TestTheOldEngineHoldsTheFirstTier(t *testing.T) {
	newEngine := func(testing.TB) playerstate.Commander { return New() }
	stall := enginetest.Stall(func(t testing.TB, engine playerstate.Commander, huntID string) func() {
		h := engine.(*Adapter).find(huntID)
		if failure := h.take(context.Background()); failure != nil {
			t.Fatal(failure)
		}
		return h.give
	})
	t.Run("by itself", func(t *testing.T) {
		enginetest.Run(t, enginetest.Commander, newEngine, stall)
	})
	t.Run("for a router", func(t *testing.T) {
		enginetest.Run(t, enginetest.Commander, newEngine, stall, enginetest.CreatedByRouter())
	})
}

// percent is how far the canary is. In a shard it is a *rollout.Flag.
type percent struct{ atomic.Uint32 }

func (p *percent) Percent() rollout.Percent { return rollout.Percent(p.Load()) }

func (p *percent) set(t testing.TB, value float64) {
	t.Helper()
	parsed, err := rollout.ParsePercent(value)
	if err != nil {
		t.Fatal(err)
	}
	p.Store(uint32(parsed))
}

// newRouter is the change in a shard: the constructor of its engine. The sidecar is
// a fake here, and a sidecar.Dial there.
func newRouter(t testing.TB, old *Adapter, sidecar *playerstatetest.Fake, flag router.Rollout) *router.Router {
	t.Helper()
	r, err := router.New(router.Config{
		Legacy: old, Sidecar: sidecar, Rollout: flag,
		LedgerPath: filepath.Join(t.TempDir(), "ledger.db"), Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return r
}

func TestTheOldEngineHoldsTheFirstTierBehindARouter(t *testing.T) {
	enginetest.Run(t, enginetest.Commander, func(t testing.TB) playerstate.Commander {
		return newRouter(t, New(), playerstatetest.New(t, playerstatetest.ClaimedByRouter()), &percent{})
	})
}

func TestNewHuntsGoByTheFlagAndStayWhereTheyBegan(t *testing.T) {
	old, sidecar, flag := New(), playerstatetest.New(t, playerstatetest.ClaimedByRouter()), &percent{}
	r := newRouter(t, old, sidecar, flag)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	create := func(huntID string) {
		t.Helper()
		_, err := r.CreateHunt(ctx, &pb.CreateHuntRequest{HuntId: huntID, Settings: &pb.HuntSettings{
			Width: 16, Height: 16, Treasures: 20, MaxPlayers: 8, DurationMs: 600_000,
		}})
		if err != nil {
			t.Fatal(err)
		}
	}
	create("before")
	flag.set(t, 100)
	create("after")
	for _, huntID := range []string{"before", "after"} {
		outcome, err := r.Apply(ctx, &pb.Command{HuntId: huntID, PlayerId: 7, RequestId: 1, Action: &pb.Command_Join{Join: &pb.Join{}}})
		if err != nil || outcome.GetVerdict() != pb.Verdict_VERDICT_APPLIED {
			t.Errorf("%s: %v, %v", huntID, outcome, err)
		}
		if atOld := old.find(huntID) != nil; atOld != (huntID == "before") || sidecar.Has(huntID) == atOld {
			t.Errorf("%s is at the old engine: %t, at the sidecar: %t", huntID, atOld, sidecar.Has(huntID))
		}
	}

	// The old engine has no feed: the router's has the sidecar's records, and says so
	// when it is asked for one of the others.
	page, err := r.ReadRecords(ctx, &pb.ReadRecordsRequest{MaxRecords: 100})
	if err != nil || len(page.GetRecords()) != 2 || page.GetRecords()[0].GetHuntId() != "after" {
		t.Errorf("%v, %v; want the two records of the sidecar's hunt", page, err)
	}
	_, err = r.GetRecord(ctx, &pb.GetRecordRequest{HuntId: "before", Sequence: 1})
	if status.Code(err) != codes.Unimplemented {
		t.Errorf("a record of a hunt without a feed: %v", err)
	}
}

func TestAPlayersIDIsFoundAgain(t *testing.T) {
	for _, id := range []uint64{1, 1 << 63, ^uint64(0)} {
		if got := playerOf(uuidOf(id)); got != id {
			t.Errorf("%d came back as %d", id, got)
		}
	}
}
