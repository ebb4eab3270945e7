//! File systems of a test's own. They need root; where they cannot be, a test is skipped aloud.

use std::{
    fs::{self, OpenOptions},
    io::{ErrorKind, Write as _},
    path::{Path, PathBuf},
    process::Command,
};

use rustix::fs::statvfs;

/// A file system, mounted until it is dropped.
pub struct Mount {
    path: PathBuf,
}

impl Mount {
    /// In memory, of so many bytes, or why that cannot be here.
    pub fn in_memory(path: &Path, bytes: u64) -> Result<Self, String> {
        Self::new(path, &format!("mount -t tmpfs -o size={bytes} tmpfs"), &[])
    }

    /// What an image has, on a loop device, or why that cannot be here.
    pub fn image(path: &Path, image: &Path) -> Result<Self, String> {
        Self::new(path, "mount -o loop", &[image])
    }

    fn new(path: &Path, command: &str, args: &[&Path]) -> Result<Self, String> {
        fs::create_dir_all(path).map_err(|err| err.to_string())?;
        run(command, &[args, &[path]].concat())?;
        let path = path.to_owned();
        Ok(Self { path })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// How many bytes are left.
    pub fn free(&self) -> u64 {
        let disk = statvfs(&self.path).expect("a file system");
        disk.f_bavail * disk.f_frsize
    }

    /// Fills all but `left` bytes with a file, which is to be removed.
    pub fn fill(&self, left: u64) -> PathBuf {
        let path = self.path.join("ballast");
        let mut ballast = fs::File::create(&path).expect("a file");
        let mut bytes = self.free().saturating_sub(left);
        while bytes > 0 {
            let chunk = bytes.min(1 << 16);
            match ballast.write_all(&vec![0; chunk as usize]) {
                Ok(()) => bytes -= chunk,
                Err(err) if err.kind() == ErrorKind::StorageFull => break,
                Err(err) => panic!("{err}"),
            }
        }
        path
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let unmounted = run("umount", &[&self.path]);
        if !std::thread::panicking() {
            unmounted.expect("unmounted");
        }
    }
}

/// An ext4 image of so many bytes, which takes room as it is written.
pub fn ext4(image: &Path, bytes: u64) -> Result<(), String> {
    let file = fs::File::create(image).map_err(|err| err.to_string())?;
    file.set_len(bytes).map_err(|err| err.to_string())?;
    run("mkfs.ext4 -q", &[image])?;
    Ok(())
}

/// The loop device of an image, as /sys calls it.
pub fn device_of(image: &Path) -> Result<String, String> {
    let told = run("losetup --noheadings --output NAME --associated", &[image])?;
    let name = told.trim().strip_prefix("/dev/").map(str::to_owned);
    name.ok_or_else(|| format!("{}: no loop device", image.display()))
}

/// Runs a program, and answers what it says.
pub fn run(command: &str, args: &[&Path]) -> Result<String, String> {
    let mut words = command.split(' ');
    let mut command = Command::new(words.next().expect("a program"));
    let output = command.args(words).args(args).output();
    let output = output.map_err(|err| format!("{command:?}: {err}"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(format!(
        "{command:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    ))
}

/// What was made, or `None` with a line for the count of what was skipped.
pub fn or_skipped<T>(test: &str, made: Result<T, String>) -> Option<T> {
    let why = match made {
        Ok(made) => return Some(made),
        Err(why) => why,
    };
    eprintln!("SKIPPED: {test}: {why}");
    if let Some(path) = std::env::var_os("SKIPPED_FILE") {
        let file = OpenOptions::new().create(true).append(true).open(path);
        writeln!(file.expect("the file of skipped tests"), "{test}: {why}").expect("a line");
    }
    None
}

/// A directory in which file systems are mounted.
pub fn dir() -> tempfile::TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a directory")
}
