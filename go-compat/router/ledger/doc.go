// Package ledger keeps who owns which hunt: one bbolt file, written by one
// process at a time, synced before anybody acts on it.
//
// It owns the file, the states that a hunt goes through, and a copy of all
// entries in memory, so that a lookup costs no call and takes no lock. It never
// talks to an engine, and never decides where a hunt goes: that is the router's.
//
// # What must stay true
//
//   - What a caller sees of an entry, by lookup or as an answer, is synced. The
//     copy in memory changes after the commit, in the order of the commits, by
//     the one goroutine that writes.
//   - An entry changes by compare-and-set only: each change names the state it
//     starts from, and is refused when the entry is elsewhere.
//   - A write that fails ends the ledger: [Ledger.Failed] is closed, every later
//     call fails, and nothing goes on from memory. What is on disk is then the
//     last commit, or the one that failed.
//   - An id is not used again while its entry is kept, and entries of hunts that
//     are over are kept for longer than any reader looks back.
//
// # The file
//
// Bucket "meta" holds format, ledger_id (random, made with the file),
// router_incarnation (one more at each open) and next_epoch (the counter of the
// epochs after a hunt's first; it starts at 2). Bucket "hunts" holds an entry a
// hunt as JSON with its version, so that any bbolt tool shows what is there:
//
//	{"v":2,"state":"owned","owner":"sidecar","epoch":1,"since":1,"starts_at_ms":…,"changed_at_ms":…,"settings":{…}}
//
// since is the epoch at which ownership last passed, which today is the first. Entries
// of version 1, which lack it, are read; what is written is of version 2.
package ledger
