//! `player-state journal`: looks at a journal, copies it, and makes a new one of a copy.
//!
//! Holds the data directory's lock meanwhile, so nothing changes under it; a backup of a running process is asked of
//! that process. A torn end is cut off, as a start would; else no journal that is there is ever changed.

pub mod backup;
mod progress;

use std::{
    collections::HashMap,
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
        Damage, Durability, Entry, Journal as _, KeptHunt, Place, Recovery, Rows, Store,
        StoreSettings,
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
    let snapshots = check_snapshots(&opened.recovery.hunts).map_err(|why| damaged(dir, &why))?;
    let checked = check_rows(opened.store.all(), opened.progress("checked"));
    let (records, hunts) = checked.map_err(|why| damaged(dir, &why))?;
    Ok(Verified {
        records,
        hunts,
        snapshots,
        torn_bytes: opened.recovery.torn_bytes,
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
    let mut progress = opened.progress("looked at");
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

/// What a damaged journal is refused with, here and at a start.
pub fn damaged(dir: &Path, why: &Damage) -> Exit {
    let dir = dir.display();
    Exit::data(format!(
        "{why}; nothing was changed. Keep a copy of {dir}, and look at all of it with: player-state journal verify {dir}"
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
        let opened = Store::open(&journal, as_it_is()).map_err(|why| damaged(dir, &why))?;
        Ok(Self {
            store: opened.0,
            recovery: opened.1,
            _dir: held,
        })
    }

    /// Of its records.
    fn progress(&self, what: &'static str) -> Progress {
        let records = self.store.end().0 - self.store.kept_from().0;
        Progress::new(what, records)
    }
}

/// Nothing is dropped while it is looked at.
fn as_it_is() -> StoreSettings {
    StoreSettings {
        durability: Durability::Sync,
        retain_age: std::time::Duration::MAX,
        retain_bytes: u64::MAX,
        reserve_bytes: 0,
        gone_ids_max: usize::MAX,
    }
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

/// Checks every record, and counts records and hunts.
fn check_rows(rows: Rows, mut progress: Progress) -> Result<(u64, usize), Damage> {
    let mut last: HashMap<HuntId, (u64, u64)> = HashMap::new();
    let mut records = 0;
    for row in rows {
        let row = row?;
        progress.add(row.len() as u64);
        for (place, entry) in row {
            records += 1;
            let record = check_record(place, &entry)?;
            let (epoch, sequence) = (record.epoch, record.sequence);
            let Some((last_epoch, last_sequence)) =
                last.insert(entry.hunt.clone(), (epoch, sequence))
            else {
                continue;
            };
            // A higher epoch may begin at any sequence: it voids what it goes back behind.
            let follows = epoch == last_epoch && sequence == last_sequence + 1;
            if !follows && epoch <= last_epoch {
                return Err(Damage {
                    at: format!("place {}", place.0),
                    what: format!(
                        "hunt {} goes from epoch {last_epoch}, sequence {last_sequence} to {epoch}, {sequence}",
                        entry.hunt
                    ),
                });
            }
        }
    }
    Ok((records, last.len()))
}

fn check_record(place: Place, entry: &Entry) -> Result<Record, Damage> {
    let damage = |what: String| Damage {
        at: format!("place {}", place.0),
        what,
    };
    let record = Record::decode(entry.record.clone()).map_err(|err| damage(err.to_string()))?;
    let is_move = match &record.change {
        Some(Change::Applied(applied)) => applied.command.as_ref().is_some_and(wire::is_move),
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
