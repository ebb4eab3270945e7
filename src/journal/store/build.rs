//! All of a journal out of it, and a new one out of that: for backup, restore and repair.

use std::{iter, path::Path};

use super::{Inner, Store, StoreSettings, keeper::now_ms};
use crate::journal::{Contents, Damage, Durability, Entry, Head, Journal as _, Part, Place};

/// Why a journal was not built.
#[derive(Debug, thiserror::Error)]
pub enum Unbuilt<E> {
    /// What it was to be built from: in the words of whoever reads that.
    #[error("{0}")]
    Parts(E),
    /// A part that does not go with those before it.
    #[error("{0}")]
    Unfit(String),
    /// It could not be written.
    #[error("the new journal cannot be written: {0}")]
    Unwritten(String),
}

impl Store {
    /// Writes a new journal into `dir`, which is not there yet or is empty: a new incarnation, so that no cursor of
    /// another journal points into it. What it holds is durable when this returns. Blocks, and may not be called on
    /// a runtime.
    ///
    /// # Errors
    /// The first part that is one, or the disk's. What is in `dir` then is of no use.
    pub fn build<E>(
        dir: &Path,
        head: &Head,
        parts: impl IntoIterator<Item = Result<Part, E>>,
    ) -> Result<(), Unbuilt<E>> {
        let settings = StoreSettings::keeping_all(Durability::None); // nobody waits
        let (store, _) = Self::open(dir, settings).map_err(|why| unwritten(&why))?;
        for part in parts {
            store.put(part.map_err(Unbuilt::Parts)?)?;
        }
        let end = store.end();
        if end.0 != head.records {
            let told = head.records;
            return Err(unfit(format!("{} records of {told}", end.0)));
        }
        store.settle()?;
        let inner = &store.inner;
        // No record before it is needed: of hunts with a snapshot that holds them, and of those whose ids are forgotten.
        for hunt in inner.index.unsnapped(head.recovery_start) {
            inner.index.snapped(&hunt, head.recovery_start);
        }
        inner.round().map_err(|why| unwritten(&why))?;
        store.close();
        store.healthy()
    }

    fn put<E>(&self, part: Part) -> Result<(), Unbuilt<E>> {
        if !matches!(part, Part::Record(_)) {
            // What the state tells of is durable, as at any other time.
            self.settle()?;
        }
        match part {
            Part::Record(entry) => self.put_record(entry)?,
            Part::Snapshot(kept) => {
                if kept.upto > self.end() {
                    return Err(unfit(format!(
                        "the snapshot of hunt {} holds records up to place {}, and there are {}",
                        kept.hunt,
                        kept.upto.0,
                        self.end().0
                    )));
                }
                self.put_snapshot(kept);
            }
            Part::Gone(hunt) => self.let_go(&hunt),
            Part::Fence(fence) => self.put_fence(&fence),
        }
        self.healthy()
    }

    fn put_record<E>(&self, entry: Entry) -> Result<(), Unbuilt<E>> {
        let room = match self.reserve(entry.record.len()) {
            Ok(room) => room,
            Err(_) => {
                self.settle()?;
                let room = self.reserve(entry.record.len());
                room.map_err(|why| unwritten(&why))?
            }
        };
        self.append(room, entry.borrowed());
        Ok(())
    }

    /// Waits until all that was appended is durable.
    fn settle<E>(&self) -> Result<(), Unbuilt<E>> {
        if *self.inner.durable.borrow() == self.end() {
            return Ok(());
        }
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        runtime.map_err(|why| unwritten(&why))?.block_on(async {
            tokio::select! {
                () = self.synced() => Ok(()),
                why = self.failed() => Err(Unbuilt::Unwritten(why)),
            }
        })
    }

    fn healthy<E>(&self) -> Result<(), Unbuilt<E>> {
        let failure = self.inner.failure.borrow().clone();
        failure.map_or(Ok(()), |why| Err(Unbuilt::Unwritten(why)))
    }
}

impl Inner {
    pub(super) fn contents(&self) -> Result<Contents, Damage> {
        let (now, floor, end, rows) = {
            let _dropping = self.dropping.lock();
            // The state first: it never tells of a record that is not durable by then.
            let now = self.state.now();
            let (floor, end) = (self.floor(), *self.durable.borrow());
            (now, floor, end, self.whole_rows(floor))
        };
        let from_0 = move |place: Place| Place(place.0.saturating_sub(floor.0));
        let head = Head {
            at_ms: now_ms(),
            records: end.0 - floor.0,
            recovery_start: from_0(self.state.recovery_start(&now)?),
        };
        let entries = |row: Result<Vec<(Place, Entry)>, Damage>| match row {
            Ok(entries) => entries.into_iter().map(|entry| Ok(entry.1)).collect(),
            Err(damage) => vec![Err(damage)],
        };
        let durable = move |row: &Result<Vec<(Place, Entry)>, Damage>| {
            let first = row.as_ref().ok().and_then(|entries| entries.first());
            first.is_none_or(|(place, _)| *place < end)
        };
        let records = rows.take_while(durable).flat_map(entries);
        let snapshots = self.state.snapshots(&now)?.map(move |kept| {
            let mut kept = kept?;
            kept.upto = from_0(kept.upto);
            Ok(Part::Snapshot(kept))
        });
        let gone = self.state.gone(&now)?.into_iter();
        let fence = self.state.fence(&now)?;
        let parts = records
            .map(|entry| entry.map(Part::Record))
            .chain(snapshots)
            .chain(gone.map(|hunt| Ok(Part::Gone(hunt))))
            .chain(iter::once(Ok(Part::Fence(fence))));
        Ok(Contents {
            head,
            parts: Box::new(parts),
        })
    }
}

fn unfit<E>(what: String) -> Unbuilt<E> {
    Unbuilt::Unfit(what)
}

fn unwritten<E>(why: &impl std::fmt::Display) -> Unbuilt<E> {
    Unbuilt::Unwritten(why.to_string())
}
