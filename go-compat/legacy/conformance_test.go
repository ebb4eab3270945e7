package legacy

import (
	"context"
	"io"
	"log/slog"
	"testing"

	"treasurehunt.example/go-compat/enginetest"
	"treasurehunt.example/go-compat/playerstate"
)

func TestTheEngineHoldsTheSeam(t *testing.T) {
	newEngine := func(claim Claim) enginetest.NewEngine {
		return func(t testing.TB) playerstate.Commander {
			e := New(Config{Claim: claim, Logger: slog.New(slog.NewTextHandler(io.Discard, nil))})
			t.Cleanup(func() {
				if err := e.Close(context.Background()); err != nil {
					t.Error(err)
				}
			})
			return e
		}
	}
	stall := enginetest.Stall(func(t testing.TB, engine playerstate.Commander, huntID string) func() {
		return block(t, engine.(*Engine), huntID)
	})
	t.Run("claim auto", func(t *testing.T) {
		enginetest.Run(t, enginetest.Feeder, newEngine(ClaimAuto), stall)
	})
	t.Run("claim router", func(t *testing.T) {
		enginetest.Run(t, enginetest.Feeder, newEngine(ClaimRouter), stall, enginetest.CreatedByRouter())
	})
}
