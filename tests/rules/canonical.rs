//! The digest that is kept up, against the one that the schema describes: the snapshot's parts as prost
//! writes them, hashed and added up.

use player_state::{
    engine::{Hunt, Settings, Snapshot},
    pb, wire,
};
use proptest::prelude::*;
use prost::Message;
use xxhash_rust::xxh64::xxh64;

use crate::{
    generated::{hunts, play},
    stage::{START_MS, hunt_id},
};

fn digest_by_the_schema(snapshot: &Snapshot) -> u64 {
    let whole = wire::hunt_snapshot(snapshot);
    let head = pb::HuntSnapshot {
        epoch: 0,
        treasures: Vec::new(),
        caches: Vec::new(),
        players: Vec::new(),
        ..whole.clone()
    };
    sum(&[head], 0)
        .wrapping_add(sum(&whole.players, 1))
        .wrapping_add(sum(&whole.treasures, 2))
        .wrapping_add(sum(&whole.caches, 3))
}

fn sum(parts: &[impl Message], seed: u64) -> u64 {
    let hashes = parts.iter().map(|part| xxh64(&part.encode_to_vec(), seed));
    hashes.fold(0, u64::wrapping_add)
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
