//! A hunt's snapshot, both ways.

use super::{
    outcome::{effect_kind, treasure},
    settings::{hunt_settings, settings},
};
use crate::{
    engine::{
        CacheSnapshot, EffectKind, HuntId, PlayerId, PlayerSnapshot, RememberedSnapshot, Snapshot,
        SnapshotError, TimedSnapshot, Treasure,
    },
    pb,
};

/// As the engine checks it and goes on from it. Unknown fields are gone since the message was decoded.
///
/// # Errors
/// What the engine's types cannot hold is refused as [`Hunt::restore`](crate::engine::Hunt::restore) would
/// refuse it; a snapshot of another version is refused for that, before anything else in it is read.
pub fn snapshot(message: pb::HuntSnapshot) -> Result<Snapshot, SnapshotError> {
    Snapshot::check_versions(message.format, message.rules_version)?;
    let hunt_id =
        HuntId::parse(&message.hunt_id).map_err(|field| SnapshotError::Part(field.name()))?;
    let given = message.settings.ok_or(SnapshotError::Part("settings"))?;
    let treasures = message.treasures.iter().map(buried);
    let caches = message.caches.iter().map(cache);
    Ok(Snapshot {
        format: message.format,
        rules_version: message.rules_version,
        hunt_id,
        settings: settings(given),
        ruleset_hash: message.ruleset_hash,
        epoch: message.epoch,
        sequence: message.sequence,
        starts_at_ms: message.starts_at_ms,
        last_at_ms: message.last_at_ms,
        random_state: message.random_state,
        ended: message.ended,
        treasures: all(treasures).ok_or(SnapshotError::Part("treasures"))?,
        caches: all(caches).ok_or(SnapshotError::Part("caches"))?,
        players: message
            .players
            .into_iter()
            .map(player)
            .collect::<Result<_, _>>()?,
    })
}

/// As the wire carries it.
#[must_use]
pub fn hunt_snapshot(snapshot: &Snapshot) -> pb::HuntSnapshot {
    let cache = |cache: &CacheSnapshot| pb::Cache {
        x: cache.x.into(),
        y: cache.y.into(),
        power_up: cache.power_up,
    };
    pb::HuntSnapshot {
        format: snapshot.format,
        hunt_id: snapshot.hunt_id.as_str().to_owned(),
        settings: Some(hunt_settings(&snapshot.settings)),
        ruleset_hash: snapshot.ruleset_hash.clone(),
        epoch: snapshot.epoch,
        sequence: snapshot.sequence,
        starts_at_ms: snapshot.starts_at_ms,
        last_at_ms: snapshot.last_at_ms,
        random_state: snapshot.random_state,
        ended: snapshot.ended,
        treasures: snapshot.treasures.iter().map(treasure).collect(),
        caches: snapshot.caches.iter().map(cache).collect(),
        players: snapshot.players.iter().map(player_snapshot).collect(),
        rules_version: snapshot.rules_version,
    }
}

fn all<T>(parts: impl Iterator<Item = Option<T>>) -> Option<Vec<T>> {
    parts.collect()
}

/// `None` for a cell that no map has.
fn buried(treasure: &pb::Treasure) -> Option<Treasure> {
    Some(Treasure {
        x: treasure.x.try_into().ok()?,
        y: treasure.y.try_into().ok()?,
        value: treasure.value,
    })
}

/// `None` for a cell that no map has.
fn cache(cache: &pb::Cache) -> Option<CacheSnapshot> {
    Some(CacheSnapshot {
        x: cache.x.try_into().ok()?,
        y: cache.y.try_into().ok()?,
        power_up: cache.power_up,
    })
}

fn player(message: pb::PlayerSnapshot) -> Result<PlayerSnapshot, SnapshotError> {
    let wrong = |part| SnapshotError::Player {
        player: message.player_id,
        part,
    };
    let remembered = |entry: &pb::Remembered| RememberedSnapshot {
        request_id: entry.request_id,
        sequence: entry.sequence,
    };
    Ok(PlayerSnapshot {
        player: PlayerId::new(message.player_id).ok_or(wrong("player_id"))?,
        present: message.present,
        x: message.x,
        y: message.y,
        score: message.score,
        version: message.version,
        effects: all(message.effects.iter().map(timed)).ok_or(wrong("effects"))?,
        cooldown_until_ms: message.cooldown_until_ms,
        remembered: message.remembered.iter().map(remembered).collect(),
        inventory: message.inventory,
    })
}

fn player_snapshot(player: &PlayerSnapshot) -> pb::PlayerSnapshot {
    let effect = |effect: &TimedSnapshot| pb::TimedEffect {
        kind: effect_kind(effect.kind).into(),
        magnitude: effect.magnitude,
        until_ms: effect.until_ms,
    };
    let remembered = |entry: &RememberedSnapshot| pb::Remembered {
        request_id: entry.request_id,
        sequence: entry.sequence,
    };
    pb::PlayerSnapshot {
        player_id: player.player.get(),
        present: player.present,
        x: player.x,
        y: player.y,
        score: player.score,
        version: player.version,
        inventory: player.inventory.clone(),
        effects: player.effects.iter().map(effect).collect(),
        cooldown_until_ms: player.cooldown_until_ms,
        remembered: player.remembered.iter().map(remembered).collect(),
    }
}

/// `None` for a kind that this engine does not know.
fn timed(effect: &pb::TimedEffect) -> Option<TimedSnapshot> {
    Some(TimedSnapshot {
        kind: known_kind(effect.kind())?,
        magnitude: effect.magnitude,
        until_ms: effect.until_ms,
    })
}

fn known_kind(kind: pb::EffectKind) -> Option<EffectKind> {
    match kind {
        pb::EffectKind::Unspecified => None,
        pb::EffectKind::Shield => Some(EffectKind::Shield),
        pb::EffectKind::Reflect => Some(EffectKind::Reflect),
        pb::EffectKind::Freeze => Some(EffectKind::Freeze),
        pb::EffectKind::Speed => Some(EffectKind::Speed),
        pb::EffectKind::Loot => Some(EffectKind::Loot),
        pb::EffectKind::Magnet => Some(EffectKind::Magnet),
        pb::EffectKind::Cloak => Some(EffectKind::Cloak),
        pb::EffectKind::Steal => Some(EffectKind::Steal),
        pb::EffectKind::Swap => Some(EffectKind::Swap),
        pb::EffectKind::Teleport => Some(EffectKind::Teleport),
        pb::EffectKind::Reveal => Some(EffectKind::Reveal),
        pb::EffectKind::Cleanse => Some(EffectKind::Cleanse),
    }
}
