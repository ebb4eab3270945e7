//! What was appended and is not committed yet.
//!
//! One short lock, taken under a hunt's lock for one copy of a record. The writer takes all that has gathered:
//! that is the group commit, and there is no timer in it.

use std::{mem, time::Duration};

use parking_lot::{Condvar, Mutex};

use super::row::Building;
use crate::{
    engine::HuntId,
    journal::{EntryRef, Place},
};

/// Records that wait for the writer, in bytes, at most: a disk that stalls makes the engine refuse, not grow.
pub(super) const QUEUE_BYTES_MAX: usize = 64 << 20;

/// What the writer takes at once.
pub(super) struct Work {
    pub(super) rows: Vec<Building>,
    /// Each record's hunt and sequence, from `first` on.
    pub(super) names: Vec<(HuntId, u64)>,
    pub(super) first: Place,
    /// Somebody waits for a sync that began after its call.
    pub(super) syncs: u64,
    pub(super) closing: bool,
}

pub(super) struct Queue {
    gathered: Mutex<Gathered>,
    work: Condvar,
}

struct Gathered {
    rows: Vec<Building>,
    names: Vec<(HuntId, u64)>,
    bytes: usize,
    end: Place,
    /// How many syncs were asked for, over all time.
    syncs: u64,
    closing: bool,
    /// The writer waits, and is to be woken.
    idle: bool,
}

impl Queue {
    /// An empty queue, whose first record gets the place `end`.
    pub(super) fn new(end: Place) -> Self {
        Self {
            gathered: Mutex::new(Gathered {
                rows: Vec::new(),
                names: Vec::new(),
                bytes: 0,
                end,
                syncs: 0,
                closing: false,
                idle: false,
            }),
            work: Condvar::new(),
        }
    }

    pub(super) fn push(&self, entry: EntryRef<'_>) -> Place {
        let mut gathered = self.gathered.lock();
        let place = gathered.push(entry);
        self.wake(gathered);
        place
    }

    /// The place that the next record gets.
    pub(super) fn end(&self) -> Place {
        self.gathered.lock().end
    }

    /// Whether `bytes` more may wait.
    pub(super) fn has_room(&self, bytes: usize) -> bool {
        self.gathered.lock().bytes + bytes <= QUEUE_BYTES_MAX
    }

    /// Asks for a sync; answers which one it is.
    pub(super) fn ask_sync(&self) -> u64 {
        let mut gathered = self.gathered.lock();
        gathered.syncs += 1;
        let nth = gathered.syncs;
        self.wake(gathered);
        nth
    }

    /// Lets the writer end once all is written.
    pub(super) fn close(&self) {
        let mut gathered = self.gathered.lock();
        gathered.closing = true;
        self.wake(gathered);
    }

    /// All that has gathered since `syncs` was asked for. Waits for work, for `patience` at most.
    pub(super) fn take(&self, syncs: u64, patience: Option<Duration>) -> Work {
        let mut gathered = self.gathered.lock();
        if !gathered.has_work(syncs) {
            gathered.idle = true;
            match patience {
                None => self.work.wait(&mut gathered),
                Some(patience) => {
                    self.work.wait_for(&mut gathered, patience);
                }
            }
            gathered.idle = false;
        }
        gathered.bytes = 0;
        let names = mem::take(&mut gathered.names);
        Work {
            rows: mem::take(&mut gathered.rows),
            first: Place(gathered.end.0 - names.len() as u64),
            names,
            syncs: gathered.syncs,
            closing: gathered.closing,
        }
    }

    fn wake(&self, gathered: parking_lot::MutexGuard<'_, Gathered>) {
        let idle = gathered.idle;
        drop(gathered);
        if idle {
            self.work.notify_one();
        }
    }
}

impl Gathered {
    fn has_work(&self, syncs: u64) -> bool {
        !self.rows.is_empty() || self.syncs > syncs || self.closing
    }

    fn push(&mut self, entry: EntryRef<'_>) -> Place {
        let place = self.end;
        if self.rows.last().is_none_or(Building::is_full) {
            self.rows.push(Building::new(place));
        }
        if let Some(row) = self.rows.last_mut() {
            let before = row.len();
            row.push(entry);
            self.bytes += row.len() - before;
        }
        self.names.push((entry.hunt.clone(), entry.sequence));
        self.end = place.next();
        place
    }
}
