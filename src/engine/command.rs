//! What a caller asks of a hunt, checked for its form.
//!
//! A [`RawCommand`] is as it came in; [`RawCommand::check`] is the only way to a [`Command`]. Whether the
//! hunt can do what is asked is no question of form: that is [`Hunt::apply`](super::Hunt::apply)'s.

use std::{fmt, num::NonZeroU64, sync::Arc};

/// Longest hunt id, in bytes.
pub const HUNT_ID_BYTES_MAX: usize = 64;
/// Longest name of a power-up, in bytes.
pub const POWER_UP_BYTES_MAX: usize = 32;

/// Names a hunt: 1..64 bytes of `[A-Za-z0-9._:-]`. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HuntId(Arc<str>);

/// The bytes that hunt ids are made of: a table, because every command's is looked at.
const IN_HUNT_IDS: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < table.len() {
        let is = byte as u8;
        table[byte] = is.is_ascii_alphanumeric() || matches!(is, b'.' | b'_' | b':' | b'-');
        byte += 1;
    }
    table
};

impl HuntId {
    /// Checks the syntax, and names `hunt_id` where it is broken.
    pub fn parse(text: &str) -> Result<Self, Field> {
        if Self::is_valid(text) {
            Ok(Self(text.into()))
        } else {
            Err(Field::HuntId)
        }
    }

    /// Whether `text` has the syntax of a hunt id.
    #[must_use]
    pub fn is_valid(text: &str) -> bool {
        let allowed = |byte: &u8| IN_HUNT_IDS[usize::from(*byte)];
        (1..=HUNT_ID_BYTES_MAX).contains(&text.len()) && text.as_bytes().iter().all(allowed)
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for HuntId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Names a player; never 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PlayerId(NonZeroU64);

impl PlayerId {
    /// Somebody, where nobody is to be read.
    pub(super) const ANY: Self = Self(NonZeroU64::MIN);

    /// `None` for 0, which names nobody.
    #[must_use]
    pub fn new(id: u64) -> Option<Self> {
        NonZeroU64::new(id).map(Self)
    }

    #[must_use]
    pub fn get(self) -> u64 {
        self.0.get()
    }
}

/// Names a request among those of its player; never 0, and ascending from one request to the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(NonZeroU64);

impl RequestId {
    /// `None` for 0, which names no request.
    #[must_use]
    pub fn new(id: u64) -> Option<Self> {
        NonZeroU64::new(id).map(Self)
    }

    #[must_use]
    pub fn get(self) -> u64 {
        self.0.get()
    }
}

/// A part of a command that can be malformed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Field {
    HuntId,
    PlayerId,
    RequestId,
    Action,
    PowerUp,
}

impl Field {
    /// The name as the schema spells it: what a refusal's `detail` says.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::HuntId => "hunt_id",
            Self::PlayerId => "player_id",
            Self::RequestId => "request_id",
            Self::Action => "action",
            Self::PowerUp => "power_up",
        }
    }
}

/// A command as it came in, unchecked.
#[derive(Clone, Copy, Debug)]
pub struct RawCommand<'a> {
    pub hunt_id: &'a str,
    pub player_id: u64,
    pub request_id: u64,
    pub expected_version: u32,
    pub epoch: u64,
    pub action: Option<RawAction<'a>>,
}

/// An action as it came in: what a player wants to do.
#[derive(Clone, Copy, Debug)]
pub enum RawAction<'a> {
    Join,
    Leave,
    Move { x: u32, y: u32 },
    Dig,
    PickUp,
    UsePowerUp { power_up: &'a str, target: u64 },
}

impl<'a> RawCommand<'a> {
    /// Whether a reader that skips moves leaves the command's record out.
    #[must_use]
    pub fn is_move(&self) -> bool {
        matches!(self.action, Some(RawAction::Move { .. }))
    }

    /// Checks the form, and names the first field that is malformed, in the order of docs/rules.md.
    pub fn check(self) -> Result<Command<'a>, Field> {
        if !HuntId::is_valid(self.hunt_id) {
            return Err(Field::HuntId);
        }
        self.check_rest()
    }

    /// The same of a command that was found to be for a hunt: an id that a hunt has is a valid one.
    pub fn check_for(self, hunt: &HuntId) -> Result<Command<'a>, Field> {
        if hunt.as_str() == self.hunt_id {
            self.check_rest()
        } else {
            self.check()
        }
    }

    fn check_rest(self) -> Result<Command<'a>, Field> {
        Ok(Command {
            hunt_id: self.hunt_id,
            player: PlayerId::new(self.player_id).ok_or(Field::PlayerId)?,
            request: RequestId::new(self.request_id).ok_or(Field::RequestId)?,
            expected_version: self.expected_version,
            epoch: self.epoch,
            action: self.action.ok_or(Field::Action)?.check()?,
        })
    }
}

impl<'a> RawAction<'a> {
    fn check(self) -> Result<Action<'a>, Field> {
        Ok(match self {
            Self::Join => Action::Join,
            Self::Leave => Action::Act(Act::Leave),
            Self::Move { x, y } => Action::Act(Act::Move { x, y }),
            Self::Dig => Action::Act(Act::Dig),
            Self::PickUp => Action::Act(Act::PickUp),
            Self::UsePowerUp { power_up, target } => {
                if !(1..=POWER_UP_BYTES_MAX).contains(&power_up.len()) {
                    return Err(Field::PowerUp);
                }
                Action::Act(Act::UsePowerUp {
                    power_up,
                    target: PlayerId::new(target),
                })
            }
        })
    }
}

/// A well-formed command. Borrows from the message it came in.
#[derive(Clone, Copy, Debug)]
pub struct Command<'a> {
    pub(super) hunt_id: &'a str,
    pub(super) player: PlayerId,
    pub(super) request: RequestId,
    pub(super) expected_version: u32,
    pub(super) epoch: u64,
    pub(super) action: Action<'a>,
}

impl<'a> Command<'a> {
    /// The hunt that is asked; its syntax is checked.
    #[must_use]
    pub fn hunt_id(&self) -> &'a str {
        self.hunt_id
    }
}

/// A well-formed action.
#[derive(Clone, Copy, Debug)]
pub(super) enum Action<'a> {
    Join,
    Act(Act<'a>),
}

/// What only a player who is present can do.
#[derive(Clone, Copy, Debug)]
pub(super) enum Act<'a> {
    Leave,
    Move {
        x: u32,
        y: u32,
    },
    Dig,
    PickUp,
    UsePowerUp {
        power_up: &'a str,
        target: Option<PlayerId>,
    },
}
