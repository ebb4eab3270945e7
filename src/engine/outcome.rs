//! What a hunt answers, and what its records hold.

use std::sync::Arc;

use super::{EffectKind, Field, PlayerId};

/// The answer to one command. A caller keeps one and hands it to every
/// [`apply`](super::HuntGuard::apply): its lists keep their room, so that the common path allocates nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    pub verdict: Verdict,
    /// The player after this answer; `None` when the hunt does not know the player, or the command was
    /// refused or expired.
    pub player: Option<PlayerSummary>,
    /// What the effects of a power-up did, in the order in which they resolved; at most 512.
    pub impacts: Vec<Impact>,
    /// Dug up (with their worth to the player) or revealed (with their value); at most 64.
    pub treasures: Vec<Treasure>,
    /// The name of the power-up that was picked up.
    pub picked_up: Option<Arc<str>>,
}

impl Outcome {
    /// An answer that carries nothing but its verdict, as refusals do.
    #[must_use]
    pub fn bare(verdict: Verdict) -> Self {
        Self {
            verdict,
            ..Self::default()
        }
    }

    pub(super) fn reset(&mut self) {
        self.verdict = Verdict::default();
        self.player = None;
        self.impacts.clear();
        self.treasures.clear();
        self.picked_up = None;
    }
}

/// What became of a command. Only an applied one changes the hunt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Applied: by the owner at `epoch`, as the hunt's record `sequence`.
    Applied { epoch: u64, sequence: u64 },
    /// Applied before under the same request id, at `sequence`.
    Duplicate { sequence: u64 },
    /// The game's rules say no.
    Rejected(Rejection),
    /// This engine cannot take it.
    Refused(Refusal),
    /// Its budget ran out before it was applied. Said by callers that keep time; the engine has no clock.
    Expired,
}

impl Default for Verdict {
    fn default() -> Self {
        Self::Refused(Refusal::UnknownHunt)
    }
}

/// Why the game says no. Discriminants are the schema's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Rejection {
    HuntFull = 1,
    HuntEnded = 2,
    NotJoined = 3,
    OutOfBounds = 4,
    TooFar = 5,
    Frozen = 6,
    NothingHere = 7,
    InventoryFull = 8,
    UnknownPowerUp = 9,
    NotHeld = 10,
    OnCooldown = 11,
    InvalidTarget = 12,
    OutOfRange = 13,
    TargetHidden = 14,
    VersionMismatch = 15,
}

/// Why this engine cannot take a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// No hunt of that id is here.
    UnknownHunt,
    /// Malformed; the field is the first that is.
    Invalid(Field),
    /// The request id is behind the player's window: it may have been applied before.
    RequestTooOld,
    /// The command names another epoch than the owner's, which is `current`.
    StaleEpoch { current: u64 },
    /// This engine holds the hunt, at `epoch`, and does not own it (now).
    NotActive { epoch: u64 },
    /// The hunt failed inside the engine; an operator looks at it.
    Quarantined,
    /// The player is new here, and as many players are held as may be.
    PlayersFull { players_max: usize },
}

/// A player as others see them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlayerSummary {
    pub x: u16,
    pub y: u16,
    pub score: u64,
    /// How many of the player's own commands were applied; 0 for a player not known.
    pub version: u32,
}

/// What one effect did to one player.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Impact {
    /// On whom it landed, or who blocked it.
    pub player: PlayerId,
    pub effect: EffectKind,
    pub result: ImpactResult,
    pub score_change: i64,
    /// Where that player is after it.
    pub x: u16,
    pub y: u16,
    /// Of the slot, for a timed effect that was applied or reflected; else 0.
    pub magnitude: u8,
    /// Milliseconds since the hunt's start, likewise.
    pub until_ms: u32,
}

/// How an effect ended. Discriminants are the schema's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum ImpactResult {
    Applied = 1,
    Blocked = 2,
    Reflected = 3,
    Ignored = 4,
}

/// A treasure and what it is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Treasure {
    pub x: u16,
    pub y: u16,
    pub value: u32,
}

/// A player's place in the standings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    pub player: PlayerId,
    pub score: u64,
}

/// The record of a hunt's end: to be journaled before anybody is answered that the hunt has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "an end is a record of its own: journal it before the next answer leaves"]
pub struct Ended {
    pub epoch: u64,
    pub sequence: u64,
    /// Unix milliseconds; the hunt's full time if that has passed.
    pub at_ms: i64,
    /// Of the state after the end.
    pub digest: u64,
    /// The best 100.
    pub standings: Vec<Standing>,
    /// How many ever joined.
    pub players: u32,
}

/// The record of a change of hands: to be journaled before anything that the new owner does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "a change of hands is a record of its own: journal it before the next answer leaves"]
pub struct OwnerChanged {
    pub epoch: u64,
    pub sequence: u64,
    /// Unix milliseconds.
    pub at_ms: i64,
    /// Of the state after it.
    pub digest: u64,
}
