// Package sidecar is the client of the Rust player-state engine: the seam
// [playerstate.Engine] over a connection to a process beside this one.
//
// # Batching
//
// A call a command costs a shard more than the sidecar saves it, so [Client.Apply]
// looks unary and is not. The command waits in the queue of a lane; the lane's
// sender, as soon as its last call is back, takes all that has gathered, sends it
// as one ApplyBatch and hands out the outcomes. No timer is involved: a lone
// caller's command leaves at once, and under load the batches grow by themselves.
//
// # What must stay true
//
//   - Commands of one player are never in two calls at once, and at most 4 are in
//     one (RULES, "Order of the checks": an engine remembers that many requests of
//     a player). A player's commands all go to one lane, and of a lane one call is
//     out at a time, whoever sends it. So the order in which a player's commands were
//     queued is the order in which they are applied.
//   - Every caller is answered within its own deadline. One that leaves takes its
//     command out of the queue (not applied), or, when it is under way, learns
//     that its fate is unknown.
//   - One bad or late command never spoils its neighbours: syntax is checked
//     before a command is queued, because one id that is no UTF-8 would make the
//     whole message undecodable.
//   - Nothing is sent twice. Whoever asks again does so knowingly, under the same
//     request_id.
//   - A command is encoded before Apply waits, so the message is the caller's again
//     when Apply returns, also if the command is still under way.
//   - No lock is held over a call, and every queue has a bound.
//
// # Connections
//
// Each lane has its own, reads and hunts share one, the feed and the calls of
// ownership have one each, so that a long poll or a large answer never holds up a
// command, nor a full lane the router's claims. A lane writes its own frames (package
// onecall), because grpc-go's stream a call cost more than all the rest of it; the others
// are grpc-go's. A lost peer is found by the kernel at once on a Unix socket. Over TCP
// unacknowledged bytes end the connection after a second (TCP_USER_TIMEOUT), and a
// silent one is pinged: by a lane when a call ends unanswered, and given up when nothing
// was heard for 10 s after; by grpc-go after 10 s in use. A peer that is alive but frozen
// is found by deadlines alone.
package sidecar
