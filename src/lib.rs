//! The player-state engine of the Treasure Hunt Engine, as a process of its own beside the Go shard.
//!
//! The map, from the command line inwards:
//! - [`cli`]: what can be typed. [`config`]: the one table of settings. [`exit`]: exit codes.
//! - [`serve`]: the life of the process. [`data_dir`]: the lock that says whose hunts these are.
//!   [`readiness`], [`admin`]: what it tells probes. [`reload`]: rulesets that change meanwhile.
//!   [`health`], [`rules`], [`inspect`]: small commands.
//! - [`telemetry`]: logs, traces, the one list of metrics.
//! - [`edge`]: listeners, connections, and the layers that every call passes.
//! - [`rpc`]: the services on the wire. [`shard`]: what they share.
//! - [`wire`]: between the schema's messages and the engine's types.
//! - [`engine`]: the game itself, pure: no sockets, no clock, no protobuf.
//! - [`journal`]: the records that were applied, on disk or in memory, for whoever reads. [`replay`]: a file of them,
//!   played again.
//!
//! # What must stay true
//!
//! The numbers are those of `docs/design.md`; 5 and 9 are kept on the Go side, as far as they are not named here.
//! 1. Calls point one way: nothing that serves holds a client. `tests/one_way.rs`
//! 2. Every call is unary, bounded, and answered within its deadline; one without is refused. `tests/deadline.rs`
//! 3. No lock is held over an await or a call: clippy's `await_holding_lock` is an error. `tests/rules/concurrent.rs`
//! 4. State changes in one place, `apply`, before any await: a cancelled call loses its answer at most. `tests/kept.rs`
//! 5. An engine applies only what it owns, at the epoch it owns it. `tests/hunts.rs`
//! 6. Answered means kept: an answer waits for its record, and room is reserved before `apply`. `tests/kept.rs`,
//!    through kill -9 `tests/restart.rs`, power cuts `tests/power_cut.rs`, full and failing disks `tests/disk.rs`
//! 7. One applied effect a request, also after a restart. `tests/rules/vectors.rs`, `tests/restart.rs`
//! 8. Deterministic: the same records give the same bytes. `tests/purity.rs`, `tests/replay.rs`
//! 10. Everything has a bound, and the answer at it names limit and value. `tests/limits.rs`, `tests/commands.rs`
//! 11. A failed reload changes nothing, and says so. `tests/rules_reload.rs`

pub mod admin;
pub mod cli;
pub mod config;
pub mod data_dir;
pub mod edge;
pub mod engine;
pub mod exit;
pub mod health;
pub mod inspect;
pub mod journal;
pub mod readiness;
pub mod reload;
pub mod replay;
pub mod rpc;
pub mod rules;
pub mod serve;
pub mod shard;
pub mod telemetry;
pub mod wire;

/// What runs: the crate's version.
pub const BUILD: &str = env!("CARGO_PKG_VERSION");

/// The schema's messages and services, generated from `proto/`.
#[allow(missing_docs, clippy::all, clippy::pedantic)]
pub mod pb {
    tonic::include_proto!("treasurehunt.playerstate.v1");

    /// The schema itself, as an encoded `FileDescriptorSet`.
    pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));
    /// The SHA-256 of the schema's file, in hexadecimal digits.
    pub const SCHEMA_SHA256: &str = env!("SCHEMA_SHA256");
}
