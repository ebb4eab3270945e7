// Package bridge is the bench of the way between the shard and the sidecar: the CPU
// that a command costs on both sides of the socket, and how many a second there are,
// beside the same messages with no engine behind them, the Go engine behind grpc-go
// and in process, Redis, and a bare socket.
package bridge
