//! The thread that does what is due by time: it watches the room on the disk, moves the index's older part to the
//! state, and drops what retention no longer keeps.

use std::{
    sync::{Arc, atomic::Ordering},
    thread::{self, JoinHandle},
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

pub(super) fn spawn(inner: &Arc<Inner>) -> JoinHandle<()> {
    let inner = Arc::clone(inner);
    let run = move || {
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
    };
    let thread = thread::Builder::new().name("journal-keeper".to_owned());
    #[expect(
        clippy::expect_used,
        reason = "a process that cannot begin a thread cannot serve"
    )]
    thread.spawn(run).expect("a thread for the journal")
}

impl Inner {
    pub(super) fn look_at_room(&self) {
        let free = statvfs(&self.dir).map(|disk| disk.f_bavail.saturating_mul(disk.f_frsize));
        let full = match free {
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

    fn round(&self) -> fjall::Result<()> {
        self.close_block()?;
        let durable = *self.durable.borrow();
        let start = self.index.recovery_start().unwrap_or(durable);
        self.state.put_recovery_start(start)?;
        // What recovery begins from is durable before anything that it replaced is dropped.
        self.state.sync()?;
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
            if oldest.end > recovery_start || !(too_old || too_much) {
                return Ok(());
            }
            self.floor.store(oldest.end.0, Ordering::Relaxed);
            self.records
                .tree
                .drop_range::<[u8; 8], _>(..row::key(oldest.end))?;
            self.state.drop_block(oldest)?;
            self.blocks.lock().pop_front();
        }
    }
}

fn now_ms() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.unwrap_or_default().as_millis() as u64
}
