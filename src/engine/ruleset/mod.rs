//! A ruleset: the power-ups of a hunt, as data.
//!
//! A file's bytes become a [`Ruleset`] by [`Ruleset::parse`] alone, which refuses everything that
//! docs/rules.md calls an error and names file, line and key of each. A ruleset never changes; a hunt keeps the one
//! it began with.

mod check;
mod effect;
mod file;

use std::{fmt, sync::Arc};

use sha2::{Digest as _, Sha256};

pub(super) use self::check::magnitudes;
pub use self::effect::EffectKind;
pub(super) use self::effect::{Effect, Stacking, Timed, TimedKind};

/// Longest ruleset file, in bytes.
pub const RULESET_BYTES_MAX: usize = 64 * 1024;
/// Most power-ups in a ruleset: a player's inventory holds a count of each in 64 bits.
pub const POWER_UPS_MAX: usize = 16;

/// Longest duration, cooldown and `max_ms`, in milliseconds: with the longest time of a hunt (2^31), an end,
/// and an end with another duration on top, still fit 32 bits.
pub(super) const EFFECT_MS_MAX: u64 = 1 << 30;

/// The file both engines carry; see go-compat/rulesets.
const CLASSIC: &[u8] = include_bytes!("../../../go-compat/rulesets/classic.toml");

/// The rules of a hunt that are data. Its identity is its hash.
#[derive(Debug)]
pub struct Ruleset {
    power_ups: Vec<PowerUp>,
    weight_sum: u64,
    hash: String,
    bytes: Vec<u8>,
}

impl Ruleset {
    /// Reads and checks the bytes of a ruleset file; `file` is its name, for the error.
    pub fn parse(file: &str, bytes: &[u8]) -> Result<Self, RulesetError> {
        let power_ups = check::power_ups(bytes).map_err(|faults| RulesetError {
            file: file.to_owned(),
            faults,
        })?;
        Ok(Self {
            weight_sum: power_ups.iter().map(|power_up| power_up.weight).sum(),
            power_ups,
            hash: hex(&Sha256::digest(bytes)),
            bytes: bytes.to_vec(),
        })
    }

    /// The ruleset that is built in.
    #[must_use]
    pub fn classic() -> Self {
        Self::parse("classic.toml", CLASSIC).expect("the built-in ruleset is checked by a test")
    }

    /// SHA-256 of the file's bytes, in hex.
    #[must_use]
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// The file's bytes, as records of created hunts carry them.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The names of the power-ups, in the file's order: a name's place is its index in inventories.
    pub fn names(&self) -> impl ExactSizeIterator<Item = &Arc<str>> {
        self.power_ups.iter().map(|power_up| &power_up.name)
    }

    pub(super) fn power_ups(&self) -> &[PowerUp] {
        &self.power_ups
    }

    /// At most 16 names, so a walk over them beats any map.
    pub(super) fn find(&self, name: &str) -> Option<(u8, &PowerUp)> {
        let found = self
            .power_ups
            .iter()
            .position(|power_up| &*power_up.name == name)?;
        Some((found as u8, &self.power_ups[found]))
    }

    /// What `below(weight_sum)` draws from.
    pub(super) fn weight_sum(&self) -> u64 {
        self.weight_sum
    }

    /// The first power-up whose running sum of weights exceeds `drawn`, which is below their sum.
    pub(super) fn by_weight(&self, drawn: u64) -> u8 {
        let mut running = 0;
        let chosen = self.power_ups.iter().position(|power_up| {
            running += power_up.weight;
            running > drawn
        });
        chosen.expect("a draw is below the sum of the weights") as u8
    }
}

/// One power-up of a ruleset.
#[derive(Debug)]
pub(super) struct PowerUp {
    pub(super) name: Arc<str>,
    pub(super) weight: u64,
    pub(super) target: Target,
    /// 0 where there is none.
    pub(super) cooldown_ms: u32,
    pub(super) usable_while_frozen: bool,
    /// 1 to 4, in the order in which they resolve.
    pub(super) effects: Vec<Effect>,
}

impl PowerUp {
    pub(super) fn is_hostile(&self) -> bool {
        self.effects.iter().any(Effect::is_hostile)
    }
}

/// Whom a power-up is used on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Target {
    User,
    /// One other player within `range` cells; 0 reaches any.
    Player {
        range: u32,
    },
    /// Everybody else within `radius` cells; 0 is the own cell.
    Area {
        radius: u32,
    },
}

/// Why a file is no ruleset: all that is wrong with it, by line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RulesetError {
    pub file: String,
    /// One at least.
    pub faults: Vec<Fault>,
}

/// One thing that is wrong with a ruleset, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// From 1.
    pub line: usize,
    /// The key at fault, as `power_up[2].effects[0].magnitude`; "" where it is no single key.
    pub key: String,
    /// What was found, and what is taken.
    pub problem: String,
}

impl RulesetError {
    /// The fault nearest to the file's beginning.
    #[must_use]
    pub fn first(&self) -> &Fault {
        &self.faults[0]
    }
}

impl fmt::Display for RulesetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, fault) in self.faults.iter().enumerate() {
            let separator = if n == 0 { "" } else { "\n" };
            write!(f, "{separator}{}:{fault}", self.file)?;
        }
        Ok(())
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { line, key, problem } = self;
        match key.as_str() {
            "" => write!(f, "{line}: {problem}"),
            key => write!(f, "{line}: {key}: {problem}"),
        }
    }
}

impl std::error::Error for RulesetError {}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
