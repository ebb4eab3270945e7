package router

import (
	"sync/atomic"
	"time"

	pb "treasurehunt.example/go-compat/gen/playerstatev1"
	"treasurehunt.example/go-compat/router/ledger"
)

// Status is the router at a glance, for status pages. As JSON its 64-bit numbers
// are decimal strings.
type Status struct {
	LedgerID         string               `json:"ledger_id"`
	Incarnation      uint64               `json:"router_incarnation,string"`
	FlagPercent      float64              `json:"flag_percent"`
	EffectivePercent float64              `json:"effective_percent"`
	Breaker          string               `json:"breaker"`                 // closed, half-open or open
	BreakerCause     string               `json:"breaker_cause,omitempty"` // why it opened last
	Unfit            string               `json:"unfit,omitempty"`         // why the sidecar gets no new hunts though the breaker is closed
	RecoveringMs     int64                `json:"recovering_ms"`           // how long the sidecar's hunts have waited for it; 0: they do not
	MissingHunts     int                  `json:"missing_hunts"`           // that their owner does not serve, though it is there
	Ledger           map[ledger.State]int `json:"ledger"`                  // hunts by state
	Engines          []EngineStatus       `json:"engines"`
}

// EngineStatus is one engine's share.
type EngineStatus struct {
	Engine   ledger.Owner      `json:"engine"`
	Hunts    int               `json:"hunts"`    // running or being created
	Commands map[string]uint64 `json:"commands"` // answered since this router began, by verdict
	Refusals map[string]uint64 `json:"refusals"` // of those, by reason
}

// Status reads what is counted now. It costs no call.
func (r *Router) Status() Status {
	meta := r.ledger.Meta()
	s := Status{
		LedgerID:         meta.LedgerID,
		Incarnation:      meta.Incarnation,
		FlagPercent:      r.config.Rollout.Percent().Float(),
		EffectivePercent: r.effectivePercent(),
		Breaker:          r.sidecar.breaker.circuit.State().String(),
		BreakerCause:     r.sidecar.breaker.why(),
		Unfit:            r.whyUnfit(),
		RecoveringMs:     r.recovery.lasted(time.Now()).Milliseconds(),
		MissingHunts:     len(r.Missing()),
		Ledger:           map[ledger.State]int{},
	}
	for _, state := range ledger.States {
		s.Ledger[state] = r.kept(state)
	}
	for _, e := range []*engine{r.legacy, r.sidecar} {
		s.Engines = append(s.Engines, EngineStatus{
			Engine:   e.owner,
			Hunts:    r.live(e.owner),
			Commands: counted(e.metrics.verdicts[:], func(n int32) string { return verdictName(pb.Verdict(n)) }),
			Refusals: counted(e.metrics.reasons[:], func(n int32) string { return reasonName(pb.Refusal_Reason(n)) }),
		})
	}
	return s
}

// HuntsOf is how many hunts an engine has, running or being created.
func (s Status) HuntsOf(owner ledger.Owner) int {
	for _, engine := range s.Engines {
		if engine.Engine == owner {
			return engine.Hunts
		}
	}
	return 0
}

// counted names the counts that are not 0.
func counted(counts []atomic.Uint64, name func(int32) string) map[string]uint64 {
	named := map[string]uint64{}
	for n := range counts {
		if count := counts[n].Load(); count > 0 {
			named[name(int32(n))] = count
		}
	}
	return named
}

// effectivePercent is the share of new hunts that go to the sidecar now.
func (r *Router) effectivePercent() float64 {
	if !r.sidecarTakesHunts() {
		return 0
	}
	return r.config.Rollout.Percent().Float()
}

// live is how many hunts an owner has or is asked for.
func (r *Router) live(owner ledger.Owner) int {
	return r.ledger.Count(ledger.Creating, owner) + r.ledger.Count(ledger.Owned, owner)
}

// kept is how many hunts the ledger has in a state.
func (r *Router) kept(state ledger.State) int {
	return r.ledger.Count(state, ledger.Go) + r.ledger.Count(state, ledger.Sidecar)
}
