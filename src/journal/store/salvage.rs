//! What can still be read of a damaged journal.
//!
//! Never changes it. What is handed out was found whole by its own checksum; what is not handed out is told.
//!
//! Records need no database: a row is one whatever stands around it, so write-ahead files and tables are read one by one,
//! and a file that cannot be read takes no other along. The state does: which of two values is the later, only fjall
//! knows. It is opened as a copy, whose tables are links to the same files, which are never written twice.

use std::{
    cell::RefCell,
    collections::BTreeMap,
    ffi::OsStr,
    fmt, fs, io,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::Arc,
};

use fjall::{Guard, Keyspace, Readable as _, Snapshot};
use lsm_tree::{Cache, Checksum, Table, UserKey};
use prost::bytes::Bytes;

use super::{
    row::{Row, key},
    state::{self, FORMAT_AT, State, number, snapshot},
    tables, wal,
};
use crate::{
    engine::HuntId,
    journal::{Damage, Entry, Fence, KeptHunt, Place},
};

/// What the snapshots are called together.
const SNAPSHOTS: &str = "snapshots";

/// What tables keep of what was read of them, in bytes.
const CACHE_BYTES: u64 = 16 << 20;

/// A damaged journal, opened as far as it can be.
pub struct Salvage {
    records: Records,
    /// None if it cannot be opened at all.
    state: Option<State>,
    damage: Vec<Damage>,
    state_is_whole: bool,
    torn_bytes: u64,
}

/// The rows that can be read.
#[derive(Default)]
struct Records {
    /// Of the write-ahead files.
    latest: BTreeMap<Place, Bytes>,
    tables: Vec<RowTable>,
}

/// A table of rows, with the places of its first and its last, as it tells itself.
struct RowTable {
    first: Place,
    last: Place,
    table: Table,
}

/// What can be read of the state beside the records.
#[derive(Debug, Default)]
pub struct KeptState {
    /// The snapshots.
    pub hunts: Vec<KeptHunt>,
    /// Ids of hunts that were let go, the oldest first.
    pub gone: Vec<HuntId>,
    /// Who may call the ownership service.
    pub fence: Fence,
    /// No record before this place is needed to recover any hunt; not known if it cannot be read.
    pub recovery_start: Option<Place>,
    /// The oldest record is here; not known where the state is not whole.
    pub records_from: Option<Place>,
    /// There were records up to here, as far as it tells.
    pub records_upto: Place,
    /// What of it cannot be read.
    pub damage: Vec<Damage>,
    /// Hunts whose snapshots cannot be read, as far as they can be named.
    pub unreadable_hunts: Vec<HuntId>,
}

/// Makes a copy of a journal that may be opened and changed, in a directory of the same file system.
///
/// # Errors
/// The system's.
pub fn copy_journal(journal: &Path, to: &Path) -> io::Result<()> {
    copy(journal, to, true)
}

impl Salvage {
    /// Opens what can be opened of a journal that nobody has open; `scratch` is for a copy of its state.
    ///
    /// # Errors
    /// The system's; or the journal is of another version, and not damaged at all.
    pub fn open(journal: &Path, scratch: &Path) -> io::Result<Self> {
        let mut salvage = Self {
            records: Records::default(),
            state: None,
            damage: Vec::new(),
            state_is_whole: false,
            torn_bytes: 0,
        };
        salvage.open_records(&journal.join("records"))?;
        let of_records = salvage.damage.len();
        salvage.open_state(&journal.join("state"), &scratch.join("state"))?;
        salvage.state_is_whole = salvage.damage.len() == of_records;
        Ok(salvage)
    }

    fn open_records(&mut self, path: &Path) -> io::Result<()> {
        if !path.is_dir() {
            self.unreadable(path, "it is missing");
            return Ok(());
        }
        let latest = &mut self.records.latest;
        let lost = wal::each_item(path, |key, value| {
            let place = Place(number(key));
            if row_entries(place, Bytes::copy_from_slice(value)).is_some() {
                latest.insert(place, Bytes::copy_from_slice(value));
            }
        })?;
        self.lose(lost);
        let cache = Arc::new(Cache::with_capacity_bytes(CACHE_BYTES));
        for path in tables(&path.join("keyspaces"))? {
            match RowTable::open(&path, &cache) {
                Ok(table) => self.records.tables.push(table),
                Err(why) => self.unreadable(&path, &format!("none of its rows can be read: {why}")),
            }
        }
        self.records.tables.sort_by_key(|table| table.first);
        Ok(())
    }

    fn open_state(&mut self, path: &Path, copied: &Path) -> io::Result<()> {
        if !path.is_dir() {
            self.unreadable(path, "it is missing");
            return Ok(());
        }
        copy(path, copied, false)?;
        let lost = wal::copy_whole(path, copied)?;
        self.lose(lost);
        // Where a list of what makes it up is wrong, fjall may take an older state for the newest.
        let opened =
            tables::check_lists(copied, state::KEYSPACES).and_then(|()| State::open(copied));
        let state = match opened {
            Ok(state) => state,
            Err(why) => {
                self.unreadable(path, &format!("none of it can be opened: {}", why.what));
                return Ok(());
            }
        };
        match state.check_format() {
            Err(why) if why.at == FORMAT_AT => return Err(io::Error::other(why.to_string())),
            Err(why) => self.damage.push(why),
            Ok(()) => {}
        }
        self.state = Some(state);
        Ok(())
    }

    fn lose(&mut self, lost: Vec<wal::Lost>) {
        for lost in lost {
            if lost.is_end {
                self.torn_bytes += lost.bytes as u64;
            } else {
                let what = format!("{} bytes that are no whole batch", lost.bytes);
                self.damage.push(Damage { at: lost.at, what });
            }
        }
    }

    fn unreadable(&mut self, path: &Path, what: &str) {
        self.damage.push(Damage {
            at: path.display().to_string(),
            what: what.to_owned(),
        });
    }

    /// What cannot be read, but for what [`records`](Self::records) and [`state`](Self::state) find.
    pub fn damage(&self) -> &[Damage] {
        &self.damage
    }

    /// The bytes of a torn end: a write that nobody was answered for.
    pub fn torn_bytes(&self) -> u64 {
        self.torn_bytes
    }

    /// About how many records there are, for whoever waits.
    pub fn records_about(&self) -> u64 {
        let Records { latest, tables } = &self.records;
        let first = tables.first().map(|table| table.first);
        let first = first.or(latest.keys().next().copied());
        let last = latest.keys().next_back().copied();
        let last = last.or(tables.last().map(|table| table.last));
        last.unwrap_or_default().0 - first.unwrap_or_default().min(last.unwrap_or_default()).0
    }

    /// The rows that can be read, the oldest first. What is between two is lost.
    pub fn records(&self) -> impl Iterator<Item = Vec<(Place, Entry)>> {
        let mut place = Place(0);
        std::iter::from_fn(move || {
            let entries = self.records.next(place)?;
            place = entries.last()?.0.next();
            Some(entries)
        })
    }

    /// What can be read of the state; `known` are hunts whose snapshots are looked for one by one.
    pub fn state<'a>(&self, known: impl IntoIterator<Item = &'a HuntId>) -> KeptState {
        let mut kept = KeptState::default();
        let Some(state) = &self.state else {
            return kept;
        };
        let now = state.now();
        let recovery_start = kept.note(state.recovery_start(&now));
        let indexed = kept.note(state.indexed(&now));
        let blocks = kept.note(state.blocks()).unwrap_or_default();
        kept.fence = kept.note(state.fence(&now)).unwrap_or_default();
        let gone = kept.readable("ids of hunts that are gone", &now, &state.gone);
        kept.gone = gone.into_values().filter_map(|id| hunt_id(&id)).collect();
        let rulesets = kept.readable("rulesets", &now, &state.rulesets);
        let rulesets = rulesets
            .into_iter()
            .filter_map(|(hash, ruleset)| Some((String::from_utf8(hash).ok()?, ruleset)))
            .collect();
        let mut hunts = kept.readable(SNAPSHOTS, &now, &state.hunts);
        if !kept.damage.is_empty() {
            for hunt in known {
                kept.find(hunt, &now, state, &mut hunts);
            }
        }
        for (hunt, value) in hunts {
            match snapshot(&hunt, value, &rulesets) {
                Some(hunt) => kept.hunts.push(hunt),
                None => {
                    kept.unreadable_hunt(&hunt, &"it is no snapshot, or its ruleset is missing")
                }
            }
        }
        kept.recovery_start = recovery_start;
        let is_whole = kept.damage.is_empty() && self.state_is_whole;
        kept.records_from = blocks
            .first()
            .map(|block| block.first)
            .or(indexed)
            .filter(|_| is_whole);
        let uptos = kept.hunts.iter().map(|hunt| hunt.upto);
        let told = uptos.chain(recovery_start).chain(indexed);
        kept.records_upto = told.max().unwrap_or_default();
        kept
    }
}

impl KeptState {
    fn note<T>(&mut self, read: Result<T, Damage>) -> Option<T> {
        read.map_err(|damage| self.damage.push(damage)).ok()
    }

    fn unreadable(&mut self, at: &str, why: &dyn fmt::Display) {
        self.damage.push(Damage {
            at: at.to_owned(),
            what: why.to_string(),
        });
    }

    fn unreadable_hunt(&mut self, name: &[u8], why: &dyn fmt::Display) {
        let shown = String::from_utf8_lossy(name);
        self.unreadable(&format!("the snapshot of hunt {shown}"), why);
        let id = HuntId::parse(&shown).ok();
        self.unreadable_hunts.extend(id);
    }

    /// What can be read of a keyspace, from its beginning and from its end on, up to what cannot.
    fn readable(
        &mut self,
        what: &str,
        at: &Snapshot,
        keyspace: &Keyspace,
    ) -> BTreeMap<Vec<u8>, Bytes> {
        let mut found = BTreeMap::new();
        if self.take(what, at.iter(keyspace), &mut found) {
            self.take(what, at.iter(keyspace).rev(), &mut found);
        }
        found
    }

    /// Takes what can be read, and notes what cannot. True if something came after which nothing can be read.
    fn take(
        &mut self,
        what: &str,
        guards: impl Iterator<Item = Guard>,
        found: &mut BTreeMap<Vec<u8>, Bytes>,
    ) -> bool {
        for guard in guards {
            let key = RefCell::new(None);
            // A value may be kept apart from its key: then the key can be named.
            let read = guard.into_inner_if(|of_value| {
                key.replace(Some(of_value.to_vec()));
                true
            });
            match (read, key.into_inner()) {
                (Ok((key, Some(value))), _) => {
                    found.insert(key.to_vec(), Bytes::from_owner(value));
                }
                (Ok((_, None)), _) => {}
                (Err(why), Some(key)) if what == SNAPSHOTS => self.unreadable_hunt(&key, &why),
                (Err(why), Some(key)) => {
                    let at = format!("{what}: {}", String::from_utf8_lossy(&key));
                    self.unreadable(&at, &why);
                }
                (Err(why), None) => {
                    self.unreadable(what, &why);
                    return true;
                }
            }
        }
        false
    }

    /// Looks for one hunt's snapshot.
    fn find(
        &mut self,
        hunt: &HuntId,
        now: &Snapshot,
        state: &State,
        hunts: &mut BTreeMap<Vec<u8>, Bytes>,
    ) {
        let name = hunt.as_str().as_bytes();
        if hunts.contains_key(name) {
            return;
        }
        match now.get(&state.hunts, name) {
            Ok(Some(value)) => {
                hunts.insert(name.to_vec(), Bytes::from_owner(value));
            }
            Ok(None) => {}
            Err(why) => self.unreadable_hunt(name, &why),
        }
    }
}

impl Records {
    /// The first row from `place` on that can be read.
    fn next(&self, mut place: Place) -> Option<Vec<(Place, Entry)>> {
        loop {
            let is_in = |table: &&RowTable| table.first <= place && place <= table.last;
            let mut tables = self.tables.iter().filter(is_in).peekable();
            let is_in_one = tables.peek().is_some();
            let found = tables.find_map(|table| table.at(place));
            let found = found.or_else(|| row_entries(place, self.latest.get(&place)?.clone()));
            if found.is_some() {
                return found;
            }
            place = if is_in_one {
                // Of a table that cannot be read here, any place may have the next row.
                place.next()
            } else {
                self.behind(place)?
            };
        }
    }

    /// Where the next row may begin behind a place that is in no table.
    fn behind(&self, place: Place) -> Option<Place> {
        let table = self.tables.iter().find(|table| table.first > place);
        let latest = self.latest.range(place.next()..).next();
        let latest = latest.map(|(place, _)| *place);
        table
            .map(|table| table.first)
            .into_iter()
            .chain(latest)
            .min()
    }
}

impl RowTable {
    fn open(path: &Path, cache: &Arc<Cache>) -> lsm_tree::Result<Self> {
        // Neither the checksum of the file nor its first number is looked at here.
        let (checksum, number_from, tree) = (Checksum::from_raw(0), 0, 0);
        let open = || {
            let (path, cache) = (path.to_owned(), Arc::clone(cache));
            Table::recover(path, checksum, number_from, tree, cache, None, false, true)
        };
        // What it does not expect may make it panic.
        let table = catch_unwind(AssertUnwindSafe(open));
        let table = table.unwrap_or(Err(lsm_tree::Error::Unrecoverable))?;
        let places = &table.metadata.key_range;
        Ok(Self {
            first: Place(number(places.min())),
            last: Place(number(places.max())),
            table,
        })
    }

    /// The row that begins at `place`, if it is whole.
    fn at(&self, place: Place) -> Option<Vec<(Place, Entry)>> {
        let key = UserKey::from(key(place));
        let get = || self.table.range(key.clone()..=key).next();
        let item = catch_unwind(AssertUnwindSafe(get)).ok()??.ok()?;
        row_entries(place, Bytes::from_owner(item.value))
    }
}

fn row_entries(place: Place, value: Bytes) -> Option<Vec<(Place, Entry)>> {
    let row = Row::open(&key(place), value).ok()?;
    row.entries().ok().filter(|entries| !entries.is_empty())
}

/// The table files of all keyspaces but fjall's own list of them, which is 0.
fn tables(keyspaces: &Path) -> io::Result<Vec<PathBuf>> {
    let mut tables = Vec::new();
    for keyspace in entries(keyspaces)? {
        if keyspace.file_name() != Some(OsStr::new("0")) {
            tables.extend(entries(&keyspace.join("tables"))?);
        }
    }
    Ok(tables)
}

/// What is in a directory; nothing if it is missing.
fn entries(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let read = match fs::read_dir(dir) {
        Err(err) if err.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        read => read?,
    };
    read.map(|entry| Ok(entry?.path())).collect()
}

fn hunt_id(bytes: &[u8]) -> Option<HuntId> {
    HuntId::parse(std::str::from_utf8(bytes).ok()?).ok()
}

/// Copies a database, or a journal of two. Tables are linked; write-ahead files only if they are asked for.
fn copy(from: &Path, to: &Path, write_ahead: bool) -> io::Result<()> {
    fs::create_dir_all(to)?;
    let are_tables =
        [Some(OsStr::new("tables")), Some(OsStr::new("blobs"))].contains(&from.file_name());
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        if entry.file_type()?.is_dir() {
            copy(&from, &to, write_ahead)?;
        } else if are_tables {
            fs::hard_link(&from, &to)?;
        } else if write_ahead || from.extension() != Some(OsStr::new("jnl")) {
            fs::copy(&from, &to)?;
        }
    }
    Ok(())
}
