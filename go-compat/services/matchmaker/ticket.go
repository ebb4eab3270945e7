package matchmaker

import (
	"fmt"
	"slices"
	"time"

	"treasurehunt.example/go-compat/services/matchmaker/matching"
)

// TicketState is where a ticket is in its life.
type TicketState string

const (
	// Searching is waiting for others.
	Searching TicketState = "searching"
	// Placing is in a group whose hunt is being made. Callers see it as Searching.
	Placing TicketState = "placing"
	// Matched is in a hunt, every player joined.
	Matched TicketState = "matched"
	// Cancelled was taken back by its caller.
	Cancelled TicketState = "cancelled"
	// Expired has searched for too long.
	Expired TicketState = "expired"
)

// transitions are the only ways from one state to another. From a state that is
// not here there is none: the ticket is done.
var transitions = map[TicketState][]TicketState{
	Searching: {Placing, Cancelled, Expired},
	Placing:   {Matched, Searching},
}

// The bounds of what a ticket may say.
const (
	SkillMax       = 5000
	RegionBytesMax = 16
)

// TicketRequest is what a caller asks for.
type TicketRequest struct {
	Players []uint64 // one party; ids that are not 0, each once
	Skill   int      // 0 to SkillMax
	Region  string   // 1 to RegionBytesMax of [a-z0-9-]
}

// Ticket is a party that wants to play, or did.
type Ticket struct {
	ID string
	TicketRequest
	State  TicketState
	HuntID string    // when Matched
	Since  time.Time // when it began to search
	Done   time.Time // when it was Matched, Cancelled or Expired; else zero
}

func (t *Ticket) open() bool { return t.State == Searching || t.State == Placing }

// moveTo changes the state. A way that is not in transitions is a bug of this
// package, which must not go on with it.
func (t *Ticket) moveTo(state TicketState, now time.Time) {
	if !slices.Contains(transitions[t.State], state) {
		panic(fmt.Sprintf("matchmaker: a ticket cannot go from %s to %s", t.State, state))
	}
	t.State = state
	if !t.open() {
		t.Done = now
	}
}

func (t *Ticket) matching() matching.Ticket {
	return matching.Ticket{ID: t.ID, Skill: t.Skill, Region: t.Region, Players: len(t.Players), Since: t.Since}
}

// check says what is wrong with the request, if anything.
func (r TicketRequest) check(partyMax int) *Refusal {
	if len(r.Players) < 1 || len(r.Players) > partyMax {
		return invalid("players", "must be 1 to %d ids (party-players-max), not %d", partyMax, len(r.Players))
	}
	for i, player := range r.Players {
		if player == 0 {
			return invalid("players", "must not hold the id 0")
		}
		if slices.Contains(r.Players[:i], player) {
			return invalid("players", "holds %d twice", player)
		}
	}
	if r.Skill < 0 || r.Skill > SkillMax {
		return invalid("skill", "must be 0 to %d, not %d", SkillMax, r.Skill)
	}
	if !validRegion(r.Region) {
		return invalid("region", "must be 1 to %d of a-z, 0-9 and -", RegionBytesMax)
	}
	return nil
}

func validRegion(region string) bool {
	for _, c := range []byte(region) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return region != "" && len(region) <= RegionBytesMax
}
