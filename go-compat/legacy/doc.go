// Package legacy is the engine that the shard runs today: hunts in the memory of
// the shard's own process, a goroutine and a bounded channel per hunt. What a
// hunt does stands in package rules; this package brings it time, order, bounds,
// and a feed.
//
// A command goes: [Engine.Apply] → the hunt's mailbox → the hunt's goroutine,
// which stamps it, applies it, appends its record to the feed, and answers. One
// hunt never waits for another.
//
// What must stay true:
//   - a hunt's state is touched by its own goroutine alone;
//   - a record is in the feed before its command is answered, and the end's record
//     before the first HUNT_ENDED;
//   - nothing waits on a mailbox: a full one refuses;
//   - a caller who leaves is answered at once, whatever the hunt does;
//   - no mutex is held over a send, a call or an apply;
//   - a panic in one hunt costs that hunt alone.
//
// It keeps nothing over its process: that is what the sidecar is for.
package legacy
