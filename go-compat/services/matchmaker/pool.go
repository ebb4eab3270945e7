package matchmaker

import (
	"time"

	"treasurehunt.example/go-compat/services/matchmaker/matching"
)

// pool is every ticket: the open ones, and for a while those that are done. It
// calls nobody. Not safe for concurrent use: the Matchmaker's lock guards it.
type pool struct {
	openMax int
	keep    time.Duration

	tickets map[string]*Ticket
	players map[uint64]*Ticket // of the open tickets
	open    int
	done    []*Ticket // by when they were done; at most openMax
}

func newPool(openMax int, keep time.Duration) *pool {
	return &pool{
		openMax: openMax, keep: keep,
		tickets: map[string]*Ticket{}, players: map[uint64]*Ticket{},
	}
}

// add takes a new ticket in. Its request was found good.
func (p *pool) add(t *Ticket) *Refusal {
	if p.open >= p.openMax {
		return refuse(Full, "the matchmaker is at its limit of %d open tickets (tickets-max; see matchmaker_tickets): try again later", p.openMax)
	}
	for _, player := range t.Players {
		if other := p.players[player]; other != nil {
			r := refuse(Conflict, "player %d is in ticket %s, which is open: cancel it first", player, other.ID)
			r.Field = "players"
			return r
		}
	}
	p.tickets[t.ID] = t
	for _, player := range t.Players {
		p.players[player] = t
	}
	p.open++
	return nil
}

func (p *pool) get(id string) (*Ticket, *Refusal) {
	if t := p.tickets[id]; t != nil {
		return t, nil
	}
	return nil, refuse(NotFound, "there is no ticket %q, or it was done longer ago than it is kept (finished-keep, %s)", id, p.keep)
}

// cancel takes a ticket back. Cancelling again is fine.
func (p *pool) cancel(id string, now time.Time) (*Ticket, *Refusal) {
	t, refusal := p.get(id)
	if refusal != nil {
		return nil, refusal
	}
	switch t.State {
	case Searching:
		p.move(t, Cancelled, now)
	case Cancelled:
	case Placing:
		return nil, refuse(Conflict, "ticket %s is being placed in a hunt just now: ask again to see which", id)
	case Matched:
		return nil, refuse(Conflict, "ticket %s is in hunt %s already: leave that", id, t.HuntID)
	case Expired:
		return nil, refuse(Conflict, "ticket %s has expired", id)
	}
	return t, nil
}

// searching is every ticket that waits for others, as the rules see it.
func (p *pool) searching() []matching.Ticket {
	tickets := make([]matching.Ticket, 0, p.open)
	for _, t := range p.tickets {
		if t.State == Searching {
			tickets = append(tickets, t.matching())
		}
	}
	return tickets
}

// claim moves a group's tickets to Placing: all of them, or none if one of them
// was taken back since the group was formed.
func (p *pool) claim(group matching.Group, now time.Time) []*Ticket {
	tickets := make([]*Ticket, len(group))
	for i, member := range group {
		t := p.tickets[member.ID]
		if t == nil || t.State != Searching {
			return nil
		}
		tickets[i] = t
	}
	for _, t := range tickets {
		p.move(t, Placing, now)
	}
	return tickets
}

// matched ends the search of tickets that are in a hunt.
func (p *pool) matched(tickets []*Ticket, huntID string, now time.Time) {
	for _, t := range tickets {
		t.HuntID = huntID
		p.move(t, Matched, now)
	}
}

// release lets tickets search on, as old as they are.
func (p *pool) release(tickets []*Ticket, now time.Time) {
	for _, t := range tickets {
		p.move(t, Searching, now)
	}
}

// expire ends the search of tickets that began before since, and gives how many.
func (p *pool) expire(since, now time.Time) int {
	expired := 0
	for _, t := range p.tickets {
		if t.State == Searching && t.Since.Before(since) {
			p.move(t, Expired, now)
			expired++
		}
	}
	return expired
}

// forget drops tickets that have been done for long enough.
func (p *pool) forget(now time.Time) {
	for len(p.done) > 0 && now.Sub(p.done[0].Done) > p.keep {
		p.forgetOldest()
	}
}

func (p *pool) forgetOldest() {
	delete(p.tickets, p.done[0].ID)
	p.done[0] = nil // what is before the slice is not collected until it grows anew
	p.done = p.done[1:]
}

func (p *pool) move(t *Ticket, state TicketState, now time.Time) {
	t.moveTo(state, now)
	if t.open() {
		return
	}
	p.open--
	for _, player := range t.Players {
		delete(p.players, player)
	}
	if len(p.done) >= p.openMax {
		p.forgetOldest()
	}
	p.done = append(p.done, t)
}

// count is how many tickets are in each state.
func (p *pool) count() map[TicketState]int {
	counts := map[TicketState]int{}
	for _, t := range p.tickets {
		counts[t.State]++
	}
	return counts
}
