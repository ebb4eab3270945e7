//! Answered means kept, through a power cut: ext4 on a loop image is shut down under load, so that whatever was
//! not synced is gone, and the journal is recovered from what the image then has.
//!
//! Needs root and a loop device; without them the test is skipped aloud. `POWER_CUTS=200` is the long form.

mod common;

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use common::{
    Sidecar,
    disk::{self, Mount, ext4},
    load::{Load, audit, hunts, kill, lost, start},
};
use rustix::process::Signal;

/// ext4's ioctl that stops all writing at once, and its flag for "without flushing the file system's own log".
const SHUTDOWN: &str = "import fcntl, os, struct, sys
fcntl.ioctl(os.open(sys.argv[1], os.O_RDONLY), 0x8004587d, struct.pack('I', 2))";

/// A file system of its own, on a loop device.
struct Disk {
    mount: Option<Mount>,
    dir: tempfile::TempDir,
}

impl Disk {
    /// Made and mounted, or why that cannot be here.
    fn new() -> Result<Self, String> {
        let dir = disk::dir();
        ext4(&image(dir.path()), 1 << 30)?;
        let mut disk = Self { mount: None, dir };
        disk.mount = Some(disk.mounted()?);
        Ok(disk)
    }

    fn path(&self) -> PathBuf {
        self.dir.path().join("disk")
    }

    fn mounted(&self) -> Result<Mount, String> {
        Mount::image(&self.path(), &image(self.dir.path()))
    }

    /// Nothing that is not on the disk by now will ever be. A power cut stops programs too, at once and first: a
    /// sync that ext4's shutdown catches on its way may say that all is well (seen with a bare file).
    fn cut(&self, mut sidecar: Sidecar) {
        stop(&sidecar);
        let output = Command::new("python3")
            .arg("-c")
            .arg(SHUTDOWN)
            .arg(self.path())
            .output();
        let output = output.expect("python3");
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        sidecar.signal(Signal::KILL);
        sidecar.ended();
    }

    fn back(&mut self) {
        self.mount = None;
        self.mount = Some(self.mounted().expect("mounted again"));
    }
}

/// Stops every thread of the process where it is.
fn stop(sidecar: &Sidecar) {
    sidecar.signal(Signal::STOP);
    let threads = PathBuf::from(format!("/proc/{}/task", sidecar.pid()));
    let stopped = |thread: fs::DirEntry| {
        let stat = fs::read_to_string(thread.path().join("stat")).unwrap_or_default();
        stat.rsplit(") ")
            .next()
            .is_some_and(|state| state.starts_with('T'))
    };
    let all = || {
        let threads = fs::read_dir(&threads).expect("the process is there");
        threads.flatten().all(stopped)
    };
    while !all() {
        std::thread::yield_now();
    }
}

fn image(dir: &Path) -> PathBuf {
    dir.join("image")
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_answered_survives_a_power_cut() {
    let Some(mut disk) = disk::or_skipped("power cuts", Disk::new()) else {
        return;
    };
    let cuts = std::env::var("POWER_CUTS").map_or(5, |n| n.parse().expect("a number"));
    let data = disk.path().join("data");
    let mut sidecar = start(&data, "").ready();
    let mut callers = hunts(&sidecar).await;
    for _ in 0..cuts {
        let load = Load::begin(&sidecar, callers).await;
        load.answered(300).await;
        disk.cut(sidecar);
        callers = load.callers().await;
        disk.back();
        sidecar = start(&data, "").ready();
        audit(&sidecar, &callers).await;
    }
    kill(sidecar);
}

/// The counter-proof: without a sync the same cut loses what was answered last.
#[tokio::test(flavor = "multi_thread")]
async fn without_a_sync_the_same_power_cut_loses_answers() {
    let Some(mut disk) = disk::or_skipped("the counter-proof of power cuts", Disk::new()) else {
        return;
    };
    let data = disk.path().join("data");
    let sidecar = start(&data, "").ready();
    let callers = hunts(&sidecar).await;
    kill(sidecar); // the hunts themselves are kept

    let sidecar = start(&data, "").arg("--durability=none").ready();
    let load = Load::begin(&sidecar, callers).await;
    load.answered(300).await;
    disk.cut(sidecar);
    let callers = load.callers().await;
    disk.back();
    let sidecar = start(&data, "").ready();
    assert!(
        lost(&sidecar, &callers).await > 0,
        "unsynced data was really gone"
    );
    kill(sidecar);
}
