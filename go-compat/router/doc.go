// Package router puts hunts on one of two engines, the one in Go or the sidecar,
// and sends everything that concerns a hunt to the engine that has it. To its
// callers it is an engine: what took legacy.New takes router.New.
//
// It owns the ledger (package ledger), which says who owns which hunt; where new
// hunts go; the breaker that stops placing at a sidecar which is away; and the
// merged feed. It never looks into a hunt, never moves one, and keeps no lock
// over a call: the way of a command is one lookup in memory and one call.
//
// # What must stay true
//
//   - One owner a hunt, by the ledger alone. The percentage decides about a hunt
//     once, when it is new; later changes of it, and restarts, move nothing.
//   - Kept before done: CREATING is synced before the owner is asked, OWNED before
//     the caller is answered and so before anybody can command the hunt.
//   - A creation has one attempt in flight at most, and none after OWNED is kept.
//     So no late CreateHunt can put an empty hunt where one was lost.
//   - Never an engine that lacks the state. An owner that is away, or came back
//     without the hunt, is answered UNAVAILABLE; the hunt is not served elsewhere,
//     and not created anew.
//   - A hunt that died with a Go process is LOST in the ledger, by name, loudly.
//   - A ledger that cannot be written ends the router: every call is refused, and
//     [Router.Failed] tells the process to exit.
//
// # Creating, and where it may go wrong
//
// Absent → CREATING(owner) → the owner creates at epoch 1 → OWNED. The same
// request again is answered from the ledger, never by an engine that may have
// lost the hunt. When the sidecar surely was not reached by the first attempt, the
// hunt goes to Go in the same call. When it may have been reached, the hunt stays
// CREATING there, and is asked for again, by whoever repeats the call and by the
// router itself, until the sidecar answers: though nobody has commanded it, the
// sidecar may have written the hunt's first record to its feed, and would go on to
// end it, so the same hunt elsewhere would be two in the feed.
package router
