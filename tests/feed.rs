//! The feed over the wire: what a reader who keeps a cursor can rely on.

mod common;

use std::time::{Duration, Instant};

use common::{
    Sidecar,
    game::{Game, join, leave, settings, step},
};
use player_state::pb::{ReadRecordsRequest, Record, record::Change};
use prost::Message as _;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

const LONG_MS: u32 = 15_000;

async fn played(args: &[&str]) -> (Sidecar, Game) {
    let sidecar = Sidecar::start(&[&["--claim=auto"], args].concat());
    let game = Game::new(sidecar.connect().await);
    for hunt in ["a", "b"] {
        game.create(hunt, settings()).await.expect("a hunt");
    }
    (sidecar, game)
}

fn from(cursor: &[u8]) -> ReadRecordsRequest {
    ReadRecordsRequest {
        cursor: cursor.to_vec(),
        max_records: 10_000,
        ..ReadRecordsRequest::default()
    }
}

fn places(records: &[Record]) -> Vec<(&str, u64)> {
    let places = records.iter();
    places
        .map(|record| (record.hunt_id.as_str(), record.sequence))
        .collect()
}

fn violation(status: &Status) -> String {
    assert_eq!(status.code(), Code::InvalidArgument, "{status:?}");
    let details = status.get_details_bad_request().expect("a BadRequest");
    details.field_violations[0].field.clone()
}

/// Waits until so many calls are being answered.
fn in_flight(sidecar: &Sidecar, calls: f64) {
    common::eventually(|| {
        let now = sidecar.metric("player_state_calls_in_flight");
        (now >= calls)
            .then_some(())
            .ok_or_else(|| format!("{now} calls in flight"))
    });
}

/// Joins player 1 to `hunt` and has it take `steps` steps to and fro.
async fn walk(game: &Game, hunt: &str, steps: u64) {
    let joined = game.apply(join(hunt, 1, 1)).await.expect("an outcome");
    let at = joined.player.expect("a player");
    let x = if at.x == 0 { 1 } else { at.x - 1 };
    let commands = (0..steps).map(|n| {
        let x = if n % 2 == 0 { x } else { at.x };
        step(hunt, 1, 2 + n, x, at.y)
    });
    game.apply_batch(commands.collect())
        .await
        .expect("outcomes");
}

#[tokio::test]
async fn a_reader_goes_on_where_its_cursor_stands() {
    let (_sidecar, game) = played(&[]).await;
    let first = game.read(from(&[])).await.expect("a page");
    assert_eq!(places(&first.records), [("a", 1), ("b", 1)]);
    assert_eq!((first.gap, first.behind), (false, 0));

    game.apply(join("b", 1, 1)).await.expect("an outcome");
    game.apply(join("a", 1, 1)).await.expect("an outcome");
    let one = ReadRecordsRequest {
        max_records: 1,
        ..from(&first.cursor)
    };
    let second = game.read(one).await.expect("a page");
    assert_eq!(
        (places(&second.records), second.behind),
        (vec![("b", 2)], 1)
    );
    let third = game.read(from(&second.cursor)).await.expect("a page");
    assert_eq!(places(&third.records), [("a", 2)]);
    let none = game.read(from(&third.cursor)).await.expect("a page");
    assert_eq!(
        (none.records.len(), none.cursor),
        (0, third.cursor),
        "at once, without wait_ms"
    );
}

#[tokio::test]
async fn a_reader_behind_the_retention_is_told_once() {
    let (sidecar, game) = played(&["--feed-records-max=10"]).await;
    let early = game.read(from(&[])).await.expect("a page");
    walk(&game, "a", 20).await;
    let late = game.read(from(&early.cursor)).await.expect("a page");
    assert!(late.gap);
    assert_eq!(
        places(&late.records),
        (13..=22).map(|n| ("a", n)).collect::<Vec<_>>()
    );
    let next = game.read(from(&late.cursor)).await.expect("a page");
    assert!(!next.gap && next.records.is_empty());

    assert_eq!(
        game.record("a", 12).await.expect_err("dropped").code(),
        Code::NotFound
    );
    assert_eq!(game.record("a", 13).await.expect("kept").sequence, 13);
    let gaps = sidecar.metric("player_state_feed_gaps_total");
    assert!((gaps - 1.0).abs() < 0.1, "{gaps}");
}

#[tokio::test]
async fn a_cursor_that_is_not_of_this_journal_starts_over_with_a_gap() {
    let (_other, elsewhere) = played(&[]).await;
    let foreign = elsewhere.read(from(&[])).await.expect("a page").cursor;
    let (_sidecar, game) = played(&[]).await;
    for cursor in [foreign.as_slice(), b"nonsense"] {
        let page = game.read(from(cursor)).await.expect("a page");
        assert!(page.gap);
        assert_eq!(places(&page.records), [("a", 1), ("b", 1)]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_poll_is_answered_when_a_record_comes() {
    let (sidecar, game) = played(&[]).await;
    let read = game.read(from(&[])).await.expect("a page");
    let waits = ReadRecordsRequest {
        wait_ms: LONG_MS,
        ..from(&read.cursor)
    };
    let readers: Vec<_> = (0..50)
        .map(|_| {
            let (game, waits) = (game.clone(), waits.clone());
            tokio::spawn(async move { game.read(waits).await })
        })
        .collect();
    in_flight(&sidecar, 50.0);
    assert!(
        readers.iter().all(|reader| !reader.is_finished()),
        "there is nothing to tell"
    );

    let began = Instant::now();
    game.apply(join("a", 1, 1)).await.expect("an outcome");
    for reader in readers {
        let page = reader.await.expect("no panic").expect("a page");
        assert_eq!(places(&page.records), [("a", 2)]);
    }
    assert!(
        began.elapsed() < Duration::from_secs(5),
        "{:?}",
        began.elapsed()
    );
}

#[tokio::test]
async fn a_long_poll_without_news_is_answered_empty_in_its_time() {
    let (_sidecar, game) = played(&[]).await;
    let read = game.read(from(&[])).await.expect("a page");
    let waits = ReadRecordsRequest {
        wait_ms: 100,
        ..from(&read.cursor)
    };
    let began = Instant::now();
    let page = game.read(waits.clone()).await.expect("a page");
    assert!(page.records.is_empty() && began.elapsed() >= Duration::from_millis(100));

    // A deadline that comes before the wait is over: an empty answer, and no error.
    let waits = ReadRecordsRequest {
        wait_ms: LONG_MS,
        ..waits
    };
    let page = game.within(Duration::from_millis(200)).read(waits).await;
    assert_eq!(page.expect("a page").cursor, read.cursor);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn long_polls_are_let_go_when_the_process_drains() {
    let (mut sidecar, game) = played(&["--drain-max=10s"]).await;
    let read = game.read(from(&[])).await.expect("a page");
    let waits = ReadRecordsRequest {
        wait_ms: LONG_MS,
        ..from(&read.cursor)
    };
    let reader = tokio::spawn({
        let game = game.clone();
        async move { game.read(waits).await }
    });
    in_flight(&sidecar, 1.0);
    let began = Instant::now();
    sidecar.terminate();
    let page = reader.await.expect("no panic").expect("a page");
    assert!(page.records.is_empty());
    assert!(sidecar.ended().success());
    assert!(
        began.elapsed() < Duration::from_secs(5),
        "{:?}",
        began.elapsed()
    );
}

#[tokio::test]
async fn moves_can_be_left_out_and_one_hunt_can_be_read_alone() {
    let (_sidecar, game) = played(&[]).await;
    walk(&game, "a", 10).await;
    game.apply(join("b", 1, 1)).await.expect("an outcome");
    game.apply(leave("a", 1, 100)).await.expect("an outcome");

    let still = ReadRecordsRequest {
        skip_moves: true,
        ..from(&[])
    };
    let page = game.read(still).await.expect("a page");
    assert_eq!(
        places(&page.records),
        [("a", 1), ("b", 1), ("a", 2), ("b", 2), ("a", 13)]
    );
    let alone = ReadRecordsRequest {
        hunt_id: "b".to_owned(),
        ..from(&[])
    };
    let page = game.read(alone).await.expect("a page");
    assert_eq!(
        (places(&page.records), page.behind),
        (vec![("b", 1), ("b", 2)], 0)
    );
}

#[tokio::test]
async fn a_page_ends_at_max_bytes_but_for_its_first_record() {
    let (_sidecar, game) = played(&[]).await;
    walk(&game, "a", 500).await;
    let whole = game.read(from(&[])).await.expect("a page").records;
    let framed = |record: &Record| record.encoded_len() + 3;
    let small = ReadRecordsRequest {
        max_bytes: 1,
        ..from(&[])
    };
    assert_eq!(game.read(small).await.expect("a page").records.len(), 1);

    let max_bytes = whole[..100].iter().map(framed).sum::<usize>() as u32;
    let cut = ReadRecordsRequest {
        max_bytes,
        ..from(&[])
    };
    let page = game.read(cut).await.expect("a page");
    assert!(
        (100..=102).contains(&page.records.len()),
        "{}",
        page.records.len()
    );
    assert_eq!(page.behind as usize + page.records.len(), whole.len());
}

#[tokio::test]
async fn every_page_fits_the_message_whatever_is_asked_for() {
    let (_sidecar, game) = played(&[]).await;
    // Each `created` carries its ruleset: 400 of them are well over one message.
    for n in 0..400 {
        game.create(&format!("h{n}"), settings())
            .await
            .expect("a hunt");
    }
    let (mut cursor, mut seen) = (Vec::new(), 0);
    loop {
        let greedy = ReadRecordsRequest {
            max_bytes: u32::MAX,
            ..from(&cursor)
        };
        let page = game.read(greedy).await.expect("a page");
        assert!(page.encoded_len() <= 193 << 10, "{}", page.encoded_len());
        seen += page.records.len();
        cursor = page.cursor;
        if page.behind == 0 {
            break;
        }
    }
    assert_eq!(seen, 402);
}

#[tokio::test]
async fn what_is_out_of_its_bounds_is_refused_by_name() {
    type Spoil = fn(&mut ReadRecordsRequest);
    let (_sidecar, game) = played(&[]).await;
    let cases: [(Spoil, &str); 4] = [
        (|read| read.max_records = 0, "max_records"),
        (|read| read.max_records = 10_001, "max_records"),
        (|read| read.wait_ms = 30_001, "wait_ms"),
        (|read| read.hunt_id = "a\n".to_owned(), "hunt_id"),
    ];
    for (spoil, field) in cases {
        let mut read = from(&[]);
        spoil(&mut read);
        assert_eq!(
            violation(&game.read(read).await.expect_err("a refusal")),
            field
        );
    }
    assert_eq!(
        violation(&game.record("a", 0).await.expect_err("a refusal")),
        "sequence"
    );
}

#[tokio::test]
async fn a_digest_stands_in_every_256th_record() {
    let (_sidecar, game) = played(&[]).await;
    walk(&game, "a", 600).await;
    let records = game.records("a").await;
    let with_digest: Vec<_> = records.iter().filter(|record| record.digest != 0).collect();
    let sequences: Vec<_> = with_digest.iter().map(|record| record.sequence).collect();
    assert_eq!(sequences, [1, 256, 512]);
    assert!(matches!(records[1].change, Some(Change::Applied(_))));
}
