// Package enginetest is what every engine behind the seam has to hold: one suite,
// run against the engine in Go, the sidecar's client, the router, and yours.
//
//	func TestOurEngineHoldsTheSeam(t *testing.T) {
//		enginetest.Run(t, enginetest.Commander, func(t testing.TB) playerstate.Commander {
//			return adapter.New(ours.NewEngine())
//		})
//	}
//
// # Tiers
//
// Each tier holds those before it, and is worth something by itself:
//
//   - [Commander]: the engine takes commands and answers reads. A router can put new
//     hunts on it or on the sidecar, and every service can call either: its answers
//     are idempotent, in order, bounded, and true about what was applied.
//   - [Feeder]: it also shows what happened, as records. The stat aggregator and
//     the audit can count its hunts, and the router's feed has them.
//
// Moving running hunts is a tier of its own, and comes with the handoff.
//
// # What is asked, and what is not
//
// The suite asks for what routers and callers rely on, never for the rules of the
// game: an engine with a board, power-ups and luck of its own passes. Of the game
// it takes for granted that a newcomer may Join and Leave, that somebody who has not
// joined may not Dig, and that walking about with Dig finds treasures whose worth
// is the finder's score. Two engines that are to answer the same, byte by byte, are
// compared elsewhere: by replaying one's records on the other.
//
// Every hunt of the suite has a new id, so the engine may have other hunts, and one
// engine may be given to all of its tests.
package enginetest
