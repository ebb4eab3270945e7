//! `player-state journal`: looks at a journal, copies it, and makes a new one of a copy.
//!
//! Holds the data directory's lock meanwhile, so nothing changes under it; a backup of a running process is asked of
//! that process. A torn end is cut off, as a start would; else no journal that is there is ever changed.

pub mod backup;
mod progress;
pub mod repair;

use std::{
    collections::{HashMap, HashSet},
    io::{self, BufWriter, Write},
    path::Path,
};

use prost::Message as _;
use serde::Serialize;

use self::progress::Progress;
use crate::{
    data_dir::{self, DataDir},
    engine::HuntId,
    exit::Exit,
    journal::{
        Damage, Durability, Entry, Journal as _, KeptHunt, Place, Recovery, Store, StoreSettings,
        free_bytes,
    },
    pb::{Record, record::Change},
    replay::{KnownRulesets, write_encoded},
    shard::restore,
    wire,
};

/// What a journal holds, where all of it is whole.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub struct Verified {
    /// Records that are kept.
    pub records: u64,
    /// Hunts that these are of.
    pub hunts: usize,
    /// Snapshots, all of which were restored.
    pub snapshots: usize,
    /// Bytes of a torn end, which were cut off.
    pub torn_bytes: u64,
}

/// Reads all of a data directory's journal: every checksum, every record, each hunt's sequences, and restores
/// every snapshot.
///
/// # Errors
/// 65 with what is damaged and where; 75 if a process holds the directory; 78 if it cannot be used.
pub fn verify(dir: &Path) -> Result<Verified, Exit> {
    let opened = Opened::open(dir)?;
    check(&opened.store, &opened.recovery).map_err(|why| damaged(dir, &why))
}

/// Reads all of a journal.
fn check(store: &Store, recovery: &Recovery) -> Result<Verified, Damage> {
    let snapshots = check_snapshots(&recovery.hunts)?;
    let mut jumps = Jumps::of(recovery);
    let mut progress = progress_of(store, "checked");
    let mut records = 0;
    for row in store.all() {
        let row = row?;
        progress.add(row.len() as u64);
        records += row.len() as u64;
        for (place, entry) in row {
            let record = check_record(place, &entry)?;
            jumps.check(place, entry.hunt, &record)?;
        }
    }
    Ok(Verified {
        records,
        hunts: jumps.last.len(),
        snapshots,
        torn_bytes: recovery.torn_bytes,
    })
}

/// Writes the records that are kept, each after its length as `replay` reads them, the oldest first; of one hunt
/// alone if it is named. Answers how many.
///
/// # Errors
/// As [`verify`]; 1 if the output cannot be written.
pub fn export(dir: &Path, hunt: Option<&str>, out: impl Write) -> Result<u64, Exit> {
    let hunt = hunt.map(HuntId::parse).transpose();
    let hunt = hunt.map_err(|_| Exit::data("--hunt: must be 1..64 bytes of [A-Za-z0-9._:-]"))?;
    let opened = Opened::open(dir)?;
    let mut out = BufWriter::new(out);
    let mut written = 0;
    let mut progress = progress_of(&opened.store, "looked at");
    for row in opened.store.all() {
        let row = row.map_err(|why| damaged(dir, &why))?;
        progress.add(row.len() as u64);
        for (_, entry) in row {
            if hunt.as_ref().is_none_or(|hunt| *hunt == entry.hunt) {
                write_encoded(&mut out, &entry.record).map_err(unwritten)?;
                written += 1;
            }
        }
    }
    out.flush().map_err(unwritten)?;
    Ok(written)
}

fn unwritten(err: io::Error) -> Exit {
    Exit::runtime(format!("the output cannot be written: {err}"))
}

/// What a start needs on the disk, in bytes: two write-ahead files of 8 MiB for each database.
const START_BYTES: u64 = 32 << 20;

/// What a journal that cannot be opened is refused with, here and at a start. One without room for that may be whole.
pub fn unopened(dir: &Path, why: &Damage) -> Exit {
    match free_bytes(dir) {
        Ok(free) if free < START_BYTES => Exit::runtime(format!(
            "{}: the disk has {free} bytes left, and to open a journal takes {START_BYTES}: make room first ({why})",
            dir.display()
        )),
        Ok(_) | Err(_) => damaged(dir, why),
    }
}

/// What a damaged journal is refused with.
pub fn damaged(dir: &Path, why: &Damage) -> Exit {
    let dir = dir.display();
    Exit::data(format!(
        "{why}; nothing of it was changed but for a torn end. Keep a copy of {dir}. All of it is looked at by: \
         player-state journal verify {dir}. To go on: restore a backup (player-state journal restore --help), or keep what \
         can be read (player-state journal repair {dir})"
    ))
}

/// A data directory, held, with its journal.
struct Opened {
    store: Store,
    recovery: Recovery,
    _dir: DataDir,
}

impl Opened {
    fn open(dir: &Path) -> Result<Self, Exit> {
        let journal = data_dir::journal(dir);
        if !journal.is_dir() {
            return Err(Exit::settings(format!("{}: has no journal", dir.display())));
        }
        let held = DataDir::hold(dir)?;
        let opened = open(&journal).map_err(|why| unopened(dir, &why))?;
        Ok(Self {
            store: opened.0,
            recovery: opened.1,
            _dir: held,
        })
    }
}

/// Opens a journal, to look at it.
fn open(journal: &Path) -> Result<(Store, Recovery), Damage> {
    Store::open(journal, StoreSettings::keeping_all(Durability::Sync))
}

/// Through all of its records.
fn progress_of(store: &Store, what: &'static str) -> Progress {
    Progress::new(what, store.end().0 - store.kept_from().0)
}

fn check_snapshots(hunts: &[KeptHunt]) -> Result<usize, Damage> {
    let mut rulesets = KnownRulesets::default();
    for kept in hunts {
        restore(kept, &mut rulesets).map_err(|why| Damage {
            at: format!("the snapshot of hunt {}", kept.hunt),
            what: why.to_string(),
        })?;
    }
    Ok(hunts.len())
}

/// How each hunt's sequences go on.
struct Jumps {
    /// Epoch and sequence of the last record.
    last: HashMap<HuntId, (u64, u64)>,
    upto: HashMap<HuntId, Place>,
    gone: HashSet<HuntId>,
}

impl Jumps {
    fn of(recovery: &Recovery) -> Self {
        let hunts = recovery.hunts.iter();
        Self {
            last: HashMap::new(),
            upto: hunts.map(|kept| (kept.hunt.clone(), kept.upto)).collect(),
            gone: recovery.gone.iter().cloned().collect(),
        }
    }

    fn check(&mut self, place: Place, hunt: HuntId, record: &Record) -> Result<(), Damage> {
        let (epoch, sequence) = (record.epoch, record.sequence);
        let last = self.last.insert(hunt.clone(), (epoch, sequence));
        let Some((last_epoch, last_sequence)) = last else {
            return Ok(());
        };
        // A higher epoch may begin at any sequence: it voids what it goes back behind.
        let follows = epoch == last_epoch && sequence == last_sequence + 1;
        // What no recovery needs may have holes after a repair.
        let is_needed =
            self.upto.get(&hunt).is_none_or(|upto| place >= *upto) && !self.gone.contains(&hunt);
        if follows || epoch > last_epoch || !is_needed {
            return Ok(());
        }
        Err(Damage {
            at: format!("place {}", place.0),
            what: format!(
                "hunt {hunt} goes from epoch {last_epoch}, sequence {last_sequence} to {epoch}, {sequence}"
            ),
        })
    }
}

fn check_record(place: Place, entry: &Entry) -> Result<Record, Damage> {
    let damage = |what: String| Damage {
        at: format!("place {}", place.0),
        what,
    };
    let record = Record::decode(entry.record.clone()).map_err(|err| damage(err.to_string()))?;
    let is_move = match &record.change {
        Some(Change::Applied(applied)) => applied
            .command
            .as_ref()
            .is_some_and(|command| wire::raw_command(command).is_move()),
        Some(Change::Created(_) | Change::Ended(_) | Change::OwnerChanged(_)) | None => false,
    };
    let told = (entry.hunt.as_str(), entry.sequence, entry.is_move);
    if told != (record.hunt_id.as_str(), record.sequence, is_move) {
        return Err(damage(format!(
            "it is kept as {entry:?}, and is another record"
        )));
    }
    Ok(record)
}
