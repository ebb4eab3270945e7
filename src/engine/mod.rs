//! The game: hunts, players, rules. Pure: it knows no socket, no clock, no file, no protobuf, and draws no
//! randomness of its own; time is handed in. docs/rules.md is the contract, and the Go engine keeps it too:
//! given the same records, both reach the same bytes. `tests/purity.rs` holds the purity.
//!
//! # How it is called
//!
//! [`Ruleset::parse`] and [`Ruleset::classic`] make rulesets; a [`Directory`] holds the hunts. A caller that
//! has read both clocks into a [`Now`] does, for each command:
//!
//! ```
//! use std::sync::Arc;
//! use player_state::engine::{
//!     Directory, HuntId, Limits, Now, Outcome, RawAction, RawCommand, Ruleset, Settings, Verdict,
//! };
//!
//! let hunts = Directory::new(Limits { hunts: 1_000, players: 100_000 });
//! let now = Now { wall_ms: 1_700_000_000_000, mono_ms: 0 };
//! let settings = Settings {
//!     seed: 7, width: 20, height: 20, treasures: 40, caches: 40, max_players: 8, duration_ms: 60_000,
//!     ruleset: String::new(),
//! };
//! let id = HuntId::parse("hunt-1").unwrap();
//! hunts.create(&id, &settings, &Arc::new(Ruleset::classic()), 1, now, |hunt| {
//!     let _first_record_carries = (hunt.epoch(), hunt.sequence(), hunt.last_at_ms(), hunt.digest());
//! })?;
//!
//! let raw = RawCommand {
//!     hunt_id: "hunt-1", player_id: 5, request_id: 1, expected_version: 0, epoch: 0,
//!     action: Some(RawAction::Join),
//! };
//! let command = raw.check().expect("else: Refusal::Invalid(field), before anything else");
//! let found = hunts.get(command.hunt_id()).expect("else: Refusal::UnknownHunt");
//! let mut outcome = Outcome::default(); // one for many commands: its lists keep their room
//! {
//!     let mut hunt = found.lock().expect("else: Refusal::Quarantined or NotActive");
//!     let ended = hunt.apply(now, &command, &mut outcome);
//!     if let Some(ended) = ended {
//!         drop(ended); // its record goes to the journal here, under the lock
//!     }
//!     if let Verdict::Applied { epoch, sequence } = outcome.verdict {
//!         // as does the record of an applied command
//!         let _record_carries = (epoch, sequence, hunt.last_at_ms(), hunt.applied_digest());
//!     }
//! }
//! assert_eq!(outcome.player.map(|player| player.version), Some(1));
//! # Ok::<(), player_state::engine::CreateError>(())
//! ```
//!
//! A command makes one record at most, so room for one is enough to reserve before
//! [`apply`](HuntGuard::apply). The epoch is checked within it; budgets are the caller's, who has the time.
//! An owner's sweep calls [`HuntGuard::end_if_due`] on [`Directory::hunts`] at least once a second. Replays and
//! followers, who take their stamps from records, use [`Hunt`] itself.
//!
//! # The files
//!
//! `command`, `outcome`, `settings`, `ruleset/`, `clock`: what comes in and goes out. `hunt` (the order of the
//! checks, sequences, the end), `actions`, `resolve` (power-ups), over `world` = `map` + `players` + `random`;
//! `player` is the 64-byte record, and `index` finds it. `fields` (protobuf, written), `canonical` (the bytes that are hashed), `snapshot`, `view`: a hunt as seen
//! from outside. `directory/`: all hunts, one lock each.

mod actions;
mod canonical;
mod clock;
mod command;
mod directory;
mod fields;
mod hunt;
mod index;
mod map;
mod outcome;
mod player;
mod players;
mod random;
mod resolve;
mod ruleset;
mod settings;
mod snapshot;
mod view;
mod world;

pub(crate) use self::fields::Fields;
pub use self::{
    clock::{Now, WALL_JUMP_MS, WallWatch},
    command::{
        Command, Field, HUNT_ID_BYTES_MAX, HuntId, POWER_UP_BYTES_MAX, PlayerId, RawAction,
        RawCommand, RequestId,
    },
    directory::{
        Activated, Activation, CreateError, Created, Directory, HeldGuard, HuntGuard, HuntLock,
        HuntState, HuntStatus, LastSeen, Limits, NotActivated, NotServed, Quarantined, Totals,
    },
    hunt::{ActivateError, DIGEST_EVERY, Hunt, STANDINGS_MAX, StampFell},
    outcome::{
        Ended, Impact, ImpactResult, Outcome, OwnerChanged, PlayerSummary, Refusal, Rejection,
        Standing, Treasure, Verdict,
    },
    ruleset::{EffectKind, Fault, POWER_UPS_MAX, RULESET_BYTES_MAX, Ruleset, RulesetError},
    settings::{
        DURATION_MS_MAX, PLAYERS_PRESENT_MAX, SIDE_CELLS_MAX, SPOTS_MAX, Settings, SettingsError,
    },
    snapshot::{
        CacheSnapshot, PlayerSnapshot, RememberedSnapshot, Snapshot, SnapshotError, TimedSnapshot,
    },
    view::{ActiveEffect, HuntView, PlayerView, TOP_MAX},
};

/// The version of docs/rules.md that this engine plays. Records and snapshots carry it, and another one is
/// refused by name.
pub const RULES_VERSION: u32 = 1;
