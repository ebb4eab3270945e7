// Package stataggregator counts what happens in the hunts: it reads the feeds of
// the engines, keeps statistics of players and hunts, and shows them.
//
// It pulls. A feed is asked from the cursor that is kept with what was counted,
// and the engine behind it never calls, never waits for, and does not know the
// aggregator: it can be stopped at any moment, for any time, and the game does
// not notice. It calls an engine for nothing else.
//
// What must stay true:
//   - A record is counted once, over all feeds and restarts (package tally), and
//     is kept together with its feed's cursor (package store).
//   - A call of a feed has a deadline; a feed that is away is asked again ever
//     less often, and holds no other back.
//   - What is missing, doubled or wrong in a feed is an alarm, never silence, and
//     never the end of counting.
package stataggregator
