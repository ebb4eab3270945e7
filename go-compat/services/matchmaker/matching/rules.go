// Package matching decides which tickets play together. It is a function of the
// tickets, the rules and the time: no clock, no randomness, no engine, no lock.
//
// A hunt is gathered around one ticket, its anchor. Tickets are tried as anchors
// oldest first, and an anchor takes whoever lies in its window, oldest first. So
// the window of who has waited longest decides, and a newcomer may be taken from
// as far away as that window reaches: that is the price of nobody starving at
// the edge of a crowd that is always matched among itself.
//
// What must stay true: a ticket is in at most one group, and whole; every member
// is in the anchor's window and region; a ticket that is overdue stays behind
// only if too few players are left for it.
package matching

import (
	"fmt"
	"time"
)

// Ticket is a party that wants to play.
type Ticket struct {
	ID      string // breaks ties between tickets of one moment
	Skill   int
	Region  string
	Players int       // in the party, 1 or more
	Since   time.Time // when it began to wait
}

// Rules say who may play together, and when.
type Rules struct {
	WindowInitial int // skill, either side of the anchor's
	WindowGrowth  int // skill a second
	WindowMax     int // skill

	// RegionRelaxAfter is how long an anchor insists on its own region. After
	// it, other regions fill what its own leaves free.
	RegionRelaxAfter time.Duration

	PlayersMin, PlayersMax int // in a hunt
	PartyMax               int // players of one ticket

	// WaitMax is how long an anchor waits for a full hunt. After it, PlayersMin are enough.
	WaitMax time.Duration
}

// Check says what is wrong with the rules, if anything.
func (r Rules) Check() error {
	if r.WindowMax < r.WindowInitial {
		return fmt.Errorf("the widest window (%d) is narrower than the first (%d)", r.WindowMax, r.WindowInitial)
	}
	// A hunt that cannot take a party of PartyMax any more must be able to start,
	// or a party that does not fit could hold it up for ever.
	if needed := r.PlayersMin + r.PartyMax - 1; r.PlayersMax < needed {
		return fmt.Errorf("a hunt of at most %d players is too small: with at least %d players and parties of up to %d it takes %d",
			r.PlayersMax, r.PlayersMin, r.PartyMax, needed)
	}
	return nil
}

// Window is how far from its own skill a ticket looks that has waited so long.
func (r Rules) Window(waited time.Duration) int {
	widest := float64(r.WindowMax)
	return int(min(widest, float64(r.WindowInitial)+float64(r.WindowGrowth)*max(0, waited.Seconds())))
}
