package router

import (
	"cmp"
	"errors"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"treasurehunt.example/go-compat/playerstate"
	"treasurehunt.example/go-compat/rollout"
	"treasurehunt.example/go-compat/router/ledger"
)

// Rollout is how far the canary is: a [*rollout.Flag]. It is asked for every new
// hunt, and must answer from memory. Safe for concurrent use.
type Rollout interface {
	Percent() rollout.Percent
}

// DefaultClosedRetention is how long hunts that are over stay in the ledger.
const DefaultClosedRetention = 24 * time.Hour

// DefaultRecoverWithin is how long the sidecar's hunts may take to be back.
const DefaultRecoverWithin = 5 * time.Second

// Config is what a router stands on. A zero field that is not required is its default.
type Config struct {
	// Legacy is the engine in Go; required. Where it is a [playerstate.Feeder] its
	// feed is merged, and where it has Close(ctx) it is closed with the router.
	Legacy playerstate.Commander
	// Sidecar is the client of the engine in Rust; required. It is closed with the
	// router. Where it is a [playerstate.Mover], as the client is, its hunts are claimed
	// after its restart; else they are only looked for.
	Sidecar playerstate.Engine
	// Rollout decides about new hunts; required.
	Rollout Rollout
	// LedgerPath is the ledger's file; required. One router has it at a time.
	LedgerPath string

	// HuntsMax is the most hunts in the ledger, those that are over included:
	// [ledger.DefaultHuntsMax]. At it CreateHunt fails with codes.ResourceExhausted.
	HuntsMax int
	// ClosedRetention is how long a hunt that is over stays in the ledger, where it
	// keeps its id from being used again: [DefaultClosedRetention]. It must be longer
	// than any feed is kept and any reader looks back. After it the ledger cannot know
	// the id any more: ids are the callers' to keep unique for ever.
	ClosedRetention time.Duration

	// RecoverWithin is how long the hunts of a sidecar that died may take to be served
	// again: [DefaultRecoverWithin]. Until then their calls are answered that they are
	// recovering; after it the router says so aloud. It also bounds how long a call
	// waits for its hunt's claim.
	RecoverWithin time.Duration

	Logger     *slog.Logger          // nil: slog.Default()
	Registerer prometheus.Registerer // nil: the metrics are kept, and shown nowhere
}

func (c Config) withDefaults() Config {
	c.HuntsMax = cmp.Or(c.HuntsMax, ledger.DefaultHuntsMax)
	c.ClosedRetention = cmp.Or(c.ClosedRetention, DefaultClosedRetention)
	c.RecoverWithin = cmp.Or(c.RecoverWithin, DefaultRecoverWithin)
	c.Logger = cmp.Or(c.Logger, slog.Default())
	return c
}

func (c Config) check() error {
	switch {
	case c.Legacy == nil:
		return errors.New("router: Config.Legacy is missing")
	case c.Sidecar == nil:
		return errors.New("router: Config.Sidecar is missing; without a sidecar use the legacy engine itself")
	case c.Rollout == nil:
		return errors.New("router: Config.Rollout is missing")
	case c.LedgerPath == "":
		return errors.New("router: Config.LedgerPath is missing")
	case c.HuntsMax < 1:
		return errors.New("router: Config.HuntsMax must be 1 at least")
	case c.RecoverWithin < 0:
		return errors.New("router: Config.RecoverWithin must not be negative")
	case c.ClosedRetention < 0:
		return errors.New("router: Config.ClosedRetention must not be negative")
	}
	return nil
}
