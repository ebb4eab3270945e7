// Package load offers commands to a server and counts what comes back: in a closed
// loop, where each of so many callers waits for its answer, and in an open one,
// where commands come at their own times, however long answers take.
//
// A closed loop gives a rate. It gives no latency: while the server stalls its
// callers ask nothing, so a stall would be counted as a few slow answers and not as
// all the commands that it held up. The open loop measures each command from the
// time at which it was to be sent, whether or not it could be.
//
// The package knows nothing of the game or of the servers.
package load
