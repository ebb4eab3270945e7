//! Answered means kept, through a power cut: ext4 on a loop image is shut down under load, so that whatever was
//! not synced is gone, and the journal is recovered from what the image then has.
//!
//! Needs root and a loop device; without them the test is skipped aloud. `POWER_CUTS=200` is the long form.

mod common;

use std::{
    fs::{self, OpenOptions},
    io::Write as _,
    path::{Path, PathBuf},
    process::Command,
};

use common::{
    Sidecar,
    load::{Load, audit, hunts, kill, lost, start},
};
use rustix::process::Signal;

/// ext4's ioctl that stops all writing at once, and its flag for "without flushing the file system's own log".
const SHUTDOWN: &str = "import fcntl, os, struct, sys
fcntl.ioctl(os.open(sys.argv[1], os.O_RDONLY), 0x8004587d, struct.pack('I', 2))";

/// A file system of its own, on a loop device.
struct Disk {
    dir: tempfile::TempDir,
}

fn run(command: &str, args: &[&Path]) -> Result<(), String> {
    let mut words = command.split(' ');
    let mut command = Command::new(words.next().expect("a program"));
    let output = command.args(words).args(args).output();
    let output = output.map_err(|err| format!("{command:?}: {err}"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!(
        "{command:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    ))
}

impl Disk {
    /// Made and mounted, or why that cannot be here.
    fn new() -> Result<Self, String> {
        let dir =
            tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).map_err(|err| err.to_string())?;
        let disk = Self { dir };
        let image = fs::File::create(disk.image()).map_err(|err| err.to_string())?;
        image.set_len(1 << 30).map_err(|err| err.to_string())?;
        fs::create_dir(disk.path()).map_err(|err| err.to_string())?;
        run("mkfs.ext4 -q", &[&disk.image()])?;
        disk.mount()?;
        Ok(disk)
    }

    fn image(&self) -> PathBuf {
        self.dir.path().join("image")
    }

    fn path(&self) -> PathBuf {
        self.dir.path().join("disk")
    }

    fn mount(&self) -> Result<(), String> {
        run("mount -o loop", &[&self.image(), &self.path()])
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

    fn back(&self) {
        run("umount", &[&self.path()]).expect("unmounted");
        self.mount().expect("mounted again");
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

impl Drop for Disk {
    fn drop(&mut self) {
        // Not mounted, if its making failed on the way.
        let _ = run("umount", &[&self.path()]);
    }
}

/// A disk, or `None` with a line for the count of what was skipped.
fn disk(test: &str) -> Option<Disk> {
    match Disk::new() {
        Ok(disk) => Some(disk),
        Err(why) => {
            eprintln!("SKIPPED: {test}: {why}");
            if let Some(path) = std::env::var_os("SKIPPED_FILE") {
                let file = OpenOptions::new().create(true).append(true).open(path);
                writeln!(file.expect("the file of skipped tests"), "{test}: {why}")
                    .expect("a line");
            }
            None
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_answered_survives_a_power_cut() {
    let Some(disk) = disk("power cuts") else {
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
    let Some(disk) = disk("the counter-proof of power cuts") else {
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
