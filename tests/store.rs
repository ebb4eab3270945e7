//! The journal on disk: what was told as durable is there again after a restart, in the same order and under
//! the same cursors; what is damaged is refused by name.

mod common;

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use common::{
    files::{copy_dir, files, trim_write_ahead},
    records::{append, id},
};
use player_state::journal::{
    Damage, Durability, Entry, Fence, Journal as _, KeptHunt, Page, Place, Query, Recovery,
    SCAN_RECORDS_MAX, Start, Store, StoreSettings,
};
use tokio::time::timeout;

const PROMPT: Duration = Duration::from_secs(10);

fn settings() -> StoreSettings {
    StoreSettings {
        durability: Durability::Sync,
        retain_age: Duration::from_hours(2),
        retain_bytes: 16 << 30,
        reserve_bytes: 1,
        gone_ids_max: 3,
    }
}

fn open(dir: &Path) -> (Store, Recovery) {
    Store::open(dir, settings()).expect("a whole journal")
}

/// Opens it, and has the recovery read to its end.
fn reopen(dir: &Path) -> Store {
    let (store, recovery) = open(dir);
    let rows: Result<Vec<_>, _> = recovery.rows.collect();
    rows.expect("whole rows");
    store
}

/// Appends records of two hunts, `a` and `b` in turns, and waits for the last.
async fn fill(store: &Store, sequences: std::ops::RangeInclusive<u64>) {
    let mut last = Place(0);
    for sequence in sequences {
        append(store, "a", sequence);
        last = append(store, "b", sequence);
    }
    timeout(PROMPT, store.durable(last)).await.expect("durable");
}

fn from(start: Start) -> Query {
    Query {
        from: start,
        records_max: 1_000_000,
        bytes_max: usize::MAX,
        scan_max: SCAN_RECORDS_MAX,
        skip_moves: false,
        hunt: None,
    }
}

async fn read(store: &Store, start: Start) -> Page {
    store.read(from(start)).await.expect("a whole journal")
}

fn told(page: &Page) -> Vec<String> {
    let text = |record| String::from_utf8(Vec::from(record)).expect("text");
    page.records.iter().cloned().map(text).collect()
}

fn a_and_b(sequences: std::ops::RangeInclusive<u64>) -> Vec<String> {
    sequences
        .flat_map(|n| [format!("a#{n}"), format!("b#{n}")])
        .collect()
}

#[tokio::test]
async fn what_was_durable_is_read_again_after_a_restart_under_the_same_cursor() {
    let dir = tempfile::tempdir().expect("a directory");
    let (store, _) = open(dir.path());
    fill(&store, 1..=50).await;
    let page = read(&store, Start::Oldest).await;
    assert_eq!(told(&page), a_and_b(1..=50));
    drop(store);

    let store = reopen(dir.path());
    fill(&store, 51..=60).await;
    let rest = read(&store, Start::At(page.cursor)).await;
    assert_eq!(told(&rest), a_and_b(51..=60));
    assert!(!rest.gap);
    assert_eq!(told(&read(&store, Start::Oldest).await), a_and_b(1..=60));
    assert_eq!(store.end(), Place(120));
}

#[tokio::test]
async fn a_record_is_found_by_hunt_and_sequence_in_both_parts_of_the_index() {
    let dir = tempfile::tempdir().expect("a directory");
    let (store, _) = open(dir.path());
    fill(&store, 1..=40_000).await; // more than a block of the index
    for sequence in [1, 2, 20_000, 40_000] {
        found(&store, "a", sequence).await;
    }
    assert_eq!(store.get(&id("a"), 40_001).await, Ok(None));
    assert_eq!(store.get(&id("c"), 1).await, Ok(None));
    drop(store);
    let store = reopen(dir.path());
    fill(&store, 40_001..=40_001).await;
    for sequence in [1, 20_000, 40_000, 40_001] {
        found(&store, "b", sequence).await;
    }
}

async fn found(store: &Store, hunt: &str, sequence: u64) {
    let record = store
        .get(&id(hunt), sequence)
        .await
        .expect("a whole journal");
    assert_eq!(record.expect("a record"), format!("{hunt}#{sequence}"));
}

#[tokio::test]
async fn recovery_hands_back_snapshots_and_the_records_after_them() {
    let dir = tempfile::tempdir().expect("a directory");
    let (store, first) = open(dir.path());
    assert!(first.hunts.is_empty());
    assert_eq!(first.fence, Fence::default());
    let incarnation = first.engine_incarnation;
    drop(first);
    fill(&store, 1..=10).await;
    let upto = store.end();
    let kept = KeptHunt {
        hunt: id("a"),
        upto,
        snapshot: b"the whole of a".as_slice().into(),
        ruleset_hash: "hash".to_owned(),
        ruleset: b"rules".as_slice().into(),
    };
    store.put_snapshot(kept.clone());
    fill(&store, 11..=12).await;
    let fence = Fence {
        ledger_id: "shard-1".to_owned(),
        router_incarnation: 7,
        epoch: 9,
    };
    store.put_fence(&fence);
    for gone in ["x", "y", "z", "b"] {
        store.let_go(&id(gone));
    }
    drop(store);

    let (_store, recovery) = open(dir.path());
    assert_eq!(recovery.hunts, [kept]);
    assert_eq!(recovery.fence, fence);
    assert_eq!(
        recovery.gone,
        ["y", "z", "b"].map(id),
        "3 are remembered, the oldest goes"
    );
    assert_ne!(recovery.engine_incarnation, incarnation);
    let rows: Result<Vec<_>, _> = recovery.rows.collect();
    let entries: Vec<_> = rows.expect("whole rows").into_iter().flatten().collect();
    let places: Vec<_> = entries.iter().map(|(place, _)| place.0).collect();
    assert_eq!(places, (0..24).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_hunt_is_unsnapped_from_its_first_record_that_no_snapshot_holds() {
    let dir = tempfile::tempdir().expect("a directory");
    let (store, _) = open(dir.path());
    fill(&store, 1..=10).await;
    assert_eq!(store.unsnapped(Place(0)), []);
    assert_eq!(store.unsnapped(Place(1)), [id("a")]);
    let snapshot = |upto| KeptHunt {
        hunt: id("a"),
        upto,
        snapshot: b"a".as_slice().into(),
        ruleset_hash: "hash".to_owned(),
        ruleset: b"rules".as_slice().into(),
    };
    store.put_snapshot(snapshot(store.end()));
    assert_eq!(store.unsnapped(store.end()), [id("b")]);
    fill(&store, 11..=11).await;
    let earliest_first = [id("b"), id("a")];
    assert_eq!(store.unsnapped(Place(21)), earliest_first);
    store.let_go(&id("a"));
    assert_eq!(store.unsnapped(Place(100)), [id("b")]);
}

#[tokio::test]
async fn a_reader_behind_the_retention_is_told_once_and_goes_on() {
    let dir = tempfile::tempdir().expect("a directory");
    let settings = StoreSettings {
        retain_bytes: 1,
        ..settings()
    };
    let (store, _) = Store::open(dir.path(), settings).expect("a new journal");
    fill(&store, 1..=10).await;
    let early = read(&store, Start::Oldest).await.cursor;
    assert_eq!(store.overdue(), Place(0));
    fill(&store, 11..=40_000).await;
    // Nothing is dropped that recovery needs, and it is told: both hunts are to be kept another way first.
    let overdue = async {
        // The block of the last record stays: others follow.
        let mut sequence = 40_000;
        while store.overdue() == Place(0) {
            sequence += 1;
            fill(&store, sequence..=sequence).await;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(PROMPT, overdue).await.expect("told");
    assert_eq!(store.kept().dropped, 0);
    assert_eq!(store.unsnapped(store.overdue()).len(), 2);
    for hunt in ["a", "b"] {
        store.let_go(&id(hunt));
    }
    let dropped = async {
        while store.kept().dropped == 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(PROMPT, dropped).await.expect("retention");
    let page = read(&store, Start::At(early)).await;
    assert!(page.gap);
    assert!(!read(&store, Start::At(page.cursor)).await.gap);
    assert_eq!(store.get(&id("a"), 1).await, Ok(None));
}

#[tokio::test]
async fn below_the_reserve_nothing_is_reserved_and_reads_go_on() {
    let dir = tempfile::tempdir().expect("a directory");
    let (store, _) = open(dir.path());
    fill(&store, 1..=3).await;
    drop(store);
    let settings = StoreSettings {
        reserve_bytes: u64::MAX,
        ..settings()
    };
    let (store, _) = Store::open(dir.path(), settings).expect("a whole journal");
    let refused = store.reserve(10).expect_err("no room");
    assert_eq!(refused.limit, "reserve");
    assert_eq!(told(&read(&store, Start::Oldest).await), a_and_b(1..=3));
}

#[tokio::test]
async fn a_sync_is_done_also_where_nothing_is_written() {
    let dir = tempfile::tempdir().expect("a directory");
    let (store, _) = open(dir.path());
    timeout(PROMPT, store.synced()).await.expect("a sync");
    fill(&store, 1..=1).await;
    timeout(PROMPT, store.synced()).await.expect("a sync");
}

/// The write-ahead file of the records: the one that is there, once none is set aside.
fn write_ahead(dir: &Path) -> PathBuf {
    files(&dir.join("records"), ".jnl").remove(0)
}

/// A journal of 40 commits, with what its write-ahead file holds. Room that was set aside is given back, as a restart does.
async fn forty_commits(dir: &Path) -> Vec<u8> {
    let (store, _) = open(dir);
    for sequence in 1..=20 {
        fill(&store, sequence..=sequence).await;
    }
    drop(store);
    trim_write_ahead(dir);
    fs::read(write_ahead(dir)).expect("a file")
}

fn try_open(dir: &Path) -> Result<(Vec<String>, u64), Damage> {
    let (_store, recovery) = Store::open(dir, settings())?;
    let rows: Result<Vec<_>, _> = recovery.rows.collect();
    let text =
        |(_, entry): &(Place, Entry)| String::from_utf8(entry.record.to_vec()).expect("text");
    Ok((
        rows?.iter().flatten().map(text).collect(),
        recovery.torn_bytes,
    ))
}

#[tokio::test]
async fn a_torn_end_is_cut_and_counted_and_all_before_it_is_there() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut bytes = forty_commits(dir.path()).await;
    // The beginning of a commit that nobody was told of.
    bytes.extend_from_within(..30);
    fs::write(write_ahead(dir.path()), &bytes).expect("a write");
    let (records, torn_bytes) = try_open(dir.path()).expect("a torn end is no damage");
    assert_eq!(records, a_and_b(1..=20));
    assert!(torn_bytes > 0);
    let (again, torn_bytes) = try_open(dir.path()).expect("it was cut off");
    assert_eq!((again, torn_bytes), (records, 0));
}

/// A file that is set aside says nothing of the one before it; one that was begun says that it was whole.
#[tokio::test]
async fn a_torn_end_is_damage_only_where_a_later_file_was_begun() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut bytes = forty_commits(dir.path()).await;
    let path = write_ahead(dir.path());
    let later = path.with_file_name("1000.jnl");
    bytes.extend_from_within(..30);
    fs::write(&path, &bytes).expect("a write");
    fs::write(&later, [0, 0, 0, 1]).expect("a write");
    let damage = try_open(dir.path()).expect_err("damage");
    assert!(
        damage.at.starts_with(&path.display().to_string()),
        "{damage}"
    );
    fs::write(&later, [0; 1024]).expect("a write");
    let (records, torn_bytes) = try_open(dir.path()).expect("a torn end is no damage");
    assert!(torn_bytes > 0);
    assert_eq!(records, a_and_b(1..=20));
}

#[tokio::test]
async fn an_end_that_is_missing_is_refused_where_the_state_knew_of_it() {
    let dir = tempfile::tempdir().expect("a directory");
    let bytes = forty_commits(dir.path()).await;
    fs::write(write_ahead(dir.path()), &bytes[..bytes.len() - 5]).expect("a write");
    let damage = try_open(dir.path()).expect_err("the last record is lost");
    assert!(damage.what.contains("up to place 40"), "{damage}");
}

#[tokio::test]
async fn damage_before_good_records_is_refused_with_file_and_offset() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut bytes = forty_commits(dir.path()).await;
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    let path = write_ahead(dir.path());
    fs::write(&path, &bytes).expect("a write");
    let damage = try_open(dir.path()).expect_err("damage");
    assert!(
        damage.at.starts_with(&path.display().to_string()),
        "{damage}"
    );
    assert!(damage.at.contains("offset"), "{damage}");
    let after = fs::read(&path).expect("a file");
    assert_eq!(after, bytes, "nothing was cut off");
}

/// A sample of all cuts and flips; the long form takes each one.
#[tokio::test]
async fn a_cut_or_flipped_journal_is_whole_or_refused() {
    let dir = tempfile::tempdir().expect("a directory");
    let bytes = forty_commits(dir.path()).await;
    let whole = a_and_b(1..=20);
    let step = if std::env::var_os("JOURNAL_BITS").is_some() {
        1
    } else {
        97
    };
    let path = write_ahead(dir.path());
    let damaged = |bytes: &[u8], what: &str| {
        // In memory where that can be: there is nothing about syncs here, and many of them.
        let copy = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir());
        let copy = copy.expect("a directory");
        copy_dir(dir.path(), copy.path());
        let path = copy
            .path()
            .join(path.strip_prefix(dir.path()).expect("inside"));
        fs::write(path, bytes).expect("a write");
        if let Ok((records, _)) = try_open(copy.path()) {
            assert_eq!(records, whole, "{what}");
        }
    };
    for len in (0..bytes.len()).step_by(step) {
        damaged(&bytes[..len], &format!("cut to {len}"));
    }
    for bit in (0..bytes.len() * 8).step_by(step * 8 + 1) {
        let mut bytes = bytes.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        damaged(&bytes, &format!("bit {bit}"));
    }
}

#[tokio::test]
async fn a_journal_that_is_built_of_anothers_contents_recovers_the_same_from_place_0() {
    let dir = tempfile::tempdir().expect("a directory");
    let (one, other) = (dir.path().join("one"), dir.path().join("other"));
    let drops = StoreSettings {
        retain_bytes: 1,
        ..settings()
    };
    let (store, _) = Store::open(&one, drops).expect("a new journal");
    fill(&store, 1..=35_000).await;
    let kept = |hunt: &str, upto| KeptHunt {
        hunt: id(hunt),
        upto,
        snapshot: format!("the whole of {hunt}").into_bytes().into(),
        ruleset_hash: "hash".to_owned(),
        ruleset: b"rules".as_slice().into(),
    };
    let fence = Fence {
        ledger_id: "shard-1".to_owned(),
        router_incarnation: 7,
        epoch: 9,
    };
    store.put_snapshot(kept("a", store.end()));
    store.put_fence(&fence);
    // Gone, and over the ids that are remembered, as `d` and `e` are later: its records are to bring nothing back.
    for gone in ["b", "x", "y", "z"] {
        store.let_go(&id(gone));
    }
    let dropped = async {
        // The block of the last record stays: others follow.
        for sequence in 1.. {
            append(&store, "e", sequence);
            store.let_go(&id("e")); // so that recovery needs none before the last
            if store.kept().dropped > 0 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(PROMPT, dropped).await.expect("retention");
    fill(&store, 35_001..=40_000).await;
    let upto = store.end();
    store.put_snapshot(kept("a", upto));
    store.let_go(&id("b"));
    let cursor = read(&store, Start::Oldest).await.cursor;
    let last = append(&store, "d", 1);
    timeout(PROMPT, store.durable(last)).await.expect("durable");
    for gone in ["d", "e", "x", "y", "z"] {
        store.let_go(&id(gone));
    }
    append(&store, "a", 40_001);
    let last = append(&store, "c", 1);
    timeout(PROMPT, store.durable(last)).await.expect("durable");
    let records = store.end().0 - store.kept_from().0;
    let told_by = told(&read(&store, Start::Oldest).await);
    let known = async {
        loop {
            let contents = store.contents().expect("a whole journal");
            if contents.head.recovery_start == Place(records - 2) {
                return contents;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let contents = timeout(PROMPT, known).await.expect("where recovery begins");
    assert_eq!(contents.head.records, records);
    let shifted = store.kept_from().0;
    let path = other.clone();
    let build = move || Store::build(&path, &contents.head, contents.parts);
    tokio::task::spawn_blocking(build)
        .await
        .expect("no panic")
        .expect("built");

    let (store, recovery) = open(&other);
    assert_eq!(recovery.hunts, [kept("a", Place(upto.0 - shifted))]);
    assert_eq!(recovery.fence, fence);
    assert_eq!(recovery.gone, ["x", "y", "z"].map(id));
    let rows: Result<Vec<_>, _> = recovery.rows.collect();
    let entries: Vec<_> = rows.expect("whole rows").into_iter().flatten().collect();
    let played: Vec<_> = entries.into_iter().map(|(_, entry)| entry).collect();
    let needed = [
        common::records::entry("a", 40_001),
        common::records::entry("c", 1),
    ];
    assert_eq!(played, needed);
    assert_eq!(told(&read(&store, Start::Oldest).await), told_by);
    assert!(
        read(&store, Start::At(cursor)).await.gap,
        "a cursor of another journal"
    );
    found(&store, "a", 35_001).await;
    found(&store, "c", 1).await;
}
