//! Answered means kept: the process is killed with -9 under load, again and again, and at each step of a commit and
//! of a recovery.
//!
//! `RESTART_CYCLES=600` is the long form.

mod common;

use std::{os::unix::process::ExitStatusExt as _, path::Path, time::Duration};

use common::{
    Sidecar, eventually,
    files::files,
    load::{Caller, HUNTS, Load, audit, hunts, kill, start},
};

/// SIGABRT, by which a process ends at a crash point.
const ABORTED: i32 = 6;

/// The steps of a recovery, in their order, up to the one at which the process is ready. Steps that are there for
/// each hunt or record are crashed in their midst.
const RECOVERY: [&str; 13] = [
    "looked_at=return",
    "state_opened=return",
    "opened=return",
    "snapshots_read=return",
    "loaded=2*off->return",
    "row_read=5*off->return",
    "rows_read=return",
    "put=2*off->return",
    "fence=return",
    "fence_kept=return",
    "claim=2*off->return",
    "claimed=2*off->return",
    "all_claimed=return",
];

/// What the thread beside the recovery does once it was read.
const AFTER_RECOVERY: [&str; 2] = ["recovery_start=return", "recovery_start_kept=return"];

#[tokio::test(flavor = "multi_thread")]
async fn a_process_killed_again_and_again_under_load_loses_and_doubles_nothing() {
    let cycles = std::env::var("RESTART_CYCLES").map_or(30, |n| n.parse().expect("a number"));
    let dir = tempfile::tempdir().expect("a directory");
    let mut sidecar = start(dir.path(), "").ready();
    let mut callers = hunts(&sidecar).await;
    for _ in 0..cycles {
        let load = Load::begin(&sidecar, callers).await;
        load.answered(300).await;
        kill(sidecar);
        callers = load.callers().await;
        sidecar = start(dir.path(), "").ready();
    }
    audit(&sidecar, &callers).await;
    let answered: usize = callers.iter().map(|caller| caller.answered.len()).sum();
    assert!(
        answered as u64 > cycles * 100,
        "{answered} answered in {cycles} cycles"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_killed_at_any_step_of_a_commit_loses_and_doubles_nothing() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut sidecar = start(dir.path(), "").ready();
    let mut callers = hunts(&sidecar).await;
    for at in ["write", "written", "synced", "snapshot"] {
        kill(sidecar);
        sidecar = start(dir.path(), &format!("{at}=40*off->pause")).ready();
        let load = Load::begin(&sidecar, callers).await;
        load.answered(20).await;
        still(&load).await;
        kill(sidecar);
        callers = load.callers().await;
        sidecar = start(dir.path(), "").ready();
        audit(&sidecar, &callers).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_killed_at_any_step_of_a_recovery_loses_and_doubles_nothing() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut callers = snapped(dir.path()).await;
    for at in RECOVERY {
        // Records that the snapshots do not hold, so that there is something to play.
        let sidecar = start(dir.path(), "").ready();
        callers = play(&sidecar, callers).await;
        kill(sidecar);
        crash(dir.path(), at);
        let sidecar = start(dir.path(), "").ready();
        audit(&sidecar, &callers).await;
        kill(sidecar);
    }
    for at in AFTER_RECOVERY {
        let mut sidecar = start(dir.path(), at).ready();
        let load = Load::begin(&sidecar, callers).await;
        assert_eq!(sidecar.ended().signal(), Some(ABORTED), "{at}");
        callers = load.callers().await;
        let sidecar = start(dir.path(), "").ready();
        audit(&sidecar, &callers).await;
        kill(sidecar);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_killed_while_it_began_its_journal_begins_it_again() {
    let dir = tempfile::tempdir().expect("a directory");
    crash(dir.path(), "begun=return");
    assert!(!dir.path().join("journal").exists(), "no half of one");
    let callers = snapped(dir.path()).await;
    let sidecar = start(dir.path(), "").ready();
    audit(&sidecar, &callers).await;
}

/// Three crashes of a recovery for one under load, each crash at the next step.
#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_crashes_ten_times_in_a_row_loses_and_doubles_nothing() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut callers = snapped(dir.path()).await;
    let mut steps = RECOVERY.into_iter().cycle();
    for _ in 0..3 {
        let mut crashes = 0;
        while crashes < 10 {
            for at in steps.by_ref().take(3) {
                crash(dir.path(), at);
            }
            let sidecar = start(dir.path(), "").ready();
            let load = Load::begin(&sidecar, callers).await;
            load.answered(100).await;
            kill(sidecar);
            callers = load.callers().await;
            crashes += 4;
        }
        let sidecar = start(dir.path(), "").ready();
        audit(&sidecar, &callers).await;
        kill(sidecar);
    }
}

/// Hunts that all have a snapshot, from a clean stop.
async fn snapped(dir: &Path) -> Vec<Caller> {
    let mut sidecar = start(dir, "").ready();
    let callers = hunts(&sidecar).await;
    let callers = play(&sidecar, callers).await;
    sidecar.terminate();
    assert_eq!(sidecar.ended().code(), Some(0));
    callers
}

async fn play(sidecar: &Sidecar, callers: Vec<Caller>) -> Vec<Caller> {
    let load = Load::begin(sidecar, callers).await;
    load.answered(100).await;
    load.callers().await
}

/// A start that ends at a crash point, before it is ready.
fn crash(dir: &Path, at: &str) {
    let (status, log) = start(dir, at).ended();
    assert_eq!(status.signal(), Some(ABORTED), "{at}: {log}");
}

/// Waits until nothing is answered any more, or a second has passed: a step beside the commit stops nobody.
async fn still(load: &Load) {
    for _ in 0..10 {
        let before = load.answers();
        tokio::time::sleep(Duration::from_millis(100)).await;
        if load.answers() == before {
            return;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_that_failed_answers_nobody_and_ends_the_process_which_then_recovers() {
    ends_by_itself("commit=60*off->return", "cannot be written").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_journal_whose_writer_panicked_ends_the_process_which_then_recovers() {
    ends_by_itself("written=60*off->panic", "a thread of the journal panicked").await;
}

/// The process ends with 1 when the fault is met, and says so; what was answered is kept.
async fn ends_by_itself(failpoint: &str, says: &str) {
    let dir = tempfile::tempdir().expect("a directory");
    let mut sidecar = start(dir.path(), failpoint).ready();
    let callers = hunts(&sidecar).await;
    let load = Load::begin(&sidecar, callers).await;
    let status = sidecar.ended();
    assert_eq!(status.code(), Some(1), "{}", sidecar.log());
    assert!(sidecar.log().contains(says), "{}", sidecar.log());
    let callers = load.callers().await;
    let sidecar = start(dir.path(), "").ready();
    audit(&sidecar, &callers).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clean_stop_leaves_nothing_to_replay() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut sidecar = start(dir.path(), "").ready();
    let load = Load::begin(&sidecar, hunts(&sidecar).await).await;
    load.answered(200).await;
    let callers = load.callers().await;
    sidecar.terminate();
    assert_eq!(sidecar.ended().code(), Some(0));
    drop(sidecar);
    let sidecar = start(dir.path(), "").ready();
    audit(&sidecar, &callers).await;
    eventually(|| {
        let log = sidecar.log();
        let line = log.lines().find(|line| line.contains("\"recovered\""));
        let line = line.ok_or_else(|| format!("no line of the recovery in {log}"))?;
        assert!(line.contains("\"replayed\":0"), "{line}");
        Ok(())
    });
}

/// What is refused at the start names where, and what to type.
#[test]
fn a_damaged_journal_is_refused_with_65_and_what_to_type_next() {
    let dir = tempfile::tempdir().expect("a directory");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let sidecar = start(dir.path(), "").ready();
    runtime.block_on(async {
        let load = Load::begin(&sidecar, hunts(&sidecar).await).await;
        load.answered(100).await;
        load.callers().await
    });
    kill(sidecar);
    let records = dir.path().join("journal/records");
    let path = files(&records, ".jnl").remove(0);
    let mut bytes = std::fs::read(&path).expect("a file");
    bytes[300] ^= 1;
    std::fs::write(&path, bytes).expect("a write");

    let shown = dir.path().display().to_string();
    let refused = [
        vec!["serve", "--listen=tcp:127.0.0.1:0", "--data-dir", &shown],
        vec!["journal", "verify", &shown],
    ];
    for args in refused {
        let (code, _, said) = common::run(&args, &[]);
        assert_eq!(code, Some(65), "{said}");
        assert!(said.contains(&path.display().to_string()), "{said}");
        assert!(said.contains("player-state journal verify"), "{said}");
    }
}

#[test]
fn a_whole_journal_is_verified_and_exported() {
    let dir = tempfile::tempdir().expect("a directory");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let sidecar = start(dir.path(), "").ready();
    let callers = runtime.block_on(async {
        let load = Load::begin(&sidecar, hunts(&sidecar).await).await;
        load.answered(100).await;
        load.callers().await
    });
    let shown = dir.path().display().to_string();
    let (code, _, said) = common::run(&["journal", "verify", &shown], &[]);
    assert_eq!(code, Some(75), "a running process holds it: {said}");
    kill(sidecar);
    let (code, json, said) = common::run(&["journal", "verify", &shown, "-o", "json"], &[]);
    assert_eq!(code, Some(0), "{said}");
    let found: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(found["hunts"], HUNTS);
    let answered: usize = callers.iter().map(|caller| caller.answered.len()).sum();
    assert!(
        found["records"].as_u64() >= Some(answered as u64 + HUNTS),
        "{json}"
    );
}
