//! The memory ring: what a reader of the feed can rely on while the oldest records are dropped.

mod common;

use std::{sync::Arc, time::Duration};

use common::records::{entry, id, push};
use player_state::journal::{
    Cursor, Entry, Journal as _, Page, Place, Query, RECORD_BYTES_MAX, Ring, RingBounds,
    RingBoundsError, SCAN_RECORDS_MAX, Start,
};
use tokio::time::timeout;

const PROMPT: Duration = Duration::from_secs(5);

fn ring_of(records_max: usize) -> Ring {
    Ring::new(RingBounds {
        records_max,
        bytes_max: 16 << 20,
    })
    .expect("bounds with room")
}

fn from(start: Start) -> Query {
    Query {
        from: start,
        records_max: 10_000,
        bytes_max: 192 << 10,
        scan_max: SCAN_RECORDS_MAX,
        skip_moves: false,
        hunt: None,
    }
}

fn texts(page: &Page) -> Vec<String> {
    page.records
        .iter()
        .map(|record| String::from_utf8_lossy(record).into_owned())
        .collect()
}

#[tokio::test]
async fn a_reader_that_comes_back_misses_nothing_and_sees_nothing_twice() {
    let ring = ring_of(1000);
    let mut cursor = Start::Oldest;
    let mut seen = Vec::new();
    for round in 0..10 {
        for n in 1..=7 {
            push(&ring, entry("h", round * 7 + n));
        }
        let page = ring
            .read(Query {
                records_max: 3,
                ..from(cursor)
            })
            .await
            .expect("a whole journal");
        seen.extend(texts(&page));
        assert!(!page.gap);
        cursor = Start::At(page.cursor);
    }
    let rest = ring.read(from(cursor)).await.expect("a whole journal");
    seen.extend(texts(&rest));
    assert_eq!(rest.behind, 0);
    assert_eq!(seen, (1..=70).map(|n| format!("h#{n}")).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_reader_behind_the_retention_is_told_once_and_goes_on_at_the_oldest() {
    let ring = ring_of(4);
    push(&ring, entry("h", 1));
    let first = ring
        .read(from(Start::Oldest))
        .await
        .expect("a whole journal");
    assert!(!first.gap);
    for n in 2..=10 {
        push(&ring, entry("h", n));
    }
    let late = ring
        .read(Query {
            records_max: 2,
            ..from(Start::At(first.cursor))
        })
        .await
        .expect("a whole journal");
    assert!(late.gap, "records 2 to 6 were dropped");
    assert_eq!(texts(&late), ["h#7", "h#8"]);
    assert_eq!(late.behind, 2);
    let next = ring
        .read(from(Start::At(late.cursor)))
        .await
        .expect("a whole journal");
    assert!(!next.gap, "a gap is told once");
    assert_eq!(texts(&next), ["h#9", "h#10"]);
    assert!(
        ring.read(from(Start::Oldest))
            .await
            .expect("a whole journal")
            .gap,
        "the oldest kept is not the first"
    );
}

#[tokio::test]
async fn a_cursor_of_another_journal_starts_over_with_a_gap() {
    let (ring, other) = (ring_of(10), ring_of(10));
    push(&ring, entry("h", 1));
    let foreign = other
        .read(from(Start::Oldest))
        .await
        .expect("a whole journal")
        .cursor;
    let ahead = Cursor {
        place: Place(99),
        ..ring
            .read(from(Start::Oldest))
            .await
            .expect("a whole journal")
            .cursor
    };
    for start in [Start::At(foreign), Start::Unreadable, Start::At(ahead)] {
        let page = ring.read(from(start)).await.expect("a whole journal");
        assert!(page.gap, "{start:?}");
        assert_eq!(texts(&page), ["h#1"]);
    }
}

#[test]
fn a_cursor_survives_its_encoding_and_other_bytes_are_none() {
    let cursor = Cursor {
        incarnation: 0x0102_0304_0506_0708,
        place: Place(u64::MAX),
    };
    assert_eq!(Cursor::decode(&cursor.encode()), Some(cursor));
    for bytes in [&b"x"[..], &[0; 15], &[0; 17]] {
        assert_eq!(Cursor::decode(bytes), None);
    }
}

#[tokio::test]
async fn a_page_ends_at_its_bytes_but_holds_one_record_at_least() {
    let ring = ring_of(10);
    for n in 1..=3 {
        push(
            &ring,
            Entry {
                record: vec![b'x'; 100].into(),
                ..entry("h", n)
            },
        );
    }
    for (bytes_max, found) in [(1, 1), (203, 1), (204, 2), (306, 3)] {
        let page = ring
            .read(Query {
                bytes_max,
                ..from(Start::Oldest)
            })
            .await
            .expect("a whole journal");
        assert_eq!(page.records.len(), found, "{bytes_max} bytes");
        assert_eq!(page.behind, 3 - found as u64);
    }
}

#[tokio::test]
async fn filters_pass_over_records_and_a_scan_ends_at_its_limit() {
    let ring = ring_of(10_000);
    for n in 1..=1000 {
        push(&ring, entry("crowd", n));
    }
    push(&ring, entry("quiet", 1));
    let quiet = |start, scan_max| Query {
        hunt: Some(id("quiet")),
        scan_max,
        ..from(start)
    };

    let first = ring
        .read(quiet(Start::Oldest, 600))
        .await
        .expect("a whole journal");
    assert_eq!(
        (first.records.len(), first.scanned, first.behind),
        (0, 600, 401)
    );
    let second = ring
        .read(quiet(Start::At(first.cursor), 600))
        .await
        .expect("a whole journal");
    assert_eq!(texts(&second), ["quiet#1"]);

    let still = ring
        .read(Query {
            skip_moves: true,
            ..from(Start::Oldest)
        })
        .await
        .expect("a whole journal");
    assert_eq!(still.records.len(), 501);
    assert!(texts(&still).iter().all(|text| text != "crowd#2"));
}

#[tokio::test]
async fn a_record_is_found_by_its_place_until_it_is_dropped() {
    let ring = ring_of(6);
    for n in 1..=5 {
        push(&ring, entry("a", n));
        push(&ring, entry("b", n));
    }
    for (hunt, sequence, kept) in [
        ("a", 2, false),
        ("a", 3, true),
        ("b", 5, true),
        ("b", 6, false),
        ("b", 0, false),
        ("c", 1, false),
    ] {
        let record = ring
            .get(&id(hunt), sequence)
            .await
            .expect("a whole journal");
        let expected = kept.then(|| format!("{hunt}#{sequence}").into_bytes());
        assert_eq!(
            record.map(|bytes| bytes.to_vec()),
            expected,
            "{hunt}#{sequence}"
        );
    }
}

#[tokio::test]
async fn a_wait_ends_with_the_record_it_waits_for() {
    let ring = Arc::new(ring_of(10));
    let waiting: Vec<_> = (0..100)
        .map(|_| {
            let ring = Arc::clone(&ring);
            tokio::spawn(async move { ring.durable(Place(1)).await })
        })
        .collect();
    push(&*ring, entry("h", 1));
    tokio::task::yield_now().await;
    assert!(
        waiting.iter().all(|task| !task.is_finished()),
        "place 1 is the second record"
    );
    push(&*ring, entry("h", 2));
    for task in waiting {
        timeout(PROMPT, task)
            .await
            .expect("woken")
            .expect("no panic");
    }
    timeout(PROMPT, ring.durable(Place(0)))
        .await
        .expect("durable long ago");
}

#[test]
fn the_bounds_hold_for_records_and_for_bytes() {
    let bounds = RingBounds {
        records_max: 1000,
        bytes_max: 256 << 10,
    };
    let ring = Ring::new(bounds).expect("bounds with room");
    for n in 1..=100 {
        push(
            &ring,
            Entry {
                record: vec![0; 10_000].into(),
                ..entry("h", n)
            },
        );
        assert!(ring.kept().bytes <= bounds.bytes_max as u64);
    }
    let kept = ring.kept();
    assert_eq!(kept.records + kept.dropped, 100);
    assert!(kept.records >= 25, "{kept:?}");
}

/// Records lie in segments: of every length, at their edges and over them, each is read back as it was, until it is
/// dropped.
#[tokio::test]
async fn what_is_kept_is_what_was_pushed_whatever_its_length() {
    const KEPT: usize = 40;
    let ring = ring_of(KEPT);
    let lengths = [
        1,
        100,
        64 << 10,
        (64 << 10) + 1,
        RECORD_BYTES_MAX,
        0,
        3_000,
        (64 << 10) - 103,
    ];
    let mut pushed = Vec::new();
    for n in 1..=400_u64 {
        let hunt = ["a", "b", "c"][n as usize % 3];
        let length = lengths[n as usize * n as usize % lengths.len()];
        let sequence = 1 + n / 3;
        let entry = Entry {
            record: vec![n as u8; length].into(),
            ..entry(hunt, sequence)
        };
        push(&ring, entry.clone());
        pushed.push(entry);
        let kept = &pushed[pushed.len().saturating_sub(KEPT)..];
        let all = Query {
            bytes_max: usize::MAX,
            ..from(Start::Oldest)
        };
        let page = ring.read(all).await.expect("a whole journal");
        assert!(
            page.records
                .iter()
                .eq(kept.iter().map(|entry| &entry.record)),
            "after {n}"
        );
        for (age, entry) in pushed.iter().rev().take(KEPT + 3).enumerate() {
            let got = ring.get(&entry.hunt, entry.sequence).await;
            let expected = (age < KEPT).then(|| entry.record.clone());
            assert_eq!(
                got.expect("a whole journal"),
                expected,
                "{entry:?} after {n}"
            );
        }
    }
}

#[test]
fn room_that_there_is_not_is_refused_with_the_limit() {
    let bytes_max = RECORD_BYTES_MAX + 200;
    let ring = Ring::new(RingBounds {
        records_max: 1,
        bytes_max,
    })
    .expect("bounds with room");
    let refused = ring.reserve(bytes_max).expect_err("no room");
    assert_eq!(
        (refused.limit, refused.limit_bytes),
        ("feed_bytes_max", bytes_max as u64)
    );
}

#[test]
fn bounds_without_room_for_a_record_are_refused() {
    let no_records = Ring::new(RingBounds {
        records_max: 0,
        bytes_max: 1 << 20,
    });
    assert_eq!(no_records.err(), Some(RingBoundsError::Records));
    let no_bytes = Ring::new(RingBounds {
        records_max: 1,
        bytes_max: 1000,
    });
    assert!(matches!(
        no_bytes.err(),
        Some(RingBoundsError::Bytes { asked: 1000, .. })
    ));
}
