package sidecar

import (
	"context"
	"testing"

	"treasurehunt.example/go-compat/enginetest"
	"treasurehunt.example/go-compat/playerstate"
	"treasurehunt.example/go-compat/playerstatetest"
)

// The fake has the real rules, on the machine's clock.
func TestTheClientHoldsTheSeam(t *testing.T) {
	var fake *playerstatetest.Fake // of the test that runs
	newClient := func(t testing.TB) playerstate.Commander {
		fake = playerstatetest.New(t, playerstatetest.OnSystemClock())
		c := dial(t, Config{Target: fake.Target(), Dialer: fake.Dial})
		t.Cleanup(func() {
			if err := c.Close(context.Background()); err != nil {
				t.Error(err)
			}
		})
		return c
	}
	enginetest.Run(t, enginetest.Feeder, newClient, enginetest.Stall(
		func(_ testing.TB, _ playerstate.Commander, huntID string) func() {
			return fake.Hold(playerstatetest.InHunt(huntID)).Release
		}))
}
