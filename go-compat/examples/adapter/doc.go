// Package adapter puts an engine with types of its own behind the seam: it is what a
// shop writes to have its engine take new hunts beside the sidecar. The engine is
// package oldengine, which stands for yours and is not changed.
//
// The adapter is a [playerstate.Commander], the first tier of package enginetest. A
// router takes it as Config.Legacy: new hunts go to it or to the sidecar, by the
// percentage, and stay where they began. It has no feed, so the router's feed and
// the statistics show the sidecar's hunts alone.
//
// What an engine of one's own seldom has, and the adapter keeps for it:
//   - request ids: the last 4 of a player, so that a caller may ask again;
//   - versions and sequences: what was applied, counted, by player and by hunt;
//   - epochs: the router's word that the hunt is this engine's;
//   - deadlines: a caller is answered in time, whoever holds the hunt;
//   - failures that say whether the command can have been applied.
//
// It is a package of the library's own module, because it needs nothing else: copy
// the directory into yours, put your engine in the place of oldengine, and keep the
// test, which says what is still missing.
package adapter
