//! From a snapshot back to a hunt, after every check that keeps nonsense out of the records.

use std::{fmt, sync::Arc};

use super::{CacheSnapshot, FORMAT, PlayerSnapshot, SCORE_SUM_MAX, Snapshot};
use crate::engine::{
    Hunt, RULES_VERSION, RequestId, Ruleset, SettingsError, Treasure,
    hunt::Head,
    map::{Kind, Size, Spots},
    player::{HELD_MAX, PlayerRecord, REMEMBERED_MAX, Remembered},
    players::Players,
    random::Random,
    ruleset::{EFFECT_MS_MAX, TimedKind, magnitudes},
    world::World,
};

/// Why a snapshot is not restored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SnapshotError {
    /// Written in a form that this engine does not know.
    Format {
        found: u32,
    },
    /// Played by rules that this engine does not know.
    RulesVersion {
        found: u32,
    },
    /// The ruleset at hand is not the one that the hunt began with.
    Ruleset {
        found: String,
        given: String,
    },
    Settings(SettingsError),
    /// A part that no hunt of these settings can have.
    Part(&'static str),
    /// A player that no hunt of these settings can have.
    Player {
        player: u64,
        part: &'static str,
    },
}

impl fmt::Display for SnapshotError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Format { found } => {
                write!(f, "snapshot format {found}; this engine knows {FORMAT}")
            }
            Self::RulesVersion { found } => {
                write!(
                    f,
                    "rules_version {found}; this engine knows {RULES_VERSION}"
                )
            }
            Self::Ruleset { found, given } => {
                write!(
                    f,
                    "the snapshot's ruleset has the hash {found}, and the one at hand {given}"
                )
            }
            Self::Settings(error) => error.fmt(f),
            Self::Part(part) => write!(f, "{part} of the snapshot is none that this hunt can have"),
            Self::Player { player, part } => {
                write!(
                    f,
                    "{part} of player {player} in the snapshot is none that this hunt can have"
                )
            }
        }
    }
}

impl std::error::Error for SnapshotError {}

fn ensure(holds: bool, part: &'static str) -> Result<(), SnapshotError> {
    if holds {
        Ok(())
    } else {
        Err(SnapshotError::Part(part))
    }
}

impl Snapshot {
    /// Refuses a form or rules that this engine does not know. The other fields of such a snapshot may mean
    /// anything: whoever reads one asks this first.
    pub fn check_versions(format: u32, rules_version: u32) -> Result<(), SnapshotError> {
        if format != FORMAT {
            return Err(SnapshotError::Format { found: format });
        }
        if rules_version != RULES_VERSION {
            return Err(SnapshotError::RulesVersion {
                found: rules_version,
            });
        }
        Ok(())
    }
}

impl Hunt {
    /// Goes on from a snapshot. `ruleset` is the one that the hunt began with, by its hash.
    pub fn restore(snapshot: &Snapshot, ruleset: Arc<Ruleset>) -> Result<Self, SnapshotError> {
        Snapshot::check_versions(snapshot.format, snapshot.rules_version)?;
        check_ruleset(snapshot, &ruleset)?;
        snapshot.settings.check().map_err(SnapshotError::Settings)?;
        ensure(snapshot.epoch >= 1, "epoch")?;
        ensure(snapshot.sequence >= 1, "sequence")?;
        let head = Head {
            id: snapshot.hunt_id.clone(),
            settings: snapshot.settings.clone(),
            ruleset,
            epoch: snapshot.epoch,
            sequence: snapshot.sequence,
            starts_at_ms: snapshot.starts_at_ms,
            last_at_ms: snapshot.last_at_ms,
            ended: snapshot.ended,
        };
        ensure(head.last_at_ms >= head.starts_at_ms, "last_at_ms")?;
        let world = restore_world(snapshot, &head)?;
        Ok(Self { head, world })
    }
}

fn check_ruleset(snapshot: &Snapshot, ruleset: &Ruleset) -> Result<(), SnapshotError> {
    if snapshot.ruleset_hash != ruleset.hash() {
        let found = snapshot.ruleset_hash.clone();
        return Err(SnapshotError::Ruleset {
            found,
            given: ruleset.hash().to_owned(),
        });
    }
    Ok(())
}

fn restore_world(snapshot: &Snapshot, head: &Head) -> Result<World, SnapshotError> {
    let (settings, ruleset) = (&head.settings, &*head.ruleset);
    let size = Size::of(settings);
    let random = Random::new(snapshot.random_state);

    ensure(
        snapshot.treasures.len() <= settings.treasures as usize,
        "treasures",
    )?;
    let treasure = |treasure: &Treasure| (treasure.x.into(), treasure.y.into(), treasure.value);
    let treasures = snapshot.treasures.iter().map(treasure);
    let treasures = Spots::restore(Kind::Treasure, size, ruleset, treasures)
        .ok_or(SnapshotError::Part("treasures"))?;

    ensure(snapshot.caches.len() <= settings.caches as usize, "caches")?;
    let cache = |cache: &CacheSnapshot| (cache.x.into(), cache.y.into(), cache.power_up);
    let caches = snapshot.caches.iter().map(cache);
    let caches =
        Spots::restore(Kind::Cache, size, ruleset, caches).ok_or(SnapshotError::Part("caches"))?;

    let mut world = World::new(settings, ruleset, random, treasures, caches);
    check_players(snapshot, head)?;
    for player in &snapshot.players {
        restore_player(player, head, &mut world.players).map_err(|part| SnapshotError::Player {
            player: player.player.get(),
            part,
        })?;
    }
    Ok(world)
}

fn check_players(snapshot: &Snapshot, head: &Head) -> Result<(), SnapshotError> {
    let players = &snapshot.players;
    ensure(
        players.len() <= head.settings.ever_joined_max() as usize,
        "players",
    )?;
    ensure(players.is_sorted_by(|a, b| a.player < b.player), "players")?;
    let present = players.iter().filter(|player| player.present).count();
    ensure(present <= head.settings.max_players as usize, "players")?;
    let score_sum = players
        .iter()
        .try_fold(0u64, |sum, player| sum.checked_add(player.score));
    ensure(
        score_sum.is_some_and(|sum| sum <= SCORE_SUM_MAX),
        "the sum of scores",
    )
}

/// Adds one player, or names the part that is wrong.
fn restore_player(
    snapshot: &PlayerSnapshot,
    head: &Head,
    players: &mut Players,
) -> Result<(), &'static str> {
    let place = Size::of(&head.settings)
        .place_at(snapshot.x, snapshot.y)
        .ok_or("place")?;
    let mut record = PlayerRecord::at(place);
    record.score = snapshot.score;
    record.version = snapshot.version;
    record.cooldown_until_ms = snapshot.cooldown_until_ms;
    record.set_present(snapshot.present);
    restore_inventory(snapshot, head, &mut record).ok_or("inventory")?;
    ensure_until(snapshot.cooldown_until_ms, head).ok_or("cooldown_until_ms")?;
    restore_effects(snapshot, head, &mut record).ok_or("effects")?;
    let remembered = restore_remembered(snapshot, head).ok_or("remembered")?;
    players.add(snapshot.player, record, remembered);
    Ok(())
}

fn restore_inventory(
    snapshot: &PlayerSnapshot,
    head: &Head,
    record: &mut PlayerRecord,
) -> Option<()> {
    if snapshot.inventory.len() != head.ruleset.power_ups().len() {
        return None;
    }
    for (power_up, count) in (0u8..).zip(&snapshot.inventory) {
        if *count > HELD_MAX.into() {
            return None;
        }
        (0..*count).for_each(|_| record.inventory.add(power_up));
    }
    Some(())
}

fn restore_effects(
    snapshot: &PlayerSnapshot,
    head: &Head,
    record: &mut PlayerRecord,
) -> Option<()> {
    if !snapshot.effects.is_sorted_by(|a, b| a.kind < b.kind) {
        return None;
    }
    for effect in &snapshot.effects {
        let kind = TimedKind::of(effect.kind)?;
        let magnitude = u8::try_from(effect.magnitude).ok()?;
        // Those that a ruleset can give: a shield without a charge, say, has ended, and is absent.
        let (least, most) = magnitudes(effect.kind);
        if effect.until_ms == 0 || !(least..=most).contains(&magnitude.into()) {
            return None;
        }
        ensure_until(effect.until_ms, head)?;
        record.set_slot(kind, magnitude, effect.until_ms);
    }
    Some(())
}

/// An end is at most an effect's longest time after the hunt's.
fn ensure_until(until_ms: u32, head: &Head) -> Option<()> {
    (u64::from(until_ms) <= head.settings.duration_ms + EFFECT_MS_MAX).then_some(())
}

fn restore_remembered(snapshot: &PlayerSnapshot, head: &Head) -> Option<Remembered> {
    let entries = &snapshot.remembered;
    if entries.len() > REMEMBERED_MAX || !entries.is_sorted_by(|a, b| a.request_id < b.request_id) {
        return None;
    }
    let mut remembered = Remembered::default();
    for entry in entries {
        let request = RequestId::new(entry.request_id)?;
        if !(1..=head.sequence).contains(&entry.sequence) {
            return None;
        }
        remembered.remember(request, entry.sequence);
    }
    Some(remembered)
}
