//! The digest that is kept up, against the one that the schema describes: the snapshot's parts as prost
//! writes them, hashed and added up.

use player_state::{
    engine::{Hunt, PlayerSnapshot, Settings, Snapshot},
    pb,
};
use proptest::prelude::*;
use prost::Message;
use xxhash_rust::xxh64::xxh64;

use crate::{
    generated::{hunts, play},
    stage::{START_MS, hunt_id},
};

fn settings_message(settings: &Settings) -> pb::HuntSettings {
    pb::HuntSettings {
        seed: settings.seed,
        width: settings.width,
        height: settings.height,
        treasures: settings.treasures,
        caches: settings.caches,
        max_players: settings.max_players,
        duration_ms: settings.duration_ms,
        ruleset: settings.ruleset.clone(),
    }
}

fn head_message(snapshot: &Snapshot) -> pb::HuntSnapshot {
    pb::HuntSnapshot {
        format: snapshot.format,
        hunt_id: snapshot.hunt_id.as_str().to_owned(),
        settings: Some(settings_message(&snapshot.settings)),
        ruleset_hash: snapshot.ruleset_hash.clone(),
        epoch: 0,
        sequence: snapshot.sequence,
        starts_at_ms: snapshot.starts_at_ms,
        last_at_ms: snapshot.last_at_ms,
        random_state: snapshot.random_state,
        ended: snapshot.ended,
        treasures: Vec::new(),
        caches: Vec::new(),
        players: Vec::new(),
        rules_version: snapshot.rules_version,
    }
}

fn player_message(player: &PlayerSnapshot) -> pb::PlayerSnapshot {
    let effect = |effect: &player_state::engine::TimedSnapshot| pb::TimedEffect {
        kind: effect.kind as i32,
        magnitude: effect.magnitude,
        until_ms: effect.until_ms,
    };
    let remembered = |entry: &player_state::engine::RememberedSnapshot| pb::Remembered {
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

fn digest_by_the_schema(snapshot: &Snapshot) -> u64 {
    let hash = |part: &dyn Fn() -> Vec<u8>, seed| xxh64(&part(), seed);
    let mut sum = hash(&|| head_message(snapshot).encode_to_vec(), 0);
    for player in &snapshot.players {
        sum = sum.wrapping_add(hash(&|| player_message(player).encode_to_vec(), 1));
    }
    for treasure in &snapshot.treasures {
        let message = pb::Treasure {
            x: treasure.x.into(),
            y: treasure.y.into(),
            value: treasure.value,
        };
        sum = sum.wrapping_add(hash(&|| message.encode_to_vec(), 2));
    }
    for cache in &snapshot.caches {
        let message = pb::Cache {
            x: cache.x.into(),
            y: cache.y.into(),
            power_up: cache.power_up,
        };
        sum = sum.wrapping_add(hash(&|| message.encode_to_vec(), 3));
    }
    sum
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn the_digest_kept_up_is_the_one_of_the_snapshot((seed, steps) in hunts()) {
        let mut played = play(seed, &steps);
        prop_assert_eq!(played.hunt.digest(), digest_by_the_schema(&played.hunt.snapshot()));
    }

    #[test]
    fn a_digest_asked_for_once_is_that_of_one_asked_for_after_every_command((seed, steps) in hunts()) {
        let played = play(seed, &steps);
        let mut once = Hunt::restore(&played.hunt.snapshot(), played.hunt.ruleset().clone()).expect("our own");
        let mut kept_up = played.hunt;
        prop_assert_eq!(once.digest(), kept_up.digest());
    }

    #[test]
    fn the_digest_of_any_head_is_that_of_the_schema(
        seed in any::<u64>(),
        sides in (1u32..=4096, 1u32..=4096),
        duration_ms in 1u64..=1 << 31,
        ruleset in "[a-z]{0,200}",
        starts_at_ms in prop_oneof![Just(0), Just(-1), Just(START_MS), any::<i32>().prop_map(i64::from)],
    ) {
        let settings = Settings {
            seed,
            width: sides.0,
            height: sides.1,
            treasures: (sides.0 * sides.1 / 2).min(50),
            caches: (sides.0 * sides.1 / 2).min(50),
            max_players: 10_000,
            duration_ms,
            ruleset,
        };
        let rules = std::sync::Arc::new(player_state::engine::Ruleset::classic());
        let mut hunt = Hunt::create(hunt_id(), settings, rules, 3, starts_at_ms).expect("within bounds");
        prop_assert_eq!(hunt.digest(), digest_by_the_schema(&hunt.snapshot()));
    }
}
