// Package resident is the bench of a shard with a million players: how long answers take
// at a steady rate, what the players take in memory and what an idle connection does,
// beside the same messages with no engine behind them and beside the Go engine.
package resident
