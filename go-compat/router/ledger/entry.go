package ledger

import (
	"fmt"

	pb "treasurehunt.example/go-compat/gen/playerstatev1"
)

// Owner is the engine that a hunt belongs to.
type Owner string

const (
	// Go is the engine in Go, in the router's own process where it runs today.
	Go Owner = "go"
	// Sidecar is the engine in Rust, in a process beside it.
	Sidecar Owner = "sidecar"
)

// State is where a hunt is in its life.
type State string

const (
	// Creating: the owner was asked to create the hunt, or is about to be. Nobody
	// was answered, so nobody commands it yet.
	Creating State = "creating"
	// Owned: the owner has it, and takes its commands.
	Owned State = "owned"
	// Closed: it has ended. Its owner shows it for as long as it keeps it.
	Closed State = "closed"
	// Lost: no engine has it any more. It is never created anew.
	Lost State = "lost"
)

// States are all of them, in the order of a hunt's life.
var States = []State{Creating, Owned, Closed, Lost}

// over says that nothing happens to such a hunt any more.
func (s State) over() bool { return s == Closed || s == Lost }

func (s State) known() bool {
	switch s {
	case Creating, Owned, Closed, Lost:
		return true
	}
	return false
}

// FirstEpoch is the epoch that every hunt is created at.
const FirstEpoch = 1

// Entry is what the ledger says of one hunt. It is shared and must not be changed.
type Entry struct {
	HuntID   string
	State    State
	Owner    Owner
	Epoch    uint64
	Settings *pb.HuntSettings

	// Since is the epoch at which ownership last passed; a claim by the same owner
	// leaves it. A copy whose last record is of a lower epoch has missed something.
	Since uint64

	StartsAtMs  int64  // as its owner answered; 0 while Creating
	ChangedAtMs int64  // wall clock at the last change of this entry
	Why         string // for people: why it is Lost
}

// EndsAtMs is when the hunt ends by itself; only for one that was created.
func (e *Entry) EndsAtMs() int64 {
	return e.StartsAtMs + int64(e.Settings.GetDurationMs())
}

// SameOwnership says that a command which e's owner refused would fare no better by other.
func (e *Entry) SameOwnership(other *Entry) bool {
	return other != nil && e.State == other.State && e.Owner == other.Owner && e.Epoch == other.Epoch
}

// StateError is a change that does not start from the entry's state.
type StateError struct {
	HuntID string
	Change string // what was to be done
	Entry  *Entry // as it is; nil: there is none
}

func (e *StateError) Error() string {
	if e.Entry == nil {
		return fmt.Sprintf("ledger: cannot %s hunt %q: it is not in the ledger", e.Change, e.HuntID)
	}
	return fmt.Sprintf("ledger: cannot %s hunt %q: it is %s, owner %s, epoch %d",
		e.Change, e.HuntID, e.Entry.State, e.Entry.Owner, e.Entry.Epoch)
}

// FullError is a hunt that found no room.
type FullError struct{ HuntsMax int }

func (e *FullError) Error() string {
	return fmt.Sprintf("ledger: it holds %d hunts, the most that it may", e.HuntsMax)
}
