//! The one thread that commits records: takes what has gathered, writes it, syncs it, tells the waiters, again.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use fjall::PersistMode;

use super::{Inner, queue::Work};
use crate::journal::{Durability, Place};

/// At `interval`, what was answered is durable after so long.
const INTERVAL: Duration = Duration::from_millis(5);

/// At `none`, records become durable, and so readable, after so long.
const LAZY: Duration = Duration::from_millis(100);

/// Until the journal is closed and all is written, or fails.
pub(super) fn run(inner: &Arc<Inner>) {
    let end = *inner.durable.borrow();
    let mut writer = Writer {
        inner: Arc::clone(inner),
        written: end,
        durable: end,
        syncs: 0,
        synced_at: Instant::now(),
    };
    writer.run();
}

struct Writer {
    inner: Arc<Inner>,
    /// The place after the last record that is with the system, and that is durable.
    written: Place,
    durable: Place,
    /// Syncs that were asked for and are done.
    syncs: u64,
    synced_at: Instant,
}

impl Writer {
    fn run(&mut self) {
        loop {
            let work = self.inner.queue.take(self.syncs, self.patience());
            let closing = work.closing;
            if self.inner.has_failed() {
                return;
            }
            if let Err(err) = self.commit(work) {
                // Never tried again: what the system did with the pages that it could not write is not known.
                self.inner
                    .fail(&super::unwritten("the journal's records", &err));
                return;
            }
            if closing && self.durable == self.inner.queue.end() {
                return;
            }
        }
    }

    /// How long to wait for work before a sync is due.
    fn patience(&self) -> Option<Duration> {
        (self.durable < self.written)
            .then(|| self.period().saturating_sub(self.synced_at.elapsed()))
    }

    fn period(&self) -> Duration {
        match self.inner.settings.durability {
            Durability::Sync => Duration::ZERO,
            Durability::Interval => INTERVAL,
            Durability::None => LAZY,
        }
    }

    fn commit(&mut self, work: Work) -> fjall::Result<()> {
        let asked = work.syncs > self.syncs || work.closing;
        let due = asked || self.synced_at.elapsed() >= self.period();
        let wrote = self.write(work.rows, due)?;
        if let Some(end) = wrote {
            self.written = end;
            self.inner.index.add(work.names, work.first);
        }
        if due {
            if wrote.is_none() && (asked || self.durable < self.written) {
                self.inner.database.persist(PersistMode::SyncData)?;
            }
            fail::fail_point!("synced");
            self.synced_at = Instant::now();
            self.durable = self.written;
        }
        self.tell(work.syncs);
        Ok(())
    }

    /// Writes the rows at once, all or none of them; with `sync` they are durable then. Answers the place after
    /// the last, if there was one.
    fn write(&self, rows: Vec<super::row::Building>, sync: bool) -> fjall::Result<Option<Place>> {
        let Some(end) = rows.last().map(super::row::Building::end) else {
            return Ok(None);
        };
        fail::fail_point!("write");
        fail::fail_point!("commit", |_| Err(fjall::Error::Io(std::io::Error::other(
            "a fault on purpose"
        ))));
        let mode = if sync {
            PersistMode::SyncData
        } else {
            PersistMode::Buffer
        };
        let mut batch = self.inner.database.batch().durability(Some(mode));
        for row in rows {
            let (key, value) = row.finish();
            batch.insert(&self.inner.records, key, value);
        }
        batch.commit()?;
        fail::fail_point!("written");
        Ok(Some(end))
    }

    /// Tells whoever waits. The index has it all by now.
    fn tell(&mut self, syncs: u64) {
        let answerable = match self.inner.settings.durability {
            Durability::Sync => self.durable,
            Durability::Interval | Durability::None => self.written,
        };
        send(&self.inner.answerable, answerable);
        send(&self.inner.durable, self.durable);
        if self.durable == self.written {
            self.syncs = syncs;
            send(&self.inner.synced, syncs);
        }
    }
}

fn send<T: PartialEq>(value: &tokio::sync::watch::Sender<T>, new: T) {
    value.send_if_modified(|value| {
        let changed = *value != new;
        *value = new;
        changed
    });
}
