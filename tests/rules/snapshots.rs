//! What a restored hunt is, and which snapshots are refused.

use std::sync::Arc;

use player_state::{
    engine::{EffectKind, Hunt, Ruleset, Snapshot, SnapshotError, TimedSnapshot},
    pb, wire,
};

use crate::stage::Setup;

/// A hunt with something of everything.
fn snapshot() -> Snapshot {
    let mut stage = Setup::classic()
        .treasures(&[(1, 0, 10), (0, 1, 100)])
        .caches(&[(3, 0, 12), (0, 3, 0)])
        .player(1, |player| {
            player
                .holds("cloak", 1)
                .score(5)
                .under(EffectKind::Speed, 3, 77)
        })
        .player(2, |player| player.at(19, 19).absent().cooling_until(5))
        .begin();
    stage.applied(10, 1, player_state::engine::RawAction::Join);
    stage.hunt.snapshot()
}

fn restore(snapshot: &Snapshot) -> Result<Hunt, SnapshotError> {
    Hunt::restore(snapshot, Arc::new(Ruleset::classic()))
}

#[test]
fn a_restored_hunt_is_the_same_hunt() {
    let snapshot = snapshot();
    let hunt = restore(&snapshot).expect("of our own making");
    assert_eq!(hunt.snapshot(), snapshot);
}

#[test]
fn unknown_versions_and_other_rulesets_are_refused_by_name() {
    let mut format = snapshot();
    format.format = 2;
    assert_eq!(
        restore(&format).err(),
        Some(SnapshotError::Format { found: 2 })
    );
    let mut rules = snapshot();
    rules.rules_version = 2;
    assert_eq!(
        restore(&rules).expect_err("unknown").to_string(),
        "rules_version 2; this engine knows 1"
    );
    let mut ruleset = snapshot();
    ruleset.ruleset_hash = "beef".into();
    assert!(matches!(
        restore(&ruleset),
        Err(SnapshotError::Ruleset { .. })
    ));
}

#[test]
fn what_no_hunt_can_be_is_refused_and_named() {
    type Case = (&'static str, fn(&mut Snapshot));
    let cases: [Case; 27] = [
        ("settings.width", |s| s.settings.width = 0),
        ("epoch", |s| s.epoch = 0),
        ("sequence", |s| s.sequence = 0),
        ("last_at_ms", |s| s.last_at_ms = s.starts_at_ms - 1),
        ("treasures", |s| s.treasures.reverse()),
        ("treasures", |s| s.treasures[1] = s.treasures[0]),
        ("treasures", |s| s.treasures[0].x = 20),
        ("treasures", |s| s.treasures[0].value = 15),
        ("treasures", |s| s.treasures[0].value = 110),
        ("treasures", |s| s.treasures[0].value = 0),
        ("treasures", |s| s.settings.treasures = 1),
        ("caches", |s| s.caches[0].power_up = 13),
        ("caches", |s| s.caches.reverse()),
        ("caches", |s| s.settings.caches = 1),
        ("players", |s| s.players.reverse()),
        ("players", |s| s.players[1] = s.players[0].clone()),
        ("the sum of scores", |s| s.players[1].score = (1 << 53) - 4),
        ("place of player 2", |s| s.players[1].y = 20),
        ("inventory of player 1", |s| s.players[0].inventory[3] = 10),
        ("inventory of player 1", |s| s.players[0].inventory.push(0)),
        ("effects of player 1", |s| {
            s.players[0].effects[0].kind = EffectKind::Steal
        }),
        ("effects of player 1", |s| {
            s.players[0].effects[0].magnitude = 256
        }),
        ("effects of player 1", |s| {
            s.players[0].effects[0].until_ms = 0
        }),
        ("effects of player 1", |s| {
            let shield = TimedSnapshot {
                kind: EffectKind::Shield,
                magnitude: 0,
                until_ms: 5,
            };
            s.players[0].effects.insert(0, shield);
        }),
        ("cooldown_until_ms of player 2", |s| {
            s.players[1].cooldown_until_ms = u32::MAX
        }),
        ("remembered of player 1", |s| {
            s.players[0].remembered[0].request_id = 0
        }),
        ("remembered of player 1", |s| {
            s.players[0].remembered[0].sequence = 9
        }),
    ];
    for (named, spoil) in cases {
        let mut spoiled = snapshot();
        spoil(&mut spoiled);
        let error = restore(&spoiled)
            .err()
            .unwrap_or_else(|| panic!("taken: {named}"));
        assert!(error.to_string().starts_with(named), "{error}");
    }
}

#[test]
fn more_players_than_a_hunt_takes_are_refused() {
    let mut present = Setup::classic();
    let mut joined = Setup::classic();
    for id in 1..=13 {
        present = present.player(id, |player| player);
        joined = joined.player(id, |player| player.absent());
    }
    present.snapshot.players.truncate(7);
    for spoiled in [present.snapshot, joined.snapshot] {
        assert_eq!(
            restore(&spoiled).err(),
            Some(SnapshotError::Part("players"))
        );
    }
}

#[test]
fn a_snapshot_is_the_same_after_the_wire() {
    let snapshot = snapshot();
    let message = wire::hunt_snapshot(&snapshot);
    assert_eq!(wire::snapshot(message), Ok(snapshot));
}

#[test]
fn what_the_engine_cannot_hold_is_refused_on_its_way_in() {
    type Case = (&'static str, fn(&mut pb::HuntSnapshot));
    let cases: [Case; 12] = [
        // Versions first: another one may have other fields.
        ("snapshot format 2", |s| {
            s.format = 2;
            s.settings = None;
        }),
        ("rules_version 2", |s| {
            s.rules_version = 2;
            s.hunt_id.clear();
        }),
        ("hunt_id", |s| s.hunt_id.push(' ')),
        ("settings", |s| s.settings = None),
        ("treasures", |s| s.treasures[0].x = 1 << 16),
        ("treasures", |s| s.treasures[0].y = 1 << 16),
        ("caches", |s| s.caches[0].x = 1 << 16),
        ("caches", |s| s.caches[0].y = 1 << 16),
        ("player_id of player 0", |s| s.players[0].player_id = 0),
        ("effects of player 1", |s| s.players[0].effects[0].kind = 0),
        ("effects of player 1", |s| s.players[0].effects[0].kind = 13),
        ("effects of player 1", |s| s.players[0].effects[0].kind = -1),
    ];
    for (named, spoil) in cases {
        let mut spoiled = wire::hunt_snapshot(&snapshot());
        spoil(&mut spoiled);
        let error = wire::snapshot(spoiled)
            .err()
            .unwrap_or_else(|| panic!("taken: {named}"));
        assert!(error.to_string().starts_with(named), "{error}");
    }
}
