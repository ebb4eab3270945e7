// Package rollout is the share of hunts that the sidecar serves: one number, the
// flag player-state-percent of any OpenFeature provider, and the split of hunts
// by it.
//
// It owns the percentage as this process knows it. It never decides who owns a
// hunt: the percentage is intent, for hunts that are new (DESIGN §7).
//
// # What must stay true
//
//   - The split is a function of the hunt's id and the percentage alone, and
//     anybody can recompute it. Raising the percentage only adds hunts, lowering
//     it only removes.
//   - The flag is evaluated when it changes, not for each hunt; reading it is one
//     atomic load.
//   - A flag that is lost or malformed changes nothing: the last good value holds,
//     an error is logged and rollout_flag_lost is 1. Without a last good value the
//     percentage is 0. A flag that is DISABLED is a well-formed 0.
//
// [WatchFile] is the built-in way: a file in flagd's format. With another provider,
// register it with OpenFeature and give its client to [New].
package rollout
