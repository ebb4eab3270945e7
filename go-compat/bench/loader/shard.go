package loader

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"time"

	"treasurehunt.example/go-compat/bench/crowd"
	"treasurehunt.example/go-compat/legacy"
	"treasurehunt.example/go-compat/rollout"
	"treasurehunt.example/go-compat/router"
	"treasurehunt.example/go-compat/router/ledger"
	"treasurehunt.example/go-compat/sidecar"
)

// Canary is what a job with the client [Shard] says beside the others.
type Canary struct {
	// Percent of the hunts are for the sidecar. At 0 nobody need listen on the job's
	// socket, as in a shard before its first canary.
	Percent float64 `json:"percent"`
	// Ledger is the router's file, a new one.
	Ledger string `json:"ledger"`
	// Linger is sidecar.Config's; 0 is its default.
	Linger time.Duration `json:"linger"`
}

// steady is a rollout that stays as it is.
type steady rollout.Percent

func (s steady) Percent() rollout.Percent { return rollout.Percent(s) }

// shard is the router over the Go engine in this process and the sidecar's client.
func (j Job) shard() (connection, error) {
	percent, err := rollout.ParsePercent(j.Canary.Percent)
	if err != nil {
		return connection{}, err
	}
	client, err := sidecar.Dial(sidecar.Config{Target: "unix:" + j.Socket, Linger: j.Canary.Linger})
	if err != nil {
		return connection{}, err
	}
	quiet := slog.New(slog.NewTextHandler(io.Discard, nil)) // it would say all the time that at 0 % nobody listens
	r, err := router.New(router.Config{
		Legacy: legacy.New(legacy.Config{Claim: legacy.ClaimRouter, Logger: quiet}), Sidecar: client,
		Rollout: steady(percent), LedgerPath: j.Canary.Ledger, Logger: quiet,
	})
	if err != nil {
		return connection{}, err
	}
	return connection{r, func() { _ = r.Close(context.Background()) }}, nil
}

// sitDownInShard lets everybody join, and holds the hunts against the rollout: a router
// that does not trust its sidecar gives it none, and the shard that is measured is another.
func (j Job) sitDownInShard(ctx context.Context, players *crowd.Crowd, r *router.Router) error {
	if err := players.SitDown(ctx, r); err != nil {
		return err
	}
	percent, err := rollout.ParsePercent(j.Canary.Percent)
	if err != nil {
		return err
	}
	var want int
	for _, id := range players.Hunts() {
		if percent.Includes(id) {
			want++
		}
	}
	if got := r.Status().HuntsOf(ledger.Sidecar); got != want {
		return fmt.Errorf("the sidecar has %d of %d hunts, and at %v %% it should have %d", got, j.Hunts, j.Canary.Percent, want)
	}
	return nil
}
