//! A backup is of one moment, of a process that serves too; what is restored from it is what was answered by then, and
//! what is not whole is refused and leaves nothing behind.

mod common;

use std::{fs, io::Write as _, net::TcpStream, path::Path, process::Stdio};

use common::{
    Sidecar, eventually,
    game::Game,
    load::{Load, audit, hunts, kill, start},
    program, run,
};
use player_state::pb::ReadRecordsRequest;

fn shown(path: &Path) -> String {
    path.display().to_string()
}

/// What a command came to: its exit code, and what it said on both outputs.
type Came = (Option<i32>, String, String);

fn verify(dir: &Path) -> Came {
    run(&["journal", "verify", &shown(dir)], &[])
}

fn restore(dir: &Path, file: &Path, more: &[&str]) -> Came {
    let (dir, file) = (shown(dir), shown(file));
    run(
        &[&["journal", "restore", &dir, "--file", &file], more].concat(),
        &[],
    )
}

/// A process on `dir` with some load behind it, killed.
fn leave_a_journal(dir: &Path) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let sidecar = start(dir, "").ready();
    runtime.block_on(async {
        let load = Load::begin(&sidecar, hunts(&sidecar).await).await;
        load.answered(100).await;
        load.callers().await
    });
    kill(sidecar);
}

/// A backup of what [`leave_a_journal`] leaves.
fn small_backup() -> Vec<u8> {
    let dir = tempfile::tempdir().expect("a directory");
    leave_a_journal(dir.path());
    let file = dir.path().join("backup");
    let (code, said, why) = run(
        &[
            "journal",
            "backup",
            &shown(dir.path()),
            "--file",
            &shown(&file),
        ],
        &[],
    );
    assert_eq!(code, Some(0), "{why}");
    assert!(said.starts_with("saved "), "{said}");
    assert!(!dir.path().join("backup.part").exists());
    fs::read(file).expect("a backup")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_under_load_is_restored_elsewhere_with_all_that_was_answered_before_it() {
    let dir = tempfile::tempdir().expect("a directory");
    let (one, other) = (dir.path().join("one"), dir.path().join("other"));
    let file = dir.path().join("backup");
    let sidecar = start(&one, "").ready();
    let load = Load::begin(&sidecar, hunts(&sidecar).await).await;
    load.answered(300).await;
    let before = load.callers().await;
    let read = ReadRecordsRequest {
        max_records: 50,
        ..ReadRecordsRequest::default()
    };
    let game = Game::new(sidecar.connect().await);
    let page = game.read(read.clone()).await.expect("a page");

    let load = Load::begin(&sidecar, before.clone()).await;
    load.answered(50).await;
    let admin = sidecar.logged("admin");
    let args = [
        "journal",
        "backup",
        "--admin",
        &admin,
        "--file",
        &shown(&file),
        "-o",
        "json",
    ];
    let (code, json, why) = run(&args, &[]);
    assert_eq!(code, Some(0), "{why}");
    let saved: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    load.answered(300).await;
    let callers = load.callers().await;
    audit(&sidecar, &callers).await;
    kill(sidecar);

    let (code, json, why) = restore(&other, &file, &["-o", "json"]);
    assert_eq!(code, Some(0), "{why}");
    let restored: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(restored, saved);
    let (code, _, why) = verify(&other);
    assert_eq!(code, Some(0), "{why}");

    let sidecar = start(&other, "").ready();
    audit(&sidecar, &before).await;
    let game = Game::new(sidecar.connect().await);
    let cursor = ReadRecordsRequest {
        cursor: page.cursor,
        ..read.clone()
    };
    let first = game.read(cursor).await.expect("a page");
    assert!(first.gap, "a cursor of the journal that is no more");
    let cursor = ReadRecordsRequest {
        cursor: first.cursor,
        ..read
    };
    assert!(!game.read(cursor).await.expect("a page").gap);
}

#[test]
fn a_backup_goes_through_a_pipe() {
    let dir = tempfile::tempdir().expect("a directory");
    let (one, other) = (dir.path().join("one"), dir.path().join("other"));
    leave_a_journal(&one);
    let mut save = program()
        .args(["journal", "backup", &shown(&one)])
        .stdout(Stdio::piped())
        .spawn()
        .expect("it runs");
    let restored = program()
        .args(["journal", "restore", &shown(&other)])
        .stdin(save.stdout.take().expect("its output"))
        .output()
        .expect("it runs");
    assert!(save.wait().expect("it ends").success());
    let said = String::from_utf8(restored.stdout).expect("UTF-8");
    assert!(said.contains("is LOST"), "{said}");
    assert_eq!(verify(&one), verify(&other));
}

#[test]
fn a_directory_that_is_held_is_refused_with_what_to_type() {
    let dir = tempfile::tempdir().expect("a directory");
    let _sidecar = start(dir.path(), "").ready();
    let (code, _, why) = run(&["journal", "backup", &shown(dir.path())], &[]);
    assert_eq!(code, Some(75), "{why}");
    assert!(why.contains("--admin"), "{why}");
    let file = dir.path().join("backup");
    fs::write(&file, small_backup()).expect("a write");
    let (code, _, why) = restore(dir.path(), &file, &[]);
    assert_eq!(code, Some(75), "{why}");
}

#[test]
fn what_is_cut_or_flipped_is_refused_by_name_and_nothing_is_written() {
    let whole = small_backup();
    let dir = tempfile::tempdir().expect("a directory");
    let (data, file) = (dir.path().join("data"), dir.path().join("backup"));
    let mut flipped = whole.clone();
    flipped[whole.len() / 2] ^= 1;
    let wrong = [
        (whole[..whole.len() - 1].to_vec(), "cut off"),
        (whole[..whole.len() / 2].to_vec(), "cut off"),
        (Vec::new(), "cut off"),
        (flipped, "damaged"),
        (b"[[power_up]] and so on".to_vec(), "no backup"),
    ];
    for (bytes, says) in wrong {
        fs::write(&file, bytes).expect("a write");
        let (code, _, why) = restore(&data, &file, &[]);
        assert_eq!(code, Some(65), "{why}");
        assert!(why.contains(says) && why.contains(&shown(&file)), "{why}");
        for left in ["journal", "journal.new"] {
            assert!(!data.join(left).exists(), "{left} after {why}");
        }
    }
}

#[test]
fn a_journal_is_not_restored_over_another() {
    let dir = tempfile::tempdir().expect("a directory");
    let (data, file) = (dir.path().join("data"), dir.path().join("backup"));
    fs::write(&file, small_backup()).expect("a write");
    assert_eq!(restore(&data, &file, &[]).0, Some(0));
    let (code, _, why) = restore(&data, &file, &[]);
    assert_eq!(code, Some(78), "{why}");
    assert!(why.contains("move it aside"), "{why}");
    let (code, _, why) = verify(&data);
    assert_eq!(code, Some(0), "{why}");
}

#[test]
fn a_restore_that_is_killed_leaves_no_journal_and_the_next_one_goes_through() {
    let backup = small_backup();
    let dir = tempfile::tempdir().expect("a directory");
    let mut killed = program()
        .args(["journal", "restore", &shown(dir.path())])
        .stdin(Stdio::piped())
        .spawn()
        .expect("it runs");
    let input = killed.stdin.as_mut().expect("its input");
    // All but its end: it has every part, and waits for the word that they are all.
    input.write_all(&backup[..backup.len() - 1]).expect("read");
    eventually(|| match dir.path().join("journal.new/state").exists() {
        true => Ok(()),
        false => Err("it has not begun".to_owned()),
    });
    killed.kill().expect("killed");
    killed.wait().expect("ended");
    assert!(!dir.path().join("journal").exists());
    assert!(dir.path().join("journal.new").exists());

    let file = dir.path().join("backup");
    fs::write(&file, backup).expect("a write");
    let (code, _, why) = restore(dir.path(), &file, &[]);
    assert_eq!(code, Some(0), "{why}");
    assert!(!dir.path().join("journal.new").exists());
    let (code, _, why) = verify(dir.path());
    assert_eq!(code, Some(0), "{why}");
}

/// A request whose answer is not read yet.
fn ask(addr: &str) -> TcpStream {
    let mut stream = TcpStream::connect(addr).expect("a connection");
    write!(
        stream,
        "GET /journal/backup HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n"
    )
    .expect("sent");
    stream
}

#[test]
fn there_is_one_backup_at_a_time_and_a_reader_that_goes_away_ends_it() {
    let dir = tempfile::tempdir().expect("a directory");
    leave_a_journal(dir.path());
    let sidecar = start(dir.path(), "backup=1*sleep(3000)").ready();
    let admin = sidecar.logged("admin");
    let first = ask(&admin);
    let backup = || {
        let file = dir.path().join("backup");
        run(
            &[
                "journal",
                "backup",
                "--admin",
                &admin,
                "--file",
                &shown(&file),
            ],
            &[],
        )
    };
    eventually(|| match backup() {
        (Some(75), _, why) if why.contains("one at a time") => Ok(()),
        other => Err(format!("{other:?}")),
    });
    drop(first);
    eventually(|| match backup() {
        (Some(0), _, _) => Ok(()),
        other => Err(format!("{other:?}")),
    });
    assert!(
        sidecar.log().contains("its reader went away"),
        "{}",
        sidecar.log()
    );
}

#[test]
fn a_process_without_a_journal_says_so_and_none_is_nobody() {
    let sidecar = Sidecar::start(&[]);
    let backup = |addr: &str| run(&["journal", "backup", "--admin", addr], &[]);
    let (code, _, why) = backup(&sidecar.logged("admin"));
    assert_eq!(code, Some(78), "{why}");
    assert!(why.contains("data_dir"), "{why}");
    let addr = sidecar.logged("admin");
    drop(sidecar);
    let (code, _, why) = backup(&addr);
    assert_eq!(code, Some(69), "{why}");
}
