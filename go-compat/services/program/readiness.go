package program

import (
	"maps"
	"slices"
	"sync"
)

// Readiness is whether the process can do its work, and if not, why not. Safe
// for concurrent use.
type Readiness struct {
	mu      sync.Mutex
	reasons map[string]string // by part; guarded by mu
}

func newReadiness() *Readiness {
	return &Readiness{reasons: map[string]string{"process": "starting"}}
}

// Started says that the program serves. Until then it is not ready.
func (r *Readiness) Started() { r.Set("process", "") }

// Set says why a part of the program is not ready; "" says that it is.
func (r *Readiness) Set(part, reason string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if reason == "" {
		delete(r.reasons, part)
		return
	}
	r.reasons[part] = reason
}

// Reasons are the reasons why the program is not ready, as "part: reason", in
// order of the parts. None: it is ready.
func (r *Readiness) Reasons() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var reasons []string
	for _, part := range slices.Sorted(maps.Keys(r.reasons)) {
		reasons = append(reasons, part+": "+r.reasons[part])
	}
	return reasons
}
