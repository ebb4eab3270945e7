//! Files of a journal, for tests that damage them.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// All files in a directory and those in it whose names end so, by their paths.
pub fn files(dir: &Path, ext: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(files(&path, ext));
        } else if path.display().to_string().ends_with(ext) {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// Copies a directory with all that is in it.
pub fn copy_dir(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a directory");
    for entry in fs::read_dir(from).expect("a directory") {
        let entry = entry.expect("an entry");
        let target = to.join(entry.file_name());
        if entry.file_type().expect("a type").is_dir() {
            copy_dir(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).expect("a copy");
        }
    }
}

/// Takes the room back that the write-ahead files under a directory set aside, as a restart does.
pub fn trim_write_ahead(dir: &Path) {
    for path in files(dir, ".jnl") {
        let bytes = fs::read(&path).expect("a file");
        match bytes.iter().rposition(|byte| *byte != 0) {
            Some(last) => fs::write(&path, &bytes[..=last]).expect("a write"),
            None => fs::remove_file(&path).expect("a file less"),
        }
    }
}
