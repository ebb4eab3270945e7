//! Reading records back: pages for the feed, single ones, and all of them for recovery.

use std::{
    collections::{HashMap, HashSet},
    path::Path,
    sync::{Arc, atomic::Ordering},
};

use fjall::{Guard, Keyspace};
use prost::bytes::Bytes;

use super::{
    Inner,
    row::{Row, key},
    state::Found,
    storage,
};
use crate::{
    engine::HuntId,
    journal::{Damage, Entry, Kept, KeptHunt, Page, Place, Query, Rows, scan::Scan},
};

/// The place of the oldest record, and the place after the last.
pub(super) fn bounds(records: &Keyspace, path: &Path) -> Result<(Place, Place), Damage> {
    let first = records.first_key_value().map(row).transpose()?;
    let last = records.last_key_value().map(row).transpose()?;
    match (first, last) {
        (Some(first), Some(last)) => Ok((first.first, last.end())),
        (None, None) => Ok((Place(0), Place(0))),
        (Some(_), None) | (None, Some(_)) => Err(storage(path)("it has one end")),
    }
}

fn row(guard: Guard) -> Result<Row, Damage> {
    let (key, value) = guard.into_inner().map_err(storage("records"))?;
    Row::open(&key, Bytes::from_owner(value))
}

impl Inner {
    /// The rows from the one that holds `place` on.
    fn rows_from(&self, place: Place) -> impl Iterator<Item = Result<Row, Damage>> + Send + use<> {
        let before = self.records.range(..=key(place)).next_back();
        let holding =
            before.map(|guard| guard.key().map_or(key(place).to_vec(), |key| key.to_vec()));
        let from = holding.unwrap_or_else(|| key(place).to_vec());
        self.records.range(from..).map(row)
    }

    pub(super) fn page(&self, query: &Query) -> Result<Page, Damage> {
        let (end, floor) = (*self.durable.borrow(), self.floor());
        let (start, mut gap) = query.from.place(self.incarnation, floor..=end);
        let mut scan = Scan::new(query, start);
        for row in self.rows_from(start) {
            let row = row?;
            if row.first >= end {
                break;
            }
            if row.first > scan.next {
                if scan.next >= self.floor() {
                    return Err(missing(scan.next, row.first));
                }
                gap = true; // retention overtook the reader
                scan.next = row.first;
            }
            for (place, entry) in row.entries()? {
                if place < scan.next {
                    continue;
                }
                let record = || entry.record;
                if place >= end || !scan.goes_on() || !scan.take(&entry.hunt, entry.is_move, record)
                {
                    return Ok(scan.into_page(self.incarnation, gap, end));
                }
            }
        }
        if scan.next < end && scan.next >= self.floor() {
            return Err(missing(scan.next, end));
        }
        Ok(scan.into_page(self.incarnation, gap, end))
    }

    pub(super) fn get(&self, hunt: &HuntId, sequence: u64) -> Result<Option<Bytes>, Damage> {
        let Some(place) = self.find(hunt, sequence)? else {
            return Ok(None);
        };
        if place < self.floor() || place >= *self.durable.borrow() {
            return Ok(None);
        }
        let row = self.rows_from(place).next().transpose()?;
        let entries = row.map_or(Ok(Vec::new()), |row| row.entries())?;
        let found = entries.into_iter().find(|(at, _)| *at == place);
        match found {
            Some((_, entry)) if entry.hunt == *hunt && entry.sequence == sequence => {
                Ok(Some(entry.record))
            }
            Some(_) => Ok(None),
            None if place < self.floor() => Ok(None), // retention overtook the reader
            None => Err(missing(place, place.next())),
        }
    }

    fn find(&self, hunt: &HuntId, sequence: u64) -> Result<Option<Place>, Damage> {
        if let Some(place) = self.index.find(hunt, sequence) {
            return Ok(Some(place));
        }
        let blocks: Vec<_> = self.blocks.lock().iter().copied().collect();
        for block in blocks.into_iter().rev() {
            match self.state.find(block, hunt, sequence)? {
                Found::At(place) => return Ok(Some(place)),
                Found::OnlyEarlier => return Ok(None),
                Found::NoneOfHunt => {}
            }
        }
        Ok(None)
    }

    pub(super) fn floor(&self) -> Place {
        Place(self.floor.load(Ordering::Relaxed))
    }

    pub(super) fn kept(&self) -> Kept {
        let (floor, end) = (self.floor(), *self.durable.borrow());
        Kept {
            records: end.0.saturating_sub(floor.0),
            bytes: self.database.disk_space().unwrap_or(0),
            dropped: floor.0,
        }
    }

    /// All records from `start` on, for recovery; what passes from `from` on is put into the index on the way, but for
    /// what the blocks have before `indexed`.
    pub(super) fn rows(
        self: &Arc<Self>,
        from: Place,
        indexed: Place,
        start: Place,
        hunts: &[KeptHunt],
        gone: &[HuntId],
    ) -> Rows {
        let upto: HashMap<_, _> = hunts
            .iter()
            .map(|kept| (kept.hunt.clone(), kept.upto))
            .collect();
        let gone: HashSet<_> = gone.iter().cloned().collect();
        let (inner, read) = (Arc::clone(self), Arc::clone(self));
        let index = move |row: Result<Vec<(Place, Entry)>, Damage>| {
            let entries = row?;
            crash_point!("row_read");
            for (place, entry) in &entries {
                if *place >= indexed {
                    inner.index.add_spot(&entry.hunt, entry.sequence, *place);
                }
                let snapped = upto.get(&entry.hunt).is_some_and(|upto| place < upto);
                if *place >= start && !snapped && !gone.contains(&entry.hunt) {
                    inner.index.add_unsnapped(&entry.hunt, *place);
                }
            }
            // Before it may be hunts that were let go so long ago that their ids are forgotten.
            let needed = entries.into_iter().filter(|(place, _)| *place >= start);
            Ok(needed.collect())
        };
        let at_the_end = std::iter::from_fn(move || {
            crash_point!("rows_read");
            read.recovered.store(true, Ordering::Release);
            None
        });
        Box::new(self.whole_rows(from).map(index).chain(at_the_end))
    }

    pub(super) fn all(&self) -> Rows {
        Box::new(self.whole_rows(self.floor()))
    }

    /// The rows from the one that holds `from` on, between which nothing is missing.
    pub(super) fn whole_rows(
        &self,
        from: Place,
    ) -> impl Iterator<Item = Result<Vec<(Place, Entry)>, Damage>> + Send + use<> {
        let mut expected = from;
        let entries = move |row: Result<Row, Damage>| {
            let row = row?;
            if row.first > expected {
                return Err(missing(expected, row.first));
            }
            expected = row.end();
            row.entries()
        };
        self.rows_from(from).map(entries)
    }
}

/// What the records from `from` to `to` are called that have to be there.
fn missing(from: Place, to: Place) -> Damage {
    Damage {
        at: format!("place {}", from.0),
        what: format!("no record until place {}", to.0),
    }
}
