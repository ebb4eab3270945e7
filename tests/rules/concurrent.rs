//! The same truths when many call at once, through the directory.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Barrier, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
};

use player_state::engine::{
    CreateError, Directory, Hunt, HuntGuard, HuntId, Limits, NotServed, Now, Outcome, RawAction,
    RawCommand, Refusal, Ruleset, Settings, Totals, Verdict,
};

use crate::stage::{START_MS, settings};

const NOW: Now = Now {
    wall_ms: START_MS,
    mono_ms: 0,
};

fn directory(hunts: usize, players: usize) -> Directory {
    Directory::new(Limits { hunts, players })
}

fn id(n: u64) -> HuntId {
    HuntId::parse(&format!("hunt-{n}")).expect("valid")
}

fn create(hunts: &Directory, n: u64) -> Result<(), CreateError> {
    hunts
        .create(
            &id(n),
            &settings(),
            &Arc::new(Ruleset::classic()),
            1,
            NOW,
            |_| (),
        )
        .map(|_| ())
}

fn command<'a>(
    hunt_id: &'a HuntId,
    player: u64,
    request: u64,
    action: RawAction<'a>,
) -> RawCommand<'a> {
    RawCommand {
        hunt_id: hunt_id.as_str(),
        player_id: player,
        request_id: request,
        expected_version: 0,
        epoch: 0,
        action: Some(action),
    }
}

fn ask(hunts: &Directory, raw: RawCommand<'_>) -> Outcome {
    let mut outcome = Outcome::default();
    let found = hunts.get(raw.hunt_id).expect("created");
    let mut hunt = found.lock().expect("in service");
    let ended = hunt.apply(NOW, &raw.check().expect("well-formed"), &mut outcome);
    assert_eq!(ended, None);
    outcome
}

/// A record, as a journal would keep it.
struct Record {
    sequence: u64,
    at_ms: i64,
    player: u64,
    request: u64,
    /// What the player did, as a number that [`nth_action`] turns back into the action.
    nth: u64,
    outcome: Outcome,
}

/// Something to do, for any number.
fn nth_action(nth: u64) -> RawAction<'static> {
    match nth % 7 {
        0 => RawAction::Join,
        1 => RawAction::Dig,
        2 => RawAction::PickUp,
        3 => RawAction::UsePowerUp {
            power_up: "blink",
            target: 0,
        },
        4 => RawAction::UsePowerUp {
            power_up: "shield",
            target: 0,
        },
        5 => RawAction::UsePowerUp {
            power_up: "blizzard",
            target: 0,
        },
        _ => RawAction::Move {
            x: (nth / 7 % 20) as u32,
            y: (nth / 140 % 20) as u32,
        },
    }
}

#[test]
fn records_of_concurrent_callers_have_no_gap_and_replay_to_the_same_digest() {
    const HUNTS: u64 = 3;
    const CALLERS: u64 = 4;
    let hunts = directory(10, 1_000);
    let journals: Vec<_> = (0..HUNTS).map(|_| Mutex::new(Vec::new())).collect();
    for n in 0..HUNTS {
        create(&hunts, n).expect("room");
    }
    // Every caller asks each request twice, from two threads, in an order that the scheduler picks.
    thread::scope(|scope| {
        for caller in 0..2 * CALLERS {
            let (hunts, journals) = (&hunts, &journals);
            scope.spawn(move || {
                let player = 1 + caller % CALLERS;
                for request in 1..600 {
                    let n = request % HUNTS;
                    let (id, nth) = (
                        id(n),
                        request.wrapping_mul(0x9E37_79B9_7F4A_7C15 ^ player) >> 8,
                    );
                    let raw = command(&id, player, request, nth_action(nth));
                    let found = hunts.get(raw.hunt_id).expect("created");
                    let mut hunt = found.lock().expect("in service");
                    let mut outcome = Outcome::default();
                    let now = Now {
                        wall_ms: 0,
                        mono_ms: request * 50,
                    };
                    let _ = hunt.apply(now, &raw.check().expect("well-formed"), &mut outcome);
                    if let Verdict::Applied { sequence, .. } = outcome.verdict {
                        let at_ms = hunt.last_at_ms();
                        let record = Record {
                            sequence,
                            at_ms,
                            player,
                            request,
                            nth,
                            outcome,
                        };
                        journals[n as usize]
                            .lock()
                            .expect("unpoisoned")
                            .push(record);
                    }
                }
            });
        }
    });
    for (n, journal) in (0..).zip(journals) {
        let mut replayed =
            Hunt::create(id(n), settings(), Arc::new(Ruleset::classic()), 1, START_MS)
                .expect("valid");
        let records = journal.into_inner().expect("unpoisoned");
        assert!(records.len() > 50, "only {} records", records.len());
        let mut worth = 0;
        for (expected, record) in (2..).zip(&records) {
            assert_eq!(record.sequence, expected);
            let id = id(n);
            let raw = command(&id, record.player, record.request, nth_action(record.nth));
            let mut outcome = Outcome::default();
            let _ = replayed.apply(
                record.at_ms,
                &raw.check().expect("well-formed"),
                &mut outcome,
            );
            assert_eq!(outcome, record.outcome);
            worth += outcome
                .treasures
                .iter()
                .map(|treasure| u64::from(treasure.value))
                .sum::<u64>();
        }
        let found = hunts.get(id(n).as_str()).expect("created");
        assert_eq!(
            replayed.digest(),
            found.lock().expect("in service").digest()
        );
        let scores: u64 = replayed
            .snapshot()
            .players
            .iter()
            .map(|player| player.score)
            .sum();
        assert_eq!(scores, worth);
    }
}

#[test]
fn many_creators_of_one_hunt_make_one_record_and_get_one_answer() {
    let hunts = directory(10, 10);
    let (recorded, barrier) = (AtomicUsize::new(0), Barrier::new(8));
    let rules = Arc::new(Ruleset::classic());
    let answers: Vec<_> = thread::scope(|scope| {
        let creators: Vec<_> = (0..8)
            .map(|n| {
                let (hunts, recorded, barrier, rules) = (&hunts, &recorded, &barrier, &rules);
                scope.spawn(move || {
                    barrier.wait();
                    let now = Now {
                        wall_ms: START_MS + n,
                        mono_ms: 0,
                    };
                    let count = |_: &mut HuntGuard<'_>| {
                        recorded.fetch_add(1, Ordering::Relaxed);
                    };
                    hunts.create(&id(1), &settings(), rules, 1, now, count)
                })
            })
            .collect();
        creators
            .into_iter()
            .map(|creator| creator.join().expect("no panic"))
            .collect()
    });
    assert_eq!(recorded.into_inner(), 1);
    assert!(
        answers
            .iter()
            .all(|answer| answer.is_ok() && *answer == answers[0]),
        "{answers:?}"
    );
    assert_eq!(hunts.len(), 1);
}

#[test]
fn a_hunt_is_found_only_once_its_first_record_is_written() {
    const HUNTS: u64 = 1_000;
    let hunts = directory(HUNTS as usize, 10);
    let rules = Arc::new(Ruleset::classic());
    let small = Settings {
        treasures: 0,
        caches: 0,
        ..settings()
    };
    let written: Vec<_> = (0..HUNTS).map(|_| AtomicBool::new(false)).collect();
    thread::scope(|scope| {
        let watcher = scope.spawn(|| {
            for (n, written) in (0..).zip(&written) {
                let id = id(n);
                let found = loop {
                    if let Some(found) = hunts.get(id.as_str()) {
                        break found;
                    }
                    thread::yield_now();
                };
                let _hunt = found.lock().expect("in service");
                assert!(
                    written.load(Ordering::SeqCst),
                    "hunt {n} was found too early"
                );
            }
        });
        for (n, written) in (0..).zip(&written) {
            let record = |_: &mut HuntGuard<'_>| {
                thread::yield_now(); // gives the watcher a chance to get in between
                written.store(true, Ordering::SeqCst);
            };
            hunts
                .create(&id(n), &small, &rules, 1, NOW, record)
                .expect("room");
        }
        watcher.join().expect("never too early");
    });
}

#[test]
fn a_known_id_is_answered_again_only_for_the_same_settings_and_epoch() {
    let hunts = directory(1, 10);
    create(&hunts, 1).expect("room");
    create(&hunts, 1).expect("the same again, also at the limit");
    let rules = Arc::new(Ruleset::classic());
    let other = Settings {
        ruleset: "classic".into(),
        ..settings()
    };
    let create = |settings, epoch| hunts.create(&id(1), settings, &rules, epoch, NOW, |_| ());
    assert_eq!(create(&other, 1).err(), Some(CreateError::OtherSettings));
    let epoch = CreateError::OtherEpoch {
        asked: 2,
        current: 1,
    };
    assert_eq!(create(&settings(), 2).err(), Some(epoch));
}

#[test]
fn hunts_over_the_limit_are_refused_and_named() {
    let hunts = directory(2, 10);
    create(&hunts, 1).expect("room");
    create(&hunts, 2).expect("room");
    let full = create(&hunts, 3).expect_err("full");
    assert_eq!(full, CreateError::HuntsFull { hunts_max: 2 });
    assert_eq!(full.to_string(), "2 hunts are held, which is the limit");
    assert_eq!(hunts.len(), 2);
}

#[test]
fn creators_at_the_same_time_do_not_get_over_the_limit() {
    let hunts = directory(1, 10);
    // Large, so that all are at drawing their hunts before the first is done.
    let large = Settings {
        width: 1_000,
        height: 1_000,
        treasures: 65_536,
        ..settings()
    };
    let (barrier, rules) = (Barrier::new(8), Arc::new(Ruleset::classic()));
    let created: usize = thread::scope(|scope| {
        let creators: Vec<_> = (0..8)
            .map(|n| {
                let (hunts, barrier, large, rules) = (&hunts, &barrier, &large, &rules);
                scope.spawn(move || {
                    barrier.wait();
                    let created = hunts.create(&id(n), large, rules, 1, NOW, |_| ());
                    usize::from(created.is_ok())
                })
            })
            .collect();
        let count = |creator: thread::ScopedJoinHandle<'_, _>| creator.join().expect("no panic");
        creators.into_iter().map(count).sum()
    });
    assert_eq!((created, hunts.len(), hunts.hunts().len()), (1, 1, 1));
}

#[test]
fn only_an_ended_hunt_is_let_go_and_its_room_is_free_again() {
    let hunts = directory(1, 1);
    create(&hunts, 1).expect("room");
    let one = id(1);
    ask(&hunts, command(&one, 1, 1, RawAction::Join));
    assert!(hunts.release(one.as_str()).is_none(), "it has not ended");
    let found = hunts.get(one.as_str()).expect("created");
    let _ = found.lock().expect("in service").end(NOW);
    assert!(hunts.release(one.as_str()).is_some());
    assert!(hunts.release(one.as_str()).is_none(), "once");
    assert!(hunts.get(one.as_str()).is_none());
    assert_eq!(hunts.totals(), Totals::default());
    create(&hunts, 2).expect("room again");
    let two = id(2);
    let joined = ask(&hunts, command(&two, 1, 1, RawAction::Join));
    assert!(matches!(joined.verdict, Verdict::Applied { .. }));
}

#[test]
fn new_players_over_the_limit_are_refused_and_known_ones_are_not() {
    let hunts = directory(2, 3);
    create(&hunts, 1).expect("room");
    create(&hunts, 2).expect("room");
    let (one, two) = (id(1), id(2));
    let join = |hunt, player, request| ask(&hunts, command(hunt, player, request, RawAction::Join));
    join(&one, 1, 1);
    join(&two, 1, 1);
    let no_such_version = RawCommand {
        expected_version: 5,
        ..command(&one, 2, 1, RawAction::Join)
    };
    ask(&hunts, no_such_version);
    let joined = join(&one, 2, 2).verdict;
    assert!(
        matches!(joined, Verdict::Applied { .. }),
        "a rejected Join takes no room: {joined:?}"
    );
    let full = Verdict::Refused(Refusal::PlayersFull { players_max: 3 });
    assert_eq!(join(&two, 3, 1), Outcome::bare(full));
    assert!(matches!(join(&two, 1, 2).verdict, Verdict::Applied { .. }));
    assert_eq!(hunts.totals().players, 3);
}

#[test]
fn a_panic_under_a_hunts_lock_takes_that_hunt_out_of_service_and_no_other() {
    let hunts = directory(10, 10);
    create(&hunts, 1).expect("room");
    create(&hunts, 2).expect("room");
    let broken = hunts.get(id(1).as_str()).expect("created");
    let result = catch_unwind(AssertUnwindSafe(|| {
        let _hunt = broken.lock().expect("in service");
        panic!("planted");
    }));
    assert!(result.is_err());
    assert_eq!(broken.lock().err(), Some(NotServed::Quarantined));
    assert_eq!(
        create(&hunts, 1).err(),
        Some(CreateError::NotServed(NotServed::Quarantined))
    );
    let two = id(2);
    ask(&hunts, command(&two, 1, 1, RawAction::Join));
    let totals = hunts.totals();
    assert_eq!(
        (totals.hunts, totals.quarantined, totals.players_present),
        (2, 1, 1)
    );
}

#[test]
fn a_hunts_clock_runs_from_its_creation_and_never_falls() {
    let hunts = directory(10, 10);
    let now = Now {
        wall_ms: START_MS,
        mono_ms: 500,
    };
    hunts
        .create(
            &id(1),
            &settings(),
            &Arc::new(Ruleset::classic()),
            1,
            now,
            |_| (),
        )
        .expect("room");
    let found = hunts.get(id(1).as_str()).expect("created");
    let mut hunt = found.lock().expect("in service");
    assert_eq!(
        hunt.at_ms(Now {
            wall_ms: 0,
            mono_ms: 600
        }),
        START_MS + 100
    );
    let mut outcome = Outcome::default();
    let one = id(1);
    let raw = command(&one, 1, 1, RawAction::Join);
    let _ = hunt.apply(
        Now {
            wall_ms: 0,
            mono_ms: 700,
        },
        &raw.check().expect("valid"),
        &mut outcome,
    );
    assert_eq!(
        hunt.at_ms(Now {
            wall_ms: 0,
            mono_ms: 600
        }),
        START_MS + 200
    );
    assert_eq!(
        hunt.end_if_due(Now {
            wall_ms: 0,
            mono_ms: 100_499
        }),
        None
    );
    let ended = hunt
        .end_if_due(Now {
            wall_ms: 0,
            mono_ms: 101_000,
        })
        .expect("over");
    assert_eq!(ended.at_ms, START_MS + 100_000);
}
