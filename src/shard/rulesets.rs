//! The rulesets that new hunts may name: the built-in classic, and the files of `--rules DIR`.
//!
//! Read when the process starts and, as a whole, when the directory changes: a set of rulesets never
//! changes, another takes its place. No handler ever waits for a disk.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
    sync::{Arc, LazyLock},
};

use crate::engine::{RULESET_BYTES_MAX, Ruleset, RulesetError};

/// The ruleset of hunts that name none.
const CLASSIC: &str = "classic";

const EXTENSION: &str = "toml";

/// Most files that are taken from one directory.
pub const RULESETS_MAX: usize = 64;

static BUILT_IN: LazyLock<Arc<Ruleset>> = LazyLock::new(|| Arc::new(Ruleset::classic()));

/// Rulesets by name. The name is the file's, without `.toml`.
pub struct Rulesets {
    by_name: BTreeMap<String, Arc<Ruleset>>,
}

impl Default for Rulesets {
    /// The built-in classic alone.
    fn default() -> Self {
        Self {
            by_name: BTreeMap::from([(CLASSIC.to_owned(), Arc::clone(&BUILT_IN))]),
        }
    }
}

impl Rulesets {
    /// All `NAME.toml` of a directory but hidden ones, and the built-in classic unless there is a
    /// `classic.toml`.
    ///
    /// # Errors
    /// The directory or one of its files cannot be read, or is no ruleset: a shard does not start
    /// with fewer rules than it was given.
    pub fn load(dir: &Path) -> Result<Self, RulesetsError> {
        Self::default().load_again(dir)
    }

    /// The same for a directory that these were read from before: a file whose bytes are still the same
    /// is the same ruleset.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn load_again(&self, dir: &Path) -> Result<Self, RulesetsError> {
        let mut rulesets = Self::default();
        for path in files(dir)? {
            let Some(name) = path.file_stem().and_then(|name| name.to_str()) else {
                return Err(RulesetsError::Name(path));
            };
            let bytes = regular_bytes(&path).map_err(|source| unreadable(&path, source))?;
            let known = self.by_name.get(name);
            let ruleset = match known.filter(|known| known.bytes() == bytes) {
                Some(known) => Arc::clone(known),
                None => Arc::new(Ruleset::parse(&path.display().to_string(), &bytes)?),
            };
            rulesets.by_name.insert(name.to_owned(), ruleset);
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

    /// What is different in those that come after these.
    #[must_use]
    pub fn changes(&self, after: &Self) -> Changes {
        let not_in = |these: &Self, those: &Self| -> Vec<String> {
            let missing = these
                .names()
                .filter(|name| !those.by_name.contains_key(*name));
            missing.map(str::to_owned).collect()
        };
        let changed = self.by_name.iter().filter(|(name, ruleset)| {
            let later = after.by_name.get(*name);
            later.is_some_and(|later| later.bytes() != ruleset.bytes())
        });
        Changes {
            added: not_in(after, self),
            changed: changed.map(|(name, _)| name.clone()).collect(),
            removed: not_in(self, after),
        }
    }
}

/// Names of rulesets, by what became of them.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Changes {
    pub added: Vec<String>,
    pub changed: Vec<String>,
    pub removed: Vec<String>,
}

impl Changes {
    /// Whether nothing changed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
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
    /// A file whose name no hunt could ask for.
    #[error("{}: its name is no UTF-8, and no hunt could name it", _0.display())]
    Name(PathBuf),
    /// Over [`RULESETS_MAX`] files.
    #[error("{} holds over {RULESETS_MAX} rulesets, the limit", _0.display())]
    TooMany(PathBuf),
}

fn unreadable(path: &Path, source: io::Error) -> RulesetsError {
    RulesetsError::Unreadable {
        path: path.to_owned(),
        source,
    }
}

/// The rulesets of a directory, by name. Hidden files are editors' own.
fn files(dir: &Path) -> Result<Vec<PathBuf>, RulesetsError> {
    let mut files = Vec::new();
    for entry in fs::read_dir(dir).map_err(|source| unreadable(dir, source))? {
        let entry = entry.map_err(|source| unreadable(dir, source))?;
        let is_hidden = entry.file_name().as_encoded_bytes().starts_with(b".");
        let path = entry.path();
        if is_hidden || path.extension().is_none_or(|found| found != EXTENSION) {
            continue;
        }
        if files.len() == RULESETS_MAX {
            return Err(RulesetsError::TooMany(dir.to_owned()));
        }
        files.push(path);
    }
    files.sort();
    Ok(files)
}

/// A file's bytes. A pipe would make the reader wait for ever.
fn regular_bytes(path: &Path) -> io::Result<Vec<u8>> {
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::other("it is no regular file"));
    }
    ruleset_bytes(File::open(path)?)
}

/// The bytes of a ruleset; of one that is too long no more than shows that.
///
/// # Errors
/// The reader's.
pub fn ruleset_bytes(from: impl Read) -> io::Result<Vec<u8>> {
    let most = RULESET_BYTES_MAX as u64 + 1;
    let mut bytes = Vec::new();
    from.take(most).read_to_end(&mut bytes)?;
    Ok(bytes)
}
