// Package wiretest holds the three codecs that meet on the wire against each other:
// protobuf-go (the Go side), prost (the sidecar) and gogo/protobuf (old services,
// by legacypb). For every message of the schema, at random values, each reads what
// the others write; where their bytes differ, a form says which and why, and
// docs/wire.md has it as a table. It also takes hunts through both engines, there
// and back.
//
// It is a module of its own so that gogo/protobuf stays out of every other one.
// The Rust side is examples/wire_peer.rs; WIRE_PEER is its path, and `make
// test-wire` builds it and says so.
package wiretest
