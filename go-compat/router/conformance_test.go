package router

import (
	"testing"

	"treasurehunt.example/go-compat/enginetest"
	"treasurehunt.example/go-compat/playerstate"
	"treasurehunt.example/go-compat/playerstatetest"
)

// A router holds what its engines hold, wherever its hunts are.
func TestTheRouterHoldsTheSeam(t *testing.T) {
	for name, percent := range map[string]float64{"hunts in Go": 0, "hunts at the sidecar": 100, "hunts at both": 50} {
		t.Run(name, func(t *testing.T) {
			var b *bench // of the test that runs
			newRouter := func(t testing.TB) playerstate.Commander {
				b = newBench(t, percent)
				return b.Router
			}
			enginetest.Run(t, enginetest.Feeder, newRouter, enginetest.Stall(
				func(_ testing.TB, _ playerstate.Commander, huntID string) func() {
					atGo, atSidecar := b.legacy.Hold(playerstatetest.InHunt(huntID)), b.sidecar.Hold(playerstatetest.InHunt(huntID))
					return func() {
						atGo.Release()
						atSidecar.Release()
					}
				}))
		})
	}
}
