//! Answered means kept, on a disk that fails: full at the reserve, full past it, and one that cannot write what it took.
//!
//! Needs root, for file systems of its own; without it the tests are skipped aloud.

mod common;

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use common::{
    PATIENCE,
    disk::{self, Mount, ext4},
    game::{Game, join, settings},
    load::{Load, audit, hunt, hunts, kill, start},
};
use player_state::pb::{HuntSettings, Outcome, Refusal, Verdict, refusal::Reason};
use tonic::Code;

const MIB: u64 = 1 << 20;

/// Asks again and again until the answer is as wanted.
async fn until(game: &Game, player: u64, wanted: impl Fn(&Outcome) -> bool) -> Outcome {
    let asked = async {
        for request in 1.. {
            let outcome = game.apply(join(&hunt(0), player, request)).await;
            let outcome = outcome.expect("an outcome");
            if wanted(&outcome) {
                return outcome;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        unreachable!("requests do not run out");
    };
    tokio::time::timeout(PATIENCE, asked)
        .await
        .expect("the wanted outcome")
}

#[tokio::test(flavor = "multi_thread")]
async fn at_the_reserve_writes_are_refused_and_reads_go_on_until_there_is_room() {
    let dir = disk::dir();
    let mount = Mount::in_memory(&dir.path().join("disk"), 64 * MIB);
    let Some(mount) = disk::or_skipped("a disk at its reserve", mount) else {
        return;
    };
    let data = mount.path().join("data");
    let sidecar = start(&data, "").arg("--reserve=16MiB").ready();
    let load = Load::begin(&sidecar, hunts(&sidecar).await).await;
    load.answered(100).await;
    let callers = load.callers().await;

    let ballast = mount.fill(8 * MIB);
    let game = Game::new(sidecar.connect().await);
    let is_refused = |outcome: &Outcome| outcome.verdict() == Verdict::Refused;
    let refused = until(&game, 50, is_refused).await;
    let refusal: Refusal = refused.refusal.expect("a refusal");
    assert_eq!(refusal.reason(), Reason::Overloaded);
    assert!(refusal.detail.contains("reserve"), "{refusal:?}");
    let created = game.create("another", settings()).await;
    let created = created.expect_err("a refusal");
    assert_eq!(created.code(), Code::ResourceExhausted);
    let ended = game.end(&hunt(0)).await.expect_err("a refusal");
    assert_eq!(ended.code(), Code::ResourceExhausted);
    audit(&sidecar, &callers).await; // which reads all hunts and the whole feed

    fs::remove_file(ballast).expect("room again");
    until(&game, 51, |outcome| outcome.verdict() == Verdict::Applied).await;
    let load = Load::begin(&sidecar, callers).await;
    load.answered(100).await;
    let callers = load.callers().await;
    kill(sidecar);
    let sidecar = start(&data, "").arg("--reserve=16MiB").ready();
    audit(&sidecar, &callers).await;
    kill(sidecar);
}

/// So fast that the reserve does not see it coming, and with more and less left for what is under way.
#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_is_full_past_the_reserve_ends_the_process_which_then_recovers() {
    let dir = disk::dir();
    let mount = Mount::in_memory(&dir.path().join("disk"), 64 * MIB);
    let Some(mount) = disk::or_skipped("a full disk", mount) else {
        return;
    };
    let data = mount.path().join("data");
    let unseen = || start(&data, "look=return").arg("--reserve=1MiB");
    let sidecar = unseen().ready();
    let mut callers = hunts(&sidecar).await;
    kill(sidecar);
    for left in [0, 4 << 10, 32 << 10, 128 << 10, 512 << 10] {
        let mut sidecar = unseen().ready();
        let load = Load::begin(&sidecar, callers).await;
        load.answered(100).await;
        let ballast = mount.fill(left);
        let status = sidecar.ended();
        let log = sidecar.log();
        assert_eq!(status.code(), Some(1), "{left} bytes left: {log}");
        assert!(log.contains("cannot be written"), "{log}");
        assert!(log.contains("StorageFull"), "{log}");
        callers = load.callers().await;

        // Started again before there is room: it may wait for that or end again, and says that it is no damage.
        let code = start(&data, "").arg("--reserve=1MiB").tried();
        assert!(matches!(code, None | Some(1)), "{left}: {code:?}");

        fs::remove_file(ballast).expect("room again");
        let sidecar = unseen().ready();
        audit(&sidecar, &callers).await;
        kill(sidecar);
    }
}

/// Hunts with rulesets of 64 KiB are created until the table that fjall writes beside its write-ahead file has no room.
#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_cannot_be_written_ends_the_process_which_then_recovers() {
    let dir = disk::dir();
    let mount = Mount::in_memory(&dir.path().join("disk"), 64 * MIB);
    let Some(mount) = disk::or_skipped("a table without room", mount) else {
        return;
    };
    let rules = dir.path().join("rules");
    fs::create_dir(&rules).expect("a directory");
    fs::write(rules.join("long.toml"), long_ruleset()).expect("a file");
    let data = mount.path().join("data");
    let begin = || {
        let start = start(&data, "look=return").arg("--reserve=1MiB");
        start.arg(&format!("--rules={}", rules.display()))
    };
    let mut sidecar = begin().ready();
    let game = Game::new(sidecar.connect().await);
    let ballast = mount.fill(7 * MIB);
    let long = HuntSettings {
        ruleset: "long".to_owned(),
        ..settings()
    };
    let mut created = 0;
    while game
        .create(&format!("long-{created}"), long.clone())
        .await
        .is_ok()
    {
        created += 1;
    }
    let status = sidecar.ended();
    let log = sidecar.log();
    assert_eq!(status.code(), Some(1), "{log}");
    assert!(
        log.contains("as a table could not be"),
        "it was the table: {log}"
    );
    assert!(log.contains("StorageFull"), "{log}");
    drop(sidecar);
    fs::remove_file(ballast).expect("room again");
    let sidecar = begin().ready();
    let game = Game::new(sidecar.connect().await);
    for n in 0..created {
        game.hunt(&format!("long-{n}"), 0).await.expect("the hunt");
    }
    kill(sidecar);
}

/// A ruleset as long as may be, that cannot be compressed well.
fn long_ruleset() -> String {
    let mut text =
        "[[power_up]]\nname = \"hush\"\nweight = 1\ntarget = \"self\"\ncooldown_ms = 1\n\
                    effects = [{ kind = \"cleanse\" }]\n#"
            .to_owned();
    let mut seed = 1_u64;
    while text.len() < 60 << 10 {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        text.push(char::from(b' ' + (seed >> 57) as u8 % 95));
    }
    text
}

/// ext4 on an image that cannot grow: what the system took is written when it is synced, and then it is too late to
/// refuse it.
struct Thin {
    disk: Option<Mount>,
    below: Mount,
    dir: tempfile::TempDir,
}

impl Thin {
    fn new() -> Result<Self, String> {
        let dir = disk::dir();
        let below = Mount::in_memory(&dir.path().join("below"), 128 * MIB)?;
        ext4(&below.path().join("image"), 512 * MIB)?;
        let mut thin = Self {
            disk: None,
            below,
            dir,
        };
        thin.disk = Some(thin.mounted()?);
        Ok(thin)
    }

    fn mounted(&self) -> Result<Mount, String> {
        let image = self.below.path().join("image");
        let mount = Mount::image(&self.dir.path().join("disk"), &image)?;
        // Page by page: of a write that it did a part of, the loop device says that all is well.
        let device = disk::device_of(&image)?;
        let pages = format!("/sys/block/{device}/queue/max_sectors_kb");
        fs::write(&pages, "4").map_err(|err| format!("{pages}: {err}"))?;
        Ok(mount)
    }

    fn data(&self) -> PathBuf {
        self.dir.path().join("disk/data")
    }

    /// Has the room again that it lacked, is checked as at a boot, and reads what it has then.
    fn heal(&mut self, ballast: &Path) {
        fs::remove_file(ballast).expect("room again");
        self.disk = None;
        // Answers 1 where it cleared the mark of the fault.
        let _ = disk::run("e2fsck -p", &[&self.below.path().join("image")]);
        self.disk = Some(self.mounted().expect("mounted again"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sync_that_fails_ends_the_process_which_then_recovers() {
    let Some(mut thin) = disk::or_skipped("a disk that fails", Thin::new()) else {
        return;
    };
    let sidecar = start(&thin.data(), "").arg("--reserve=1MiB").ready();
    let mut callers = hunts(&sidecar).await;
    kill(sidecar);
    for left in [0, 16 << 10, 64 << 10] {
        let mut sidecar = start(&thin.data(), "").arg("--reserve=1MiB").ready();
        let load = Load::begin(&sidecar, callers).await;
        load.answered(100).await;
        let ballast = thin.below.fill(left);
        let status = sidecar.ended();
        let log = sidecar.log();
        assert_eq!(status.code(), Some(1), "{left} bytes left: {log}");
        assert!(log.contains("cannot be written"), "{log}");
        // Of the data that was not written, of ext4's own log, of ext4 after it.
        let said = [
            "No space left on device",
            "Input/output error",
            "Read-only file system",
        ];
        assert!(said.iter().any(|said| log.contains(said)), "{log}");
        callers = load.callers().await;
        drop(sidecar);
        thin.heal(&ballast);
        let sidecar = start(&thin.data(), "").arg("--reserve=1MiB").ready();
        audit(&sidecar, &callers).await;
        kill(sidecar);
    }
}
