//! Snapshots while hunts are played: a clean end leaves nothing to play again, and nothing is kept before it is durable.

mod common;

use std::{
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use common::{
    PATIENCE,
    engine::{Engine, refusal},
    eventually,
    game::{dig, join, settings},
    journal::Recording,
};
use player_state::{
    config::{Claim, Settings},
    engine::HuntId,
    journal::Journal as _,
    pb::{HuntStatus, Record, hunt_status::State, refusal::Reason},
    shard::{Checkpoints, Limits, Rulesets, Shard},
    telemetry::Metrics,
    wire,
};
use prost::Message as _;
use tonic::Code;

async fn played() -> Engine {
    let engine = Engine::first(Claim::Auto).await;
    for hunt in ["a", "b"] {
        engine.create(hunt, settings()).await.expect("a hunt");
        for player in 1..=20 {
            engine.apply(join(hunt, player, 1)).await;
            engine.apply(dig(hunt, player, 2)).await;
        }
    }
    engine
}

fn finish(checkpoints: Checkpoints) -> tokio::task::JoinHandle<()> {
    tokio::task::spawn_blocking(move || checkpoints.finish(Instant::now() + PATIENCE))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clean_end_leaves_nothing_to_play_again() {
    let engine = played().await;
    let checkpoints = Checkpoints::start(&engine.shard).expect("a thread");
    finish(checkpoints).await.expect("finished");
    let left = engine.journal.unsnapped(engine.journal.end());
    assert_eq!(left, []);

    let before = engine.list().await;
    let again = engine.again(Claim::Router).await;
    assert_eq!((again.recovered.hunts, again.recovered.replayed), (2, 0));
    let recovered = |hunt| HuntStatus {
        state: State::Recovered.into(),
        ..hunt
    };
    let before: Vec<_> = before.into_iter().map(recovered).collect();
    assert_eq!(again.list().await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn snapshots_wait_together_until_all_that_they_hold_is_durable() {
    let engine = played().await;
    let waits = || engine.journal.waits.load(Ordering::Relaxed);
    let before = waits();
    engine.journal.flowing.send_replace(false);
    let checkpoints = Checkpoints::start(&engine.shard).expect("a thread");
    let mut finishing = finish(checkpoints);
    let early = tokio::time::timeout(Duration::from_millis(200), &mut finishing).await;
    assert!(early.is_err(), "it waits");
    assert!(engine.journal.disk.lock().snapshots.is_empty());
    engine.journal.flowing.send_replace(true);
    finishing.await.expect("finished");
    assert_eq!(engine.journal.disk.lock().snapshots.len(), 2);
    assert_eq!(
        waits() - before,
        1,
        "a slow disk does not hold every hunt up"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn no_time_left_keeps_no_snapshot_and_loses_nothing() {
    let engine = played().await;
    let checkpoints = Checkpoints::start(&engine.shard).expect("a thread");
    let late = tokio::task::spawn_blocking(move || checkpoints.finish(Instant::now()));
    late.await.expect("finished");
    assert!(engine.journal.disk.lock().snapshots.is_empty());
    let again = engine.again(Claim::Router).await;
    assert_eq!(again.recovered.quarantined, 0);
    assert_eq!(
        again.recovered.replayed,
        engine.journal.disk.lock().records.len() as u64
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hunt_let_go_is_forgotten_after_its_epoch_is_kept_and_never_comes_back() {
    let journal = Recording::new();
    let limits = Limits {
        ended_keep: Duration::ZERO,
        ..Limits::from(&Settings::defaults())
    };
    let shard = Arc::new(Shard::new(
        Arc::clone(&journal) as _,
        Rulesets::default(),
        Claim::Router,
        limits,
        Arc::new(Metrics::new()),
    ));
    let id = HuntId::parse("h").expect("a hunt id");
    let created = shard.create(&id, &wire::settings(settings()), 5, 7);
    created.expect("a hunt");
    shard.end(&id).expect("ended");
    let checkpoints = Checkpoints::start(&shard).expect("a thread");
    let sweep = tokio::spawn(Arc::clone(&shard).sweep());
    eventually(|| match journal.disk.lock().gone.as_slice() {
        [] => Err("nothing was let go".to_owned()),
        gone => {
            assert_eq!(gone, std::slice::from_ref(&id));
            Ok(())
        }
    });
    assert_eq!(journal.disk.lock().fence.epoch, 5);
    sweep.abort();
    finish(checkpoints).await.expect("finished");
    assert!(journal.disk.lock().snapshots.is_empty());

    let disk = journal.disk.lock().clone();
    let again = Engine::start(&disk, Claim::Router, Rulesets::default()).await;
    assert!(again.list().await.is_empty());
    let refused = again.create_as("h", settings(), 5, 7).await;
    assert_eq!(refused.expect_err("a refusal").code(), Code::AlreadyExists);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quarantined_hunt_is_let_go_loudly_when_retention_goes_past_its_records_and_not_before() {
    let first = played().await;
    let mut disk = first.journal.disk.lock().clone();
    // Another digest than the records come to: `a` is quarantined.
    let (_, entry) = &mut disk.records[0];
    let mut record = Record::decode(entry.record.clone()).expect("a record");
    assert_eq!(record.hunt_id, "a");
    record.digest ^= 1;
    entry.record = record.encode_to_vec().into();

    let engine = Engine::start(&disk, Claim::Auto, Rulesets::default()).await;
    assert_eq!(engine.status("a").await.state(), State::Quarantined);
    let checkpoints = Checkpoints::start(&engine.shard).expect("a thread");
    let let_go = || {
        let metrics = engine.shard.metrics();
        metrics.player_state_quarantined_let_go_total.get()
    };
    let snapped = |hunts: usize| {
        eventually(|| {
            let disk = engine.journal.disk.lock();
            let found = disk.snapshots.len();
            (found == hunts).then_some(()).ok_or(format!("{found}"))
        });
    };
    assert_eq!(let_go(), 0, "retention does not want its records yet");
    engine.journal.overdue.store(1, Ordering::Relaxed);
    eventually(|| (let_go() == 1).then_some(()).ok_or("not yet".to_owned()));
    snapped(0);
    engine
        .journal
        .overdue
        .store(engine.journal.end().0, Ordering::Relaxed);
    snapped(1);
    assert_eq!(let_go(), 1, "`b` has a snapshot, and stays");
    finish(checkpoints).await.expect("finished");
    let refused = engine.hunt("a").await.expect_err("a refusal");
    assert_eq!(refusal(&refused).reason(), Reason::Quarantined);

    let again = engine.again(Claim::Auto).await;
    let listed: Vec<_> = again.list().await;
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0].hunt_id, "b");
    let refused = again.create("a", settings()).await.expect_err("a refusal");
    assert_eq!(refused.code(), Code::AlreadyExists);
    let refused = again.hunt("a").await.expect_err("a refusal");
    assert_eq!(refused.code(), Code::NotFound);
    assert!(refused.message().contains("was let go"), "{refused:?}");
}
