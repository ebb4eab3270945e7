package router

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"google.golang.org/grpc/codes"

	"treasurehunt.example/go-compat/playerstate"
	"treasurehunt.example/go-compat/router/ledger"
)

// MissingHunt is a hunt that its owner does not serve, though it is there: a person
// decides what becomes of it.
type MissingHunt struct {
	HuntID  string       `json:"hunt_id"`
	Owner   ledger.Owner `json:"owner"`
	Epoch   uint64       `json:"epoch,string"`
	Why     string       `json:"why"`
	SinceMs int64        `json:"since_ms"` // Unix milliseconds at which the router found it out
}

// missingHunts is those of the last look. Safe for concurrent use.
type missingHunts struct {
	mu    sync.Mutex // guards hunts
	hunts map[string]MissingHunt
}

func (m *missingHunts) has(huntID string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	_, has := m.hunts[huntID]
	return has
}

// set takes the place of those of the look before, and tells which are new.
func (m *missingHunts) set(found []MissingHunt, now time.Time) (fresh []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	hunts := make(map[string]MissingHunt, len(found))
	for _, hunt := range found {
		hunt.SinceMs = now.UnixMilli()
		if before, known := m.hunts[hunt.HuntID]; known {
			hunt.SinceMs = before.SinceMs
		} else {
			fresh = append(fresh, hunt.HuntID)
		}
		hunts[hunt.HuntID] = hunt
	}
	m.hunts = hunts
	return fresh
}

func (m *missingHunts) remove(huntID string) (left int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.hunts, huntID)
	return len(m.hunts)
}

func (m *missingHunts) list() []MissingHunt {
	m.mu.Lock()
	defer m.mu.Unlock()
	hunts := make([]MissingHunt, 0, len(m.hunts))
	for _, hunt := range m.hunts {
		hunts = append(hunts, hunt)
	}
	sortMissing(hunts)
	return hunts
}

// tellMissing names, once, the hunts that their owner does not serve. They stay its
// own: their calls are answered UNAVAILABLE until a person decides, or their time is over.
func (r *Router) tellMissing(found []MissingHunt) {
	r.metrics.of(ledger.Sidecar).missingHunts.Set(float64(len(found)))
	fresh := r.missingNow.set(found, time.Now())
	slices.Sort(fresh)
	for line := range slices.Chunk(fresh, namesALine) {
		r.log.Error("hunts are not at their owner; `canaryctl repair` says why", "engine", ledger.Sidecar, "hunts", len(fresh), "hunt_ids", line)
	}
}

// Missing are the hunts that their owner did not serve when it was last asked for all
// of them, by id.
func (r *Router) Missing() []MissingHunt { return r.missingNow.list() }

// GiveUp marks a hunt that is missing as LOST, for a person's reason. It is never
// created anew. A hunt that its owner serves is not given up.
func (r *Router) GiveUp(ctx context.Context, huntID, reason string) error {
	if failure := r.enter(); failure != nil {
		return failure
	}
	defer r.gate.Leave()
	e, ok := r.ledger.Lookup(huntID)
	switch {
	case !ok:
		return unknownHunt(huntID)
	case e.State != ledger.Owned:
		return playerstate.NotApplied(codes.FailedPrecondition, "hunt %q is %s, not missing", huntID, e.State)
	case !r.missingNow.has(huntID):
		return playerstate.NotApplied(codes.FailedPrecondition,
			"hunt %q is not missing: the %s engine had it when it was last asked, or is away and has not been asked since", huntID, e.Owner)
	}
	if _, err := r.ledger.Lose(ctx, huntID, "given up: "+reason); err != nil {
		var changed *ledger.StateError
		if errors.As(err, &changed) {
			return playerstate.NotApplied(codes.Aborted, "%v", err)
		}
		return unwritten(err)
	}
	r.metrics.huntsLost.Inc()
	r.metrics.of(e.Owner).missingHunts.Set(float64(r.missingNow.remove(huntID)))
	r.log.Warn("a hunt was given up and is LOST", "hunt_id", huntID, "engine", e.Owner, "reason", reason)
	return nil
}
