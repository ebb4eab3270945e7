//! The rulesets that new hunts may name: the built-in classic, and the files of `--rules DIR`.
//!
//! Read once, when the process starts: a hunt is never created from a half-written file, and no
//! handler ever waits for a disk.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, Read as _},
    path::{Path, PathBuf},
    sync::Arc,
};

use crate::engine::{RULESET_BYTES_MAX, Ruleset, RulesetError};

/// The ruleset of hunts that name none.
const CLASSIC: &str = "classic";

const EXTENSION: &str = "toml";

/// Most files that are taken from one directory.
pub const RULESETS_MAX: usize = 64;

/// Rulesets by name. The name is the file's, without `.toml`.
pub struct Rulesets {
    by_name: BTreeMap<String, Arc<Ruleset>>,
}

impl Default for Rulesets {
    /// The built-in classic alone.
    fn default() -> Self {
        Self {
            by_name: BTreeMap::from([(CLASSIC.to_owned(), Arc::new(Ruleset::classic()))]),
        }
    }
}

impl Rulesets {
    /// All `NAME.toml` of a directory, and the built-in classic unless there is a `classic.toml`.
    ///
    /// # Errors
    /// The directory or one of its files cannot be read, or is no ruleset: a shard does not start
    /// with fewer rules than it was given.
    pub fn load(dir: &Path) -> Result<Self, RulesetsError> {
        let mut rulesets = Self::default();
        let unreadable = |source| RulesetsError::Unreadable {
            path: dir.to_owned(),
            source,
        };
        let mut files = 0;
        for entry in fs::read_dir(dir).map_err(unreadable)? {
            let path = entry.map_err(unreadable)?.path();
            let Some(name) = ruleset_name(&path) else {
                continue;
            };
            files += 1;
            if files > RULESETS_MAX {
                return Err(RulesetsError::TooMany(dir.to_owned()));
            }
            rulesets
                .by_name
                .insert(name, Arc::new(read_ruleset(&path)?));
        }
        Ok(rulesets)
    }

    /// The ruleset that `settings.ruleset` names; "" is classic.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<Arc<Ruleset>> {
        let name = if name.is_empty() { CLASSIC } else { name };
        self.by_name.get(name).cloned()
    }

    /// The names, ascending.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.by_name.keys().map(String::as_str)
    }
}

/// Why a directory of rulesets cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RulesetsError {
    /// The directory, or a file in it.
    #[error("{} cannot be read: {source}", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file that is no ruleset.
    #[error(transparent)]
    Invalid(#[from] RulesetError),
    /// Over [`RULESETS_MAX`] files.
    #[error("{} holds over {RULESETS_MAX} rulesets, the limit", _0.display())]
    TooMany(PathBuf),
}

fn ruleset_name(path: &Path) -> Option<String> {
    let is_ruleset = path
        .extension()
        .is_some_and(|extension| extension == EXTENSION);
    path.file_stem()
        .filter(|_| is_ruleset)?
        .to_str()
        .map(str::to_owned)
}

/// Reads and checks one file of rules. Of a file that is too long it reads no more than shows that.
///
/// # Errors
/// The file cannot be read, or is no ruleset.
pub fn read_ruleset(path: &Path) -> Result<Ruleset, RulesetsError> {
    let unreadable = |source| RulesetsError::Unreadable {
        path: path.to_owned(),
        source,
    };
    let most = RULESET_BYTES_MAX as u64 + 1;
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(most).read_to_end(&mut bytes))
        .map_err(unreadable)?;
    Ok(Ruleset::parse(&path.display().to_string(), &bytes)?)
}
