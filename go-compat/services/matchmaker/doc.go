// Package matchmaker brings players together: it keeps their tickets, forms
// groups by the rules of package matching, makes a hunt for each group, joins its
// players, and ends hunts.
//
// It owns the tickets and a list of the hunts that it made. It never looks into a
// hunt: what happens there is asked of a [playerstate.Commander], whatever stands
// behind that, the old engine alone or a router.
//
// What must stay true:
//   - A ticket is searching, being placed, or done, and moves only as
//     ticket.go allows. A player is in at most one ticket that is not done.
//   - A group whose hunt cannot be had goes back to searching, with the time that
//     it has waited, but only when none of its players can be in that hunt any more.
//   - A hunt is created under one id and a player joins under one request id,
//     however often it takes, so that neither happens twice.
//   - No lock is held over a call of the Commander.
//   - Tickets, hunts and placements are bounded; at a bound a caller is refused,
//     or a ticket waits, and a metric says so.
//
// Tickets live in memory only: with the process they are gone, and players ask again.
package matchmaker
