//! The data directory, which one process holds at a time.
//!
//! `owner.lock` in it is held with `flock` by the process that may be authoritative for its hunts. The
//! kernel lets go of it when, and only when, the process is gone, however it went. The lock is tried and
//! never waited for, and its file is never unlinked.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
};

use rustix::{
    fs::{FlockOperation, flock},
    io::Errno,
};

use crate::exit::Exit;

/// Where in it the journal is.
#[must_use]
pub fn journal(path: &Path) -> PathBuf {
    path.join("journal")
}

/// The directory, held until this is dropped.
#[derive(Debug)]
pub struct DataDir {
    _lock: File,
}

impl DataDir {
    /// Makes the directory if it does not exist, and takes its lock.
    ///
    /// # Errors
    /// 75 if another process holds it, named; 78 if the directory cannot be used.
    pub fn hold(path: &Path) -> Result<Self, Exit> {
        let refused =
            |err: io::Error| Exit::settings(format!("data_dir {}: {err}", path.display()));
        DirBuilder::new()
            .recursive(true)
            .mode(0o750)
            .create(path)
            .map_err(refused)?;
        let lock_path = path.join("owner.lock");
        let mut lock = OpenOptions::new()
            .create(true)
            .read(true)
            .write(true)
            .truncate(false)
            .open(&lock_path)
            .map_err(refused)?;
        match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => {
                let owner = fs::read_to_string(&lock_path).unwrap_or_default();
                return Err(Exit::held(format!(
                    "{}: held by {}; stop it first, or take another --data-dir",
                    lock_path.display(),
                    owner.lines().next().unwrap_or("another process")
                )));
            }
            Err(err) => return Err(refused(err.into())),
        }
        let name = format!("process {} (player-state)\n", std::process::id());
        lock.set_len(0)
            .and_then(|()| lock.write_all(name.as_bytes()))
            .map_err(refused)?;
        Ok(Self { _lock: lock })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_is_held_once_and_its_holder_is_named() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let path = dir.path().join("made/here");
        let held = DataDir::hold(&path).expect("a free directory");
        let refused = DataDir::hold(&path)
            .expect_err("a held directory")
            .to_string();
        assert!(
            refused.contains(&format!("process {}", std::process::id())),
            "{refused}"
        );
        drop(held);
        DataDir::hold(&path).expect("a directory that was let go");
    }
}
