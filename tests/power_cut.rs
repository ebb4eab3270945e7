//! Answered means kept, through a power cut: ext4 on a loop image is shut down under load, so that whatever was
//! not synced is gone, and the journal is recovered from what the image then has.
//!
//! Needs root and a loop device; without them the test is skipped aloud. `POWER_CUTS=200` is the long form.

mod common;

use std::{
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use common::{
    disk::{self, Mount, ext4},
    load::{Load, audit, hunts, kill, lost, start},
};

/// ext4's ioctl that stops all writing at once, and its flag for "without flushing the file system's own log".
const SHUTDOWN: &str = "import fcntl, os, struct, sys
disk = os.open(sys.argv[1], os.O_RDONLY)
print('ready', flush=True)
sys.stdin.readline()
fcntl.ioctl(disk, 0x8004587d, struct.pack('I', 2))";

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

    /// Cuts the power under a load: nothing that is not on the disk by now will ever be. A process whose power is cut
    /// answers nobody any more, and this one does: ext4 may tell it that a sync which the cut met was done. So what is
    /// answered from here on is not relied on.
    fn cut(&self, load: &Load) {
        let mut command = Command::new("python3");
        let command = command.arg("-c").arg(SHUTDOWN).arg(self.path());
        let command = command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut cutter = command.spawn().expect("python3");
        let mut ready = String::new();
        let stdout = cutter.stdout.take().expect("a pipe");
        BufReader::new(stdout)
            .read_line(&mut ready)
            .expect("a line");
        assert_eq!(ready, "ready\n");
        load.doubt();
        drop(cutter.stdin.take()); // it waits for that
        assert!(cutter.wait().expect("a child").success());
    }

    fn back(&mut self) {
        self.mount = None;
        self.mount = Some(self.mounted().expect("mounted again"));
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
        disk.cut(&load);
        let status = sidecar.ended();
        assert_eq!(status.code(), Some(1), "{}", sidecar.log());
        drop(sidecar);
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

    let mut sidecar = start(&data, "").arg("--durability=none").ready();
    let load = Load::begin(&sidecar, callers).await;
    load.answered(300).await;
    disk.cut(&load);
    sidecar.ended();
    drop(sidecar);
    let callers = load.callers().await;
    disk.back();
    let sidecar = start(&data, "").ready();
    assert!(
        lost(&sidecar, &callers).await > 0,
        "unsynced data was really gone"
    );
    kill(sidecar);
}
