//! One player: a hot record of one cache line, and the remembered requests as a second.
//!
//! Both are plain numbers. What must stay true: a timed slot that was never set, or has ended, is all
//! zeros (a slot that was set has an end above 0); remembered requests ascend, with zeros behind them.

use super::{
    RequestId,
    map::Place,
    ruleset::{Stacking, Timed, TimedKind},
};

/// Most of one kind that a player holds.
pub(super) const HELD_MAX: u8 = 9;

/// How many of each power-up a player holds: 16 nibbles.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Inventory(u64);

impl Inventory {
    pub(super) fn count(self, power_up: u8) -> u8 {
        (self.0 >> Self::shift(power_up) & 0xF) as u8
    }

    pub(super) fn add(&mut self, power_up: u8) {
        debug_assert!(self.count(power_up) < HELD_MAX);
        self.0 += 1 << Self::shift(power_up);
    }

    pub(super) fn spend(&mut self, power_up: u8) {
        debug_assert!(self.count(power_up) > 0);
        self.0 -= 1 << Self::shift(power_up);
    }

    fn shift(power_up: u8) -> u32 {
        4 * u32::from(power_up)
    }
}

/// The hot state of a player, laid out as docs/rules.md says.
#[derive(Clone, Debug, Default)]
#[repr(C, align(64))]
pub(super) struct PlayerRecord {
    pub(super) score: u64,
    pub(super) inventory: Inventory,
    pub(super) place: Place,
    pub(super) version: u32,
    until_ms: [u32; TimedKind::COUNT],
    /// Milliseconds since the hunt's start, as last set.
    pub(super) cooldown_until_ms: u32,
    magnitude: [u8; TimedKind::COUNT],
    flags: u8,
}

const _: () = assert!(size_of::<PlayerRecord>() == 64 && align_of::<PlayerRecord>() == 64);

const PRESENT: u8 = 1;

impl PlayerRecord {
    /// A player who holds nothing, at a place.
    pub(super) fn at(place: Place) -> Self {
        Self {
            place,
            ..Self::default()
        }
    }

    pub(super) fn is_present(&self) -> bool {
        self.flags & PRESENT != 0
    }

    pub(super) fn set_present(&mut self, present: bool) {
        self.flags = if present { PRESENT } else { 0 };
    }

    /// The magnitude of an effect that is on, and `None` when it is off.
    pub(super) fn on(&self, kind: TimedKind, now_ms: u32) -> Option<u8> {
        let slot = kind.slot();
        (self.until_ms[slot] > now_ms).then_some(self.magnitude[slot])
    }

    /// Magnitude and end as last set, also when past; `None` if never set, or ended.
    pub(super) fn slot(&self, kind: TimedKind) -> Option<(u8, u32)> {
        let slot = kind.slot();
        (self.until_ms[slot] != 0).then_some((self.magnitude[slot], self.until_ms[slot]))
    }

    pub(super) fn set_slot(&mut self, kind: TimedKind, magnitude: u8, until_ms: u32) {
        self.until_ms[kind.slot()] = until_ms;
        self.magnitude[kind.slot()] = magnitude;
    }

    /// Ends an effect, whether it is on or past.
    pub(super) fn clear(&mut self, kind: TimedKind) {
        self.set_slot(kind, 0, 0);
    }

    /// Takes one charge off a shield that is on; the last one ends it.
    pub(super) fn spend_charge(&mut self) {
        let slot = TimedKind::Shield.slot();
        self.magnitude[slot] -= 1;
        if self.magnitude[slot] == 0 {
            self.clear(TimedKind::Shield);
        }
    }

    /// Sets an effect, or stacks it on the one that is on. False where it was ignored.
    pub(super) fn set_timed(&mut self, effect: &Timed, now_ms: u32) -> bool {
        let slot = effect.kind.slot();
        let (m, end) = (effect.magnitude, now_ms + effect.duration_ms);
        let (old_m, old_end) = (self.magnitude[slot], self.until_ms[slot]);
        let (magnitude, until_ms) = if old_end <= now_ms {
            (m, end)
        } else {
            match effect.stacking {
                Stacking::Refresh => (m, end.max(old_end)),
                Stacking::Extend { max_ms } => {
                    let extended = (old_end + effect.duration_ms).min(now_ms + max_ms);
                    (m.max(old_m), extended.max(old_end))
                }
                Stacking::Stack { max_magnitude } => (
                    old_m.saturating_add(m).min(max_magnitude).max(old_m),
                    end.max(old_end),
                ),
                Stacking::Ignore => return false,
            }
        };
        self.set_slot(effect.kind, magnitude, until_ms);
        true
    }
}

/// How many requests of a player are remembered.
pub(super) const REMEMBERED_MAX: usize = 4;

/// The largest request ids applied, ascending, each with the sequence at which it was.
#[derive(Clone, Debug, Default)]
pub(super) struct Remembered {
    entries: [(u64, u64); REMEMBERED_MAX],
}

const _: () = assert!(size_of::<Remembered>() == 64);

/// What a player remembers of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Recall {
    New,
    AppliedAt {
        sequence: u64,
    },
    /// Behind the window: it may have been applied, or not.
    TooOld,
}

impl Remembered {
    pub(super) fn recall(&self, request: RequestId) -> Recall {
        let request = request.get();
        if let Some((_, sequence)) = self.entries.iter().find(|(id, _)| *id == request) {
            return Recall::AppliedAt {
                sequence: *sequence,
            };
        }
        let is_full = self.entries[REMEMBERED_MAX - 1].0 != 0;
        if is_full && request < self.entries[0].0 {
            Recall::TooOld
        } else {
            Recall::New
        }
    }

    /// Takes in a request that [`recall`](Self::recall) called new; the smallest of five is forgotten.
    pub(super) fn remember(&mut self, request: RequestId, sequence: u64) {
        // Ids ascend, so this is nearly every request; what follows holds for it too.
        let largest = self.entries[REMEMBERED_MAX - 1].0;
        if largest != 0 && request.get() > largest {
            self.entries.copy_within(1.., 0);
            self.entries[REMEMBERED_MAX - 1] = (request.get(), sequence);
            return;
        }
        let len = self.iter().count();
        let mut at = self.iter().filter(|(id, _)| *id < request.get()).count();
        if len == REMEMBERED_MAX {
            self.entries.copy_within(1..at, 0);
            at -= 1;
        } else {
            self.entries.copy_within(at..len, at + 1);
        }
        self.entries[at] = (request.get(), sequence);
    }

    /// Request ids and sequences, ascending.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u64, u64)> {
        self.entries.iter().copied().take_while(|(id, _)| *id != 0)
    }
}
