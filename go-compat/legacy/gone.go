package legacy

import "sync"

// goneIDs remembers the ids of hunts that were dropped, so that none comes back
// as another hunt. It is bounded, the oldest go first: who gives out ids (the
// router's ledger) is who keeps them apart for good. It is safe for concurrent use.
type goneIDs struct {
	most int

	mu    sync.Mutex // guards what follows, and nothing is called under it
	known map[string]struct{}
	order []string // a ring, once it is full
	next  int
}

func (g *goneIDs) add(id string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.known == nil {
		g.known = make(map[string]struct{})
	}
	g.known[id] = struct{}{}
	if len(g.order) < g.most {
		g.order = append(g.order, id)
		return
	}
	delete(g.known, g.order[g.next])
	g.order[g.next] = id
	g.next = (g.next + 1) % g.most
}

func (g *goneIDs) has(id string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	_, gone := g.known[id]
	return gone
}
