//! A whole hunt as plain values: what another engine, or this one after a restart, goes on from.
//!
//! The fields are those of the schema's `HuntSnapshot`. What must stay true: a hunt that is restored from its
//! snapshot has the same digest, and answers every later command as the first would have. A snapshot comes
//! from outside, so [`Hunt::restore`] believes nothing in it.

mod restore;

pub use self::restore::SnapshotError;
use super::{
    EffectKind, Hunt, HuntId, PlayerId, Settings, Treasure, players::Seat, ruleset::TimedKind,
};

/// The form of snapshots that this engine writes and reads.
pub(super) const FORMAT: u32 = 1;
/// Scores of a hunt that add up to more are not restored: sums must stay exact everywhere.
const SCORE_SUM_MAX: u64 = 1 << 53;

/// Everything that a hunt is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    pub format: u32,
    pub rules_version: u32,
    pub hunt_id: HuntId,
    pub settings: Settings,
    pub ruleset_hash: String,
    pub epoch: u64,
    pub sequence: u64,
    /// Unix milliseconds.
    pub starts_at_ms: i64,
    /// Unix milliseconds.
    pub last_at_ms: i64,
    pub random_state: u64,
    pub ended: bool,
    /// Those left, by y then x, with their plain value.
    pub treasures: Vec<Treasure>,
    /// Those left, by y then x.
    pub caches: Vec<CacheSnapshot>,
    /// All who ever joined, by id.
    pub players: Vec<PlayerSnapshot>,
}

/// A cache, and what is in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CacheSnapshot {
    pub x: u16,
    pub y: u16,
    /// Index in the ruleset.
    pub power_up: u32,
}

/// A player.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlayerSnapshot {
    pub player: PlayerId,
    pub present: bool,
    pub x: u32,
    pub y: u32,
    pub score: u64,
    pub version: u32,
    /// Count by ruleset index; as many as the ruleset has power-ups.
    pub inventory: Vec<u32>,
    /// By kind, as last set, also when past; ended ones are absent.
    pub effects: Vec<TimedSnapshot>,
    /// Milliseconds since the hunt's start, as last set.
    pub cooldown_until_ms: u32,
    /// By request id.
    pub remembered: Vec<RememberedSnapshot>,
}

/// A timed effect, as last set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimedSnapshot {
    pub kind: EffectKind,
    pub magnitude: u32,
    /// Milliseconds since the hunt's start.
    pub until_ms: u32,
}

/// A request that a player remembers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RememberedSnapshot {
    pub request_id: u64,
    pub sequence: u64,
}

impl Hunt {
    /// Copies everything that the hunt is.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        let head = &self.head;
        let cache = |found: super::map::Found| CacheSnapshot {
            x: found.place.x,
            y: found.place.y,
            power_up: found.meaning,
        };
        let players = self.world.players.seats_by_id();
        Snapshot {
            format: FORMAT,
            rules_version: super::RULES_VERSION,
            hunt_id: head.id.clone(),
            settings: head.settings.clone(),
            ruleset_hash: head.ruleset.hash().to_owned(),
            epoch: head.epoch,
            sequence: head.sequence,
            starts_at_ms: head.starts_at_ms,
            last_at_ms: head.last_at_ms,
            random_state: self.world.random.state(),
            ended: head.ended,
            treasures: self.world.treasures.iter().map(Treasure::from).collect(),
            caches: self.world.caches.iter().map(cache).collect(),
            players: players
                .into_iter()
                .map(|seat| self.player_snapshot(seat))
                .collect(),
        }
    }

    fn player_snapshot(&self, seat: Seat) -> PlayerSnapshot {
        let record = self.world.players.record(seat);
        let kinds = self.head.ruleset.power_ups().len() as u8;
        let timed = |timed: TimedKind| {
            let (magnitude, until_ms) = record.slot(timed)?;
            Some(TimedSnapshot {
                kind: timed.kind(),
                magnitude: magnitude.into(),
                until_ms,
            })
        };
        let remembered = self.world.players.remembered(seat).iter();
        PlayerSnapshot {
            player: self.world.players.id(seat),
            present: record.is_present(),
            x: record.place.x.into(),
            y: record.place.y.into(),
            score: record.score,
            version: record.version,
            inventory: (0..kinds)
                .map(|power_up| record.inventory.count(power_up).into())
                .collect(),
            effects: TimedKind::ALL.into_iter().filter_map(timed).collect(),
            cooldown_until_ms: record.cooldown_until_ms,
            remembered: remembered
                .map(|(request_id, sequence)| RememberedSnapshot {
                    request_id,
                    sequence,
                })
                .collect(),
        }
    }
}
