//! How long a recovery takes, and how long a copy of a hunt holds its lock. Prints figures, and so is run by name:
//! `cargo test --release --features failpoints --test recovery_time -- --ignored --nocapture`.

#![expect(clippy::print_stdout, reason = "its figures are what it is for")]

mod common;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use common::{
    game::{join, leave, settings},
    journal::Recording,
};
use player_state::{
    config::Claim,
    engine::{Hunt, HuntId},
    journal::{Journal as _, KeptHunt},
    pb::HuntSettings,
    shard::{CallTime, Progress, Rulesets, Shard},
    wire::{self, Commands},
};
use prost::Message as _;

/// Plays `hunts` with `players` each, keeps their snapshots, and plays `records` more.
fn played(hunts: u64, players: u64, records: u64) -> Arc<Recording> {
    let journal = Recording::new();
    let shard = journal.shard(Claim::Auto, Rulesets::default());
    let id = |hunt: u64| HuntId::parse(&format!("hunt-{hunt:06}")).expect("a hunt id");
    for hunt in 0..hunts {
        let settings = HuntSettings {
            max_players: players as u32,
            ..settings()
        };
        let created = shard.create(&id(hunt), &wire::settings(settings), 0, 0);
        created.expect("a hunt");
        for player in 1..=players {
            apply(&shard, join(id(hunt).as_str(), player, 1));
        }
    }
    for lock in shard.list("", usize::MAX).0 {
        let held = lock.hold().expect("in service");
        journal.put_snapshot(KeptHunt {
            hunt: lock.id().clone(),
            upto: journal.end(),
            snapshot: wire::hunt_snapshot(&held.snapshot()).encode_to_vec().into(),
            ruleset_hash: held.ruleset().hash().to_owned(),
            ruleset: held.ruleset().bytes().to_vec().into(),
        });
    }
    // What a snapshot holds is not read again.
    journal.disk.lock().records.clear();
    for n in 0..records {
        let (hunt, player, round) = (n % hunts, 1 + n / hunts % players, n / hunts / players);
        let id = id(hunt);
        let command = if round % 2 == 0 {
            leave(id.as_str(), player, round + 2)
        } else {
            join(id.as_str(), player, round + 2)
        };
        apply(&shard, command);
    }
    journal
}

fn apply(shard: &Shard, command: player_state::pb::Command) {
    let arrived = Instant::now();
    let deadline = arrived + Duration::from_secs(20);
    let before = shard.journal().end();
    let commands = Commands::Copied(vec![command]);
    let _answers = shard.apply(CallTime { arrived, deadline }, &commands);
    assert_eq!(shard.journal().end(), before.next(), "it is applied");
}

#[test]
#[ignore = "prints figures of a release build"]
fn recovery_of_many_players() {
    for (hunts, players, records) in [(2_000, 50, 131_072), (2_000, 500, 1_000_000)] {
        let journal = played(hunts, players, records);
        let disk = journal.disk.lock();
        for _ in 0..3 {
            let recovery = disk.recovery(1);
            let shard = Recording::new().shard(Claim::Router, Rulesets::default());
            let recovered = shard.recover(recovery, &Progress::default());
            let recovered = recovered.expect("no damage");
            assert_eq!((recovered.quarantined, recovered.replayed), (0, records));
            println!(
                "recovery of {} players in {} hunts, {} records: {:?}",
                recovered.players, recovered.hunts, recovered.replayed, recovered.took
            );
        }
    }
}

#[test]
#[ignore = "prints figures of a release build"]
fn a_copy_of_the_largest_hunt_holds_its_lock_briefly() {
    let journal = played(1, 10_000, 10_000);
    let shard = journal.shard(Claim::Router, Rulesets::default());
    let recovery = journal.disk.lock().recovery(1);
    shard
        .recover(recovery, &Progress::default())
        .expect("no damage");
    let lock = shard.list("", 1).0.remove(0);
    let mut took = Vec::new();
    for _ in 0..20 {
        let began = Instant::now();
        let held = lock.hold().expect("in service");
        let copy = Hunt::clone(&held);
        drop(held);
        took.push(began.elapsed());
        drop(copy);
    }
    took.sort_unstable();
    println!(
        "copies of a hunt of 10,000 players: median {:?}, longest {:?}",
        took[took.len() / 2],
        took[took.len() - 1]
    );
}
