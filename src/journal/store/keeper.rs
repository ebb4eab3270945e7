//! The thread that does what is due by time: it watches the room on the disk, moves the index's older part to the
//! state, and drops what retention no longer keeps.

use std::{
    io,
    path::Path,
    sync::{Arc, atomic::Ordering},
    thread,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use fjall::AbstractTree as _;
use rustix::fs::statvfs;

use super::{Inner, row, state::Block};
use crate::journal::Place;

/// How often the room on the disk is looked at: what is written meanwhile has to fit the reserve.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Looks between two rounds of the rest.
const LOOKS_A_ROUND: u32 = 20;

/// Records in a block of the index: the unit of retention too.
const BLOCK_RECORDS: u64 = 65_536;

/// Until the journal closes or fails.
pub(super) fn run(inner: &Arc<Inner>) {
    let mut looks = 0;
    while !inner.closing.load(Ordering::Relaxed) && !inner.has_failed() {
        inner.look_at_room();
        looks += 1;
        if looks == LOOKS_A_ROUND {
            looks = 0;
            if let Err(err) = inner.round() {
                inner.fail(&format!("the journal cannot be kept in order: {err}"));
            }
        }
        thread::park_timeout(LOOK_EVERY);
    }
}

/// How much room a path's disk has for this process, in bytes.
///
/// # Errors
/// The system's.
pub fn free_bytes(path: &Path) -> io::Result<u64> {
    let disk = statvfs(path)?;
    Ok(disk.f_bavail.saturating_mul(disk.f_frsize))
}

impl Inner {
    pub(super) fn look_at_room(&self) {
        fail::fail_point!("look", |_| ());
        let full = match free_bytes(&self.dir) {
            Ok(free) => free < self.settings.reserve_bytes,
            Err(err) => {
                tracing::error!(%err, dir = %self.dir.display(), "the room on the disk cannot be read");
                true
            }
        };
        if self.full.swap(full, Ordering::Relaxed) == full {
            return;
        }
        let reserve_bytes = self.settings.reserve_bytes;
        if full {
            tracing::error!(reserve_bytes, dir = %self.dir.display(), "the disk has less left than the reserve: nothing is applied until there is room");
        } else {
            tracing::warn!(reserve_bytes, "the disk has room again");
        }
    }

    pub(super) fn round(&self) -> fjall::Result<()> {
        // Until then the index does not know yet what recovery begins from.
        if !self.recovered.load(Ordering::Acquire) {
            return Ok(());
        }
        self.close_block()?;
        let durable = *self.durable.borrow();
        let start = self.index.recovery_start().unwrap_or(durable);
        crash_point!("recovery_start");
        self.state.put_durable(durable)?;
        self.state.put_recovery_start(start)?;
        // What recovery begins from is durable before anything that it replaced is dropped.
        self.state.sync()?;
        crash_point!("recovery_start_kept");
        self.retain(start)
    }

    /// Moves a block's part of the index to the state, when there are records enough for one.
    fn close_block(&self) -> fjall::Result<()> {
        let durable = *self.durable.borrow();
        let first = self
            .blocks
            .lock()
            .back()
            .map_or(self.floor(), |block| block.end);
        if durable.0.saturating_sub(first.0) < BLOCK_RECORDS {
            return Ok(());
        }
        let block = Block {
            first,
            end: durable,
            at_ms: now_ms(),
        };
        self.state.put_block(block, &self.index.before(durable))?;
        self.blocks.lock().push_back(block);
        self.index.forget(durable);
        Ok(())
    }

    /// Drops the oldest blocks that are too old, or too much; never what recovery begins from.
    fn retain(&self, recovery_start: Place) -> fjall::Result<()> {
        loop {
            let Some(oldest) = self.blocks.lock().front().copied() else {
                return Ok(());
            };
            let age = Duration::from_millis(now_ms().saturating_sub(oldest.at_ms));
            let too_old = age > self.settings.retain_age;
            let too_much = self.database.disk_space()? > self.settings.retain_bytes;
            // The last record tells where the places go on.
            let is_last = oldest.end == *self.durable.borrow();
            if is_last || !(too_old || too_much) {
                return Ok(());
            }
            if oldest.end > recovery_start {
                self.overdue.store(oldest.end.0, Ordering::Relaxed);
                return Ok(());
            }
            let _dropping = self.dropping.lock();
            self.floor.store(oldest.end.0, Ordering::Relaxed);
            self.records
                .tree
                .drop_range::<[u8; 8], _>(..row::key(oldest.end))?;
            self.state.drop_block(oldest)?;
            self.blocks.lock().pop_front();
        }
    }
}

pub(super) fn now_ms() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.unwrap_or_default().as_millis() as u64
}

#[cfg(test)]
mod tests {
    use super::super::{Store, StoreSettings};
    use super::*;
    use crate::{
        engine::HuntId,
        journal::{Durability, Entry, EntryRef, Journal as _, Recovery},
    };

    fn settings() -> StoreSettings {
        StoreSettings {
            gone_ids_max: 1,
            ..StoreSettings::keeping_all(Durability::Sync)
        }
    }

    fn open(dir: &std::path::Path) -> (Store, Recovery) {
        Store::open(dir, settings()).expect("a whole journal")
    }

    fn hunt() -> HuntId {
        HuntId::parse("h").expect("an id")
    }

    /// Appends records of one hunt up to `last`, and waits until they are durable.
    async fn fill(store: &Store, sequences: std::ops::RangeInclusive<u64>) {
        for sequence in sequences {
            let room = store.reserve(8).expect("room");
            store.append(
                room,
                EntryRef {
                    hunt: &hunt(),
                    sequence,
                    is_move: false,
                    record: &sequence.to_le_bytes(),
                },
            );
        }
        store.durable(Place(store.end().0 - 1)).await;
    }

    /// What was written last tells where the journal ends, also when retention wants all of it.
    #[tokio::test]
    async fn the_last_block_is_kept_so_that_the_places_go_on() {
        let dir = tempfile::tempdir().expect("a directory");
        let settings = StoreSettings {
            retain_bytes: 0,
            ..settings()
        };
        let (store, _) = Store::open(dir.path(), settings).expect("a new journal");
        // Just more than a write-ahead file holds: with the last table, a new one is begun, which has nothing.
        for sequence in 1..=BLOCK_RECORDS {
            let room = store.reserve(980).expect("room");
            let entry = Entry {
                hunt: hunt(),
                sequence,
                is_move: false,
                record: vec![0; 980].into(),
            };
            let place = store.append(room, entry.borrowed());
            if sequence.is_multiple_of(1000) || sequence == BLOCK_RECORDS {
                store.durable(place).await;
            }
        }
        store.let_go(&hunt()); // needs no recovery
        let tables = store.inner.records.rotate_memtable_and_wait();
        tables.expect("all of it in tables");
        store.inner.round().expect("a round");
        store.inner.round().expect("another");
        drop(store);
        let (store, _) = open(dir.path());
        assert_eq!(store.end(), Place(BLOCK_RECORDS));
    }

    /// Leaves a journal with one whole block behind, and nothing snapped.
    async fn leave_a_block(dir: &std::path::Path) {
        let (store, _) = open(dir);
        fill(&store, 1..=BLOCK_RECORDS).await;
        store.inner.round().expect("a round");
    }

    /// Reads a recovery to its end, and counts.
    fn records(recovery: Recovery) -> u64 {
        let rows: Result<Vec<_>, _> = recovery.rows.collect();
        rows.expect("whole rows").concat().len() as u64
    }

    /// Who looks at a journal may be slow, or be killed at it: what recovery needs is not known until it is read.
    #[tokio::test]
    async fn a_round_before_the_recovery_is_read_moves_nothing() {
        let dir = tempfile::tempdir().expect("a directory");
        leave_a_block(dir.path()).await;

        let (store, recovery) = open(dir.path());
        store.inner.round().expect("a round");
        drop(recovery);
        drop(store);

        let (_store, recovery) = open(dir.path());
        assert_eq!(records(recovery), BLOCK_RECORDS);
    }

    /// A backup is of one moment, whatever is appended and dropped while it is read.
    #[tokio::test]
    async fn contents_keep_what_is_dropped_after_they_were_taken() {
        let dir = tempfile::tempdir().expect("a directory");
        let settings = StoreSettings {
            retain_bytes: 0,
            ..settings()
        };
        let (store, _) = Store::open(dir.path(), settings).expect("a new journal");
        fill(&store, 1..=BLOCK_RECORDS).await;
        store.inner.round().expect("a round");
        let before = store.contents().expect("a whole journal");

        store.let_go(&hunt());
        fill(&store, BLOCK_RECORDS + 1..=BLOCK_RECORDS + 9).await;
        store.let_go(&hunt());
        store.inner.round().expect("a round");
        assert_eq!(
            store.kept_from(),
            Place(BLOCK_RECORDS),
            "the block is dropped"
        );
        assert_eq!(before.head.records, BLOCK_RECORDS);
        let parts: Result<Vec<_>, _> = before.parts.collect();
        let parts = parts.expect("all parts");
        assert_eq!(parts.len() as u64, BLOCK_RECORDS + 1, "and the fence");

        let after = store.contents().expect("a whole journal");
        assert_eq!(after.head.records, 9);
        assert_eq!(after.parts.count(), 9 + 2, "the id and the fence");
    }

    /// Recovery reads records that a block has already: each is in one part of the index.
    #[tokio::test]
    async fn a_block_that_is_closed_after_a_restart_is_read_like_any_other() {
        let dir = tempfile::tempdir().expect("a directory");
        leave_a_block(dir.path()).await;

        let (store, recovery) = open(dir.path());
        assert_eq!(records(recovery), BLOCK_RECORDS);
        fill(&store, BLOCK_RECORDS + 1..=2 * BLOCK_RECORDS).await;
        store.inner.round().expect("a round");
        assert_eq!(store.inner.blocks.lock().len(), 2);
        for sequence in [1, BLOCK_RECORDS, BLOCK_RECORDS + 1, 2 * BLOCK_RECORDS] {
            let record = store.get(&hunt(), sequence).await.expect("a whole journal");
            assert_eq!(
                record.as_deref(),
                Some(&sequence.to_le_bytes()[..]),
                "{sequence}"
            );
        }
    }
}
