//! A restart: every hunt comes back from the journal as it was, or is quarantined, loudly.

mod common;

use std::{
    fs,
    sync::atomic::Ordering,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use common::{
    engine::{Engine, LONG, refusal},
    game::{dig, join, settings, step},
    journal::{Disk, call},
};
use player_state::{
    config::Claim,
    engine::{Hunt, HuntId, Ruleset},
    journal::{Damage, Entry, Journal as _, KeptHunt, Place},
    pb::{
        EndHuntRequest, GetPlayerRequest, GetRecordRequest, HuntSettings, HuntSnapshot, HuntStatus,
        Outcome, Record, Rejection, Verdict, hunt_status::State, record::Change, refusal::Reason,
    },
    rpc::server::{
        event_feed_service_server::EventFeedService as _,
        player_state_service_server::PlayerStateService as _,
    },
    shard::Rulesets,
    wire,
};
use prost::Message as _;
use tonic::Code;

const PLAYERS: u64 = 20;

/// A hunt with a few hundred records: past the digests that some of them carry.
async fn play(engine: &Engine, hunt: &str) {
    for player in 1..=PLAYERS {
        engine.apply(join(hunt, player, 1)).await;
    }
    for request in 2..40 {
        for player in 1..=PLAYERS {
            let command = if request % 2 == 0 {
                dig(hunt, player, request)
            } else {
                let at = view(engine, hunt, player).await;
                step(hunt, player, request, at.0 ^ 1, at.1)
            };
            engine.apply(command).await;
        }
    }
}

async fn view(engine: &Engine, hunt: &str, player_id: u64) -> (u32, u32, u64, u32) {
    let hunt_id = hunt.to_owned();
    let request = GetPlayerRequest { hunt_id, player_id };
    let answer = engine.services.get_player(call(request, LONG)).await;
    let player = answer.expect("a player").into_inner().player;
    let player = player.expect("known");
    (player.x, player.y, player.score, player.version)
}

async fn played(claim: Claim) -> Engine {
    let engine = Engine::first(claim).await;
    engine.create("a", settings()).await.expect("a hunt");
    engine.create("b", settings()).await.expect("a hunt");
    play(&engine, "a").await;
    play(&engine, "b").await;
    engine
}

/// Keeps a snapshot of each hunt as it is now.
fn keep_snapshots(engine: &Engine) {
    for hunt in engine.shard.list("", 1_000).0 {
        let held = hunt.hold().expect("in service");
        let kept = KeptHunt {
            hunt: hunt.id().clone(),
            upto: engine.journal.end(),
            snapshot: wire::hunt_snapshot(&held.snapshot()).encode_to_vec().into(),
            ruleset_hash: held.ruleset().hash().to_owned(),
            ruleset: held.ruleset().bytes().to_vec().into(),
        };
        engine.journal.put_snapshot(kept);
    }
}

/// What may differ over a restart: the state, and nothing else.
fn recovered(before: Vec<HuntStatus>) -> Vec<HuntStatus> {
    let recovered = |hunt| HuntStatus {
        state: State::Recovered.into(),
        ..hunt
    };
    before.into_iter().map(recovered).collect()
}

#[tokio::test]
async fn a_hunt_comes_back_as_it_was_from_its_records_alone_and_from_any_snapshot() {
    let first = Engine::first(Claim::Auto).await;
    for hunt in ["a", "b"] {
        first.create(hunt, settings()).await.expect("a hunt");
    }
    play(&first, "a").await;
    keep_snapshots(&first);
    let snapped = first.journal.end();
    play(&first, "b").await;
    let end = EndHuntRequest {
        hunt_id: "b".to_owned(),
    };
    first
        .services
        .end_hunt(call(end, LONG))
        .await
        .expect("ended");
    let before = recovered(first.list().await);
    let with_snapshots = first.journal.disk.lock().clone();
    let without = Disk {
        snapshots: Default::default(),
        ..with_snapshots.clone()
    };
    for disk in [without, with_snapshots] {
        let records = disk.records.len() as u64;
        let again = Engine::start(&disk, Claim::Router, Rulesets::default()).await;
        assert_eq!(again.list().await, before);
        let in_snapshots = if disk.snapshots.is_empty() {
            0
        } else {
            snapped.0
        };
        assert_eq!(again.recovered.replayed, records - in_snapshots);
        assert_eq!(
            (again.recovered.hunts, again.recovered.quarantined),
            (2, 0),
            "{:?}",
            again.recovered
        );
        assert_eq!(again.recovered.players, 2 * PLAYERS);
    }
}

#[tokio::test]
async fn every_later_answer_is_the_one_that_would_have_come() {
    let first = played(Claim::Auto).await;
    let again = first.again(Claim::Auto).await;
    for hunt in ["a", "b"] {
        for player in 1..=PLAYERS {
            assert_eq!(
                view(&again, hunt, player).await,
                view(&first, hunt, player).await
            );
            for request in 40..44 {
                let one = first.apply(dig(hunt, player, request)).await;
                let other = again.apply(dig(hunt, player, request)).await;
                // The change of hands took a sequence, and an epoch.
                let same = Outcome {
                    sequence: one.sequence + u64::from(one.sequence > 0),
                    epoch: one.epoch + u64::from(one.epoch > 0),
                    ..one
                };
                assert_eq!(other, same);
            }
        }
        assert_eq!(
            again.hunt(hunt).await.expect("a hunt").top,
            first.hunt(hunt).await.expect("a hunt").top
        );
    }
}

#[tokio::test]
async fn a_request_that_was_applied_before_the_restart_is_a_duplicate_after_it() {
    let first = Engine::first(Claim::Auto).await;
    first.create("h", settings()).await.expect("a hunt");
    let applied = first.apply(join("h", 1, 5)).await;
    assert_eq!(applied.verdict(), Verdict::Applied);
    let mut last = first;
    for _ in 0..2 {
        last = last.again(Claim::Auto).await;
        let again = last.apply(join("h", 1, 5)).await;
        assert_eq!(
            (again.verdict(), again.sequence),
            (Verdict::Duplicate, applied.sequence)
        );
        keep_snapshots(&last);
    }
}

#[tokio::test]
async fn a_running_hunt_keeps_the_ruleset_that_it_began_with() {
    let text = |ms: u32| {
        format!(
            "[[power_up]]\nname = \"hush\"\nweight = 1\ntarget = \"self\"\ncooldown_ms = {ms}\n\
             effects = [{{ kind = \"cleanse\" }}]\n"
        )
    };
    let rules = tempfile::tempdir().expect("a directory");
    let file = rules.path().join("mine.toml");
    fs::write(&file, text(1)).expect("written");
    let load = || Rulesets::load(rules.path()).expect("rulesets");
    let mine = HuntSettings {
        ruleset: "mine".to_owned(),
        ..settings()
    };
    let first = Engine::start(&Disk::default(), Claim::Auto, load()).await;
    first.create("h", mine.clone()).await.expect("a hunt");
    first.apply(join("h", 1, 1)).await;
    let hash = |engine: &Engine| {
        let hunt = engine.shard.list("", 1).0.remove(0);
        hunt.hold().expect("in service").ruleset().hash().to_owned()
    };
    let began = hash(&first);

    fs::write(&file, text(2)).expect("written");
    for with_snapshot in [false, true] {
        if with_snapshot {
            keep_snapshots(&first);
        }
        let disk = first.journal.disk.lock().clone();
        let again = Engine::start(&disk, Claim::Auto, load()).await;
        assert_eq!(hash(&again), began);
        assert_eq!(
            again.apply(dig("h", 1, 2)).await.verdict(),
            first.apply(dig("h", 1, 2)).await.verdict()
        );
        again.create("new", mine.clone()).await.expect("a hunt");
        assert_ne!(
            again.shard.list("h", 1).0[0]
                .hold()
                .expect("in service")
                .ruleset()
                .hash(),
            began,
            "a new hunt takes the file as it is"
        );
    }
}

#[tokio::test]
async fn an_ended_hunt_stays_ended_when_it_did_and_its_end_answers_the_same() {
    let first = played(Claim::Auto).await;
    let end = || EndHuntRequest {
        hunt_id: "a".to_owned(),
    };
    let ended = first.services.end_hunt(call(end(), LONG)).await;
    let ended = ended.expect("ended").into_inner();
    let was = first.hunt("a").await.expect("a hunt");

    let again = first.again(Claim::Auto).await;
    let now = again.hunt("a").await.expect("a hunt");
    assert!(now.ended);
    assert_eq!(
        (now.ends_at_ms, now.top, now.players),
        (was.ends_at_ms, was.top, was.players)
    );
    let again_ended = again.services.end_hunt(call(end(), LONG)).await;
    assert_eq!(again_ended.expect("the same").into_inner(), ended);
    let late = again.apply(join("a", 99, 1)).await;
    assert_eq!(late.rejection(), Rejection::HuntEnded);
}

#[tokio::test]
async fn the_id_of_a_hunt_that_was_let_go_is_not_used_again_and_its_records_bring_nothing_back() {
    let first = played(Claim::Auto).await;
    first
        .journal
        .let_go(&HuntId::parse("a").expect("a hunt id"));
    let again = first.again(Claim::Auto).await;
    assert_eq!(again.list().await.len(), 1);
    let refused = again.create("a", settings()).await.expect_err("a refusal");
    assert_eq!(refused.code(), Code::AlreadyExists);
    assert!(refused.message().contains("let go"), "{refused:?}");
}

/// Changes one record of hunt `a`, and starts on what that leaves.
async fn tampered(change: impl FnOnce(&mut Vec<(Place, Entry)>, usize)) -> Engine {
    let first = played(Claim::Auto).await;
    let mut disk = first.journal.disk.lock().clone();
    let of_a = |(_, entry): &(Place, Entry)| entry.hunt.as_str() == "a" && entry.sequence == 10;
    let at = disk.records.iter().position(of_a).expect("a record");
    change(&mut disk.records, at);
    Engine::start(&disk, Claim::Auto, Rulesets::default()).await
}

/// The one hunt is out of service, counted under `why`; the other is served.
async fn quarantined_alone(engine: &Engine, why: &str) {
    let listed = engine.list().await;
    let states: Vec<_> = listed.iter().map(HuntStatus::state).collect();
    assert_eq!(states, [State::Quarantined, State::Active]);
    assert_eq!(listed[0].sequence, 9, "the last that was as recorded");
    assert_eq!(engine.recovered.quarantined, 1);
    let counter = &engine
        .shard
        .metrics()
        .player_state_recovery_quarantined_total;
    assert_eq!(counter.with_label_values(&[why]).get(), 1);

    let refused = engine.apply(join("a", 1, 99)).await.refusal;
    assert_eq!(refused.expect("a refusal").reason(), Reason::Quarantined);
    let refused = engine.create("a", settings()).await.expect_err("a refusal");
    assert_eq!(refusal(&refused).reason(), Reason::Quarantined);
    let refused = engine.hunt("a").await.expect_err("a refusal");
    assert_eq!(refusal(&refused).reason(), Reason::Quarantined);
    let served = engine.apply(join("b", 99, 1)).await;
    assert_eq!(served.verdict(), Verdict::Applied);
}

#[tokio::test]
async fn a_record_that_replays_to_another_outcome_quarantines_its_hunt_alone() {
    let engine = tampered(|records, at| {
        let entry = &mut records[at].1;
        let mut record = Record::decode(entry.record.clone()).expect("a record");
        let Some(Change::Applied(applied)) = &mut record.change else {
            panic!("{record:?}");
        };
        let outcome = applied.outcome.as_mut().expect("an outcome");
        outcome.player.as_mut().expect("a player").score += 1;
        entry.record = record.encode_to_vec().into();
    })
    .await;
    quarantined_alone(&engine, "mismatch").await;
}

#[tokio::test]
async fn a_record_that_replays_to_another_digest_quarantines_its_hunt() {
    let first = played(Claim::Auto).await;
    let mut disk = first.journal.disk.lock().clone();
    let (_, entry) = &mut disk.records[0];
    let mut record = Record::decode(entry.record.clone()).expect("a record");
    record.digest ^= 1;
    entry.record = record.encode_to_vec().into();
    let again = Engine::start(&disk, Claim::Auto, Rulesets::default()).await;
    assert_eq!(again.status("a").await.state(), State::Quarantined);
    assert_eq!(again.status("b").await.state(), State::Active);
}

#[tokio::test]
async fn a_hole_in_a_hunts_records_quarantines_it_alone() {
    let engine = tampered(|records, at| {
        records.remove(at);
    })
    .await;
    quarantined_alone(&engine, "hole").await;
}

#[tokio::test]
async fn a_record_that_is_none_quarantines_its_hunt_alone() {
    let engine = tampered(|records, at| records[at].1.record = vec![0xff].into()).await;
    quarantined_alone(&engine, "unreadable").await;
}

#[tokio::test]
async fn a_hunt_whose_beginning_is_lost_is_not_created_anew() {
    let first = played(Claim::Auto).await;
    let mut disk = first.journal.disk.lock().clone();
    disk.records.remove(0);
    let again = Engine::start(&disk, Claim::Auto, Rulesets::default()).await;
    assert_eq!(again.status("a").await.state(), State::Quarantined);
    let refused = again.create("a", settings()).await.expect_err("a refusal");
    assert_eq!(refusal(&refused).reason(), Reason::Quarantined);
}

#[tokio::test]
async fn a_snapshot_that_cannot_be_restored_quarantines_its_hunt_alone() {
    let first = played(Claim::Auto).await;
    keep_snapshots(&first);
    let mut disk = first.journal.disk.lock().clone();
    let kept = disk
        .snapshots
        .get_mut(&HuntId::parse("a").expect("a hunt id"))
        .expect("kept");
    let mut snapshot = HuntSnapshot::decode(kept.snapshot.clone()).expect("a snapshot");
    snapshot.players[0].x = 1_000;
    kept.snapshot = snapshot.encode_to_vec().into();
    let again = Engine::start(&disk, Claim::Auto, Rulesets::default()).await;
    assert_eq!(again.status("a").await.state(), State::Quarantined);
    assert_eq!(again.status("b").await.state(), State::Active);
}

#[tokio::test]
async fn damage_stops_the_start() {
    let first = played(Claim::Auto).await;
    let disk = first.journal.disk.lock().clone();
    let mut recovery = disk.recovery(9);
    let damage = Damage {
        at: "a.jnl:300".to_owned(),
        what: "a row's checksum is wrong".to_owned(),
    };
    let rows = recovery.rows.take(5).chain([Err(damage.clone())]);
    recovery.rows = Box::new(rows);
    let refused = Engine::recover(&disk, recovery, Claim::Auto, Rulesets::default()).await;
    assert_eq!(refused.err(), Some(damage));
}

#[tokio::test]
async fn ledger_and_router_that_came_once_are_known_after_a_restart() {
    let first = Engine::first(Claim::Router).await;
    first
        .hello(Some(first.fence("ledger", 7)))
        .await
        .expect("the first");
    let created = first.create_as("h", settings(), 3, 8).await;
    created.expect("by its next incarnation");

    let again = first.again(Claim::Router).await;
    let other = again.hello(Some(again.fence("another", 9))).await;
    let other = other.expect_err("a refusal");
    assert_eq!(other.code(), Code::FailedPrecondition);
    assert!(other.message().contains("\"ledger\""), "{other:?}");
    let replaced = again.hello(Some(again.fence("ledger", 7))).await;
    assert_eq!(
        replaced.expect_err("a refusal").code(),
        Code::FailedPrecondition
    );
    let replaced = again.create_as("h2", settings(), 4, 7).await;
    assert_eq!(
        replaced.expect_err("a refusal").code(),
        Code::FailedPrecondition
    );
    let hello = again.hello(Some(again.fence("ledger", 8))).await;
    let hello = hello.expect("the same router");
    assert_eq!(hello.router_incarnation_seen, 8);
    assert_ne!(again.incarnation, first.incarnation);
}

#[tokio::test]
async fn what_is_recovered_answers_nobody_until_it_is_claimed() {
    let first = Engine::first(Claim::Router).await;
    let created = first.create_as("h", settings(), 3, 7).await;
    created.expect("a hunt");
    first.apply(join("h", 1, 1)).await;
    let again = first.again(Claim::Router).await;

    let refused = again.apply(dig("h", 1, 2)).await;
    assert_eq!(refused.verdict(), Verdict::Refused);
    let refused = refused.refusal.expect("a refusal");
    assert_eq!((refused.reason(), refused.epoch), (Reason::NotActive, 3));
    let hunt_id = || "h".to_owned();
    let end = EndHuntRequest { hunt_id: hunt_id() };
    let player = GetPlayerRequest {
        hunt_id: hunt_id(),
        player_id: 1,
    };
    let record = GetRecordRequest {
        hunt_id: hunt_id(),
        sequence: 1,
    };
    let refused = [
        again.create_as("h", settings(), 3, 7).await.err(),
        again.hunt("h").await.err(),
        again.services.end_hunt(call(end, LONG)).await.err(),
        again.services.get_player(call(player, LONG)).await.err(),
        again.services.get_record(call(record, LONG)).await.err(),
    ];
    for (n, status) in refused.into_iter().enumerate() {
        let status = status.unwrap_or_else(|| panic!("call {n} was answered"));
        assert_eq!(status.code(), Code::FailedPrecondition, "{status:?}");
        let why = refusal(&status);
        assert_eq!((why.reason(), why.epoch), (Reason::NotActive, 3));
    }
    let other = HuntSettings {
        seed: 8,
        ..settings()
    };
    let other = again.create_as("h", other, 3, 7).await;
    assert_eq!(other.expect_err("a refusal").code(), Code::AlreadyExists);
    assert_eq!(again.records("h").len(), 2, "nothing was written");
}

#[tokio::test]
async fn an_engine_that_claims_by_itself_claims_each_hunt_at_a_new_epoch() {
    let mut engine = played(Claim::Auto).await;
    for epoch in 2..4 {
        engine = engine.again(Claim::Auto).await;
        for hunt in engine.list().await {
            assert_eq!((hunt.state(), hunt.epoch), (State::Active, epoch));
            let last = engine.records(&hunt.hunt_id).pop().expect("a record");
            assert!(
                matches!(&last.change, Some(Change::OwnerChanged(to)) if to.owner == "sidecar")
            );
            assert_eq!(
                (last.epoch, last.sequence, last.digest),
                (epoch, hunt.sequence, hunt.digest)
            );
        }
        assert_eq!(engine.journal.disk.lock().fence.epoch, epoch);
        let same = engine.create("a", settings()).await.expect("the same");
        assert_eq!(same.epoch, epoch);
    }
}

#[tokio::test]
async fn what_could_not_be_claimed_for_lack_of_room_is_claimed_when_there_is_some() {
    let first = Engine::first(Claim::Auto).await;
    first.create("h", settings()).await.expect("a hunt");
    let disk = first.journal.disk.lock().clone();
    let again = Engine::start(&disk, Claim::Router, Rulesets::default()).await;
    drop(again);
    // The same by hand, with a journal that is full while hunts are claimed.
    let journal = common::journal::Recording::on(&disk);
    journal.full.store(true, Ordering::Relaxed);
    let shard = journal.shard(Claim::Auto, Rulesets::default());
    shard
        .recover(disk.recovery(5), &Default::default())
        .expect("no damage");
    assert_eq!(shard.claim_recovered().await, 0);
    let shard = std::sync::Arc::new(shard);
    let sweep = tokio::spawn(std::sync::Arc::clone(&shard).sweep());
    journal.full.store(false, Ordering::Relaxed);
    let lock = shard.list("", 1).0.remove(0);
    while lock.lock().is_err() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    sweep.abort();
}

fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    i64::try_from(since.expect("after 1970").as_millis()).expect("fits")
}

/// A disk with one hunt that began so many milliseconds from now.
fn begun(in_ms: i64, duration_ms: u64) -> Disk {
    let settings = HuntSettings {
        duration_ms,
        ..settings()
    };
    let id = HuntId::parse("h").expect("a hunt id");
    let ruleset = std::sync::Arc::new(Ruleset::classic());
    let starts_at_ms = now_ms() + in_ms;
    let hunt = Hunt::create(
        id.clone(),
        wire::settings(settings),
        ruleset,
        1,
        starts_at_ms,
    );
    let mut hunt = hunt.expect("settings within their bounds");
    let digest = hunt.digest();
    let entry = Entry {
        hunt: id,
        sequence: 1,
        is_move: false,
        record: wire::created_record(&hunt, digest).encode_to_vec().into(),
    };
    Disk {
        records: vec![(Place(0), entry)],
        ..Disk::default()
    }
}

#[tokio::test]
async fn a_hunts_time_never_falls_also_where_the_wall_clock_did() {
    let engine = Engine::start(&begun(3_600_000, 600_000), Claim::Auto, Rulesets::default()).await;
    engine.apply(join("h", 1, 1)).await;
    let stamps: Vec<_> = engine.records("h").iter().map(|r| r.at_ms).collect();
    assert_eq!(stamps.len(), 3);
    assert!(stamps.is_sorted(), "{stamps:?}");
    assert!(stamps[2] < stamps[0] + 60_000, "it goes on from there");
}

#[tokio::test]
async fn a_hunt_whose_time_ran_out_meanwhile_ends_at_its_full_time() {
    let disk = begun(-3_600_000, 600_000);
    let engine = Engine::start(&disk, Claim::Auto, Rulesets::default()).await;
    let late = engine.apply(join("h", 1, 1)).await;
    assert_eq!(late.rejection(), Rejection::HuntEnded);
    let records = engine.records("h");
    assert_eq!(records.len(), 3, "created, claimed, ended");
    let full_time_ms = records[0].at_ms + 600_000;
    assert_eq!(
        (records[1].at_ms, records[2].at_ms),
        (full_time_ms, full_time_ms)
    );
    let hunt = engine.hunt("h").await.expect("a hunt");
    assert_eq!((hunt.ended, hunt.ends_at_ms), (true, full_time_ms));
    let again = engine.again(Claim::Auto).await;
    assert_eq!(again.recovered.quarantined, 0, "and that replays too");
}
