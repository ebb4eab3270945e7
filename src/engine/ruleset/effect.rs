//! The kinds of effect, which are code, and one effect of a power-up, which is data.

/// What an effect does. Discriminants are the schema's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum EffectKind {
    Shield = 1,
    Reflect = 2,
    Freeze = 3,
    Speed = 4,
    Loot = 5,
    Magnet = 6,
    Cloak = 7,
    Steal = 8,
    Swap = 9,
    Teleport = 10,
    Reveal = 11,
    Cleanse = 12,
}

/// The kinds that last: each has a slot in a player's record. In the order of [`EffectKind`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum TimedKind {
    Shield,
    Reflect,
    Freeze,
    Speed,
    Loot,
    Magnet,
    Cloak,
}

impl TimedKind {
    pub(crate) const COUNT: usize = 7;
    pub(crate) const ALL: [Self; Self::COUNT] = [
        Self::Shield,
        Self::Reflect,
        Self::Freeze,
        Self::Speed,
        Self::Loot,
        Self::Magnet,
        Self::Cloak,
    ];

    /// Its slot in a player's record.
    pub(crate) fn slot(self) -> usize {
        self as usize
    }

    pub(crate) fn kind(self) -> EffectKind {
        match self {
            Self::Shield => EffectKind::Shield,
            Self::Reflect => EffectKind::Reflect,
            Self::Freeze => EffectKind::Freeze,
            Self::Speed => EffectKind::Speed,
            Self::Loot => EffectKind::Loot,
            Self::Magnet => EffectKind::Magnet,
            Self::Cloak => EffectKind::Cloak,
        }
    }

    /// `None` for a kind that acts at once.
    pub(crate) fn of(kind: EffectKind) -> Option<Self> {
        Self::ALL.into_iter().find(|timed| timed.kind() == kind)
    }
}

/// One effect of a power-up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    Timed(Timed),
    Steal { percent: u8 },
    Swap,
    Teleport,
    Reveal { radius: u8 },
    Cleanse,
}

/// An effect that lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Timed {
    pub(crate) kind: TimedKind,
    pub(crate) magnitude: u8,
    /// 1..2^30.
    pub(crate) duration_ms: u32,
    pub(crate) stacking: Stacking,
}

/// What a timed effect does on a slot that is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stacking {
    Refresh,
    Extend { max_ms: u32 },
    Stack { max_magnitude: u8 },
    Ignore,
}

impl Effect {
    pub(crate) fn kind(&self) -> EffectKind {
        match self {
            Self::Timed(timed) => timed.kind.kind(),
            Self::Steal { .. } => EffectKind::Steal,
            Self::Swap => EffectKind::Swap,
            Self::Teleport => EffectKind::Teleport,
            Self::Reveal { .. } => EffectKind::Reveal,
            Self::Cleanse => EffectKind::Cleanse,
        }
    }

    /// Hostile effects can be blocked and reflected, and end the cloak of whoever uses them.
    pub(crate) fn is_hostile(&self) -> bool {
        is_hostile(self.kind())
    }
}

pub(super) fn is_hostile(kind: EffectKind) -> bool {
    use EffectKind::{
        Cleanse, Cloak, Freeze, Loot, Magnet, Reflect, Reveal, Shield, Speed, Steal, Swap, Teleport,
    };
    match kind {
        Freeze | Steal | Swap => true,
        Shield | Reflect | Speed | Loot | Magnet | Cloak | Teleport | Reveal | Cleanse => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_in_the_order_of_the_schema() {
        for timed in TimedKind::ALL {
            assert_eq!(timed.slot() + 1, timed.kind() as usize);
            assert_eq!(TimedKind::of(timed.kind()), Some(timed));
        }
        assert_eq!(TimedKind::of(EffectKind::Steal), None);
    }
}
