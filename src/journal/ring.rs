//! The journal that lives in memory and is bounded: the oldest records make room for new ones.
//!
//! One short lock guards it. Under a hunt's lock it is taken for one push; a reader takes it for
//! slices of a scan and lets writers in between. Nothing is ever taken under it. What is pushed is
//! durable at once, in the sense of `--durability none`: it lives as long as the process.

use std::{
    collections::VecDeque,
    future::{pending, ready},
    mem,
    ops::RangeInclusive,
};

use hashbrown::HashMap;
use parking_lot::Mutex;
use prost::bytes::Bytes;
use tokio::{sync::Notify, task::coop::consume_budget};

use super::{
    Damage, Entry, Fence, Journal, Kept, KeptHunt, NoRoom, Page, Place, Query, RECORD_BYTES_MAX,
    Room, Waiting, draw_incarnation, scan::Scan,
};
use crate::engine::HuntId;

/// What a record costs beside its bytes: its entry, and its place in the index.
const ENTRY_BYTES: usize = mem::size_of::<Entry>() + mem::size_of::<Place>();

/// A reader lets go of the lock after so many records.
const SLICE_RECORDS: usize = 256;

/// How much is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RingBounds {
    /// At most so many records, 1 at least.
    pub records_max: usize,
    /// At most so many bytes with what it takes to find them; room for one longest record at least.
    pub bytes_max: usize,
}

/// Bounds that leave no room for a record.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RingBoundsError {
    /// Not one record.
    #[error("the feed must keep 1 record at least")]
    Records,
    /// Less than the longest record takes.
    #[error(
        "the feed must keep {least} bytes at least, the longest record; {asked} were asked for"
    )]
    Bytes {
        /// What the longest record takes.
        least: usize,
        /// What was asked for.
        asked: usize,
    },
}

/// Records in memory, bounded by number and bytes. Safe for concurrent use.
pub struct Ring {
    incarnation: u64,
    bounds: RingBounds,
    records: Mutex<Records>,
    /// Rung at each push. It holds no reader's state: a thousand long polls are a thousand list
    /// entries here, and neither tasks nor locks.
    news: Notify,
}

impl Ring {
    /// An empty ring of a new incarnation.
    pub fn new(bounds: RingBounds) -> Result<Self, RingBoundsError> {
        if bounds.records_max == 0 {
            return Err(RingBoundsError::Records);
        }
        let least = RECORD_BYTES_MAX + ENTRY_BYTES;
        if bounds.bytes_max < least {
            return Err(RingBoundsError::Bytes {
                least,
                asked: bounds.bytes_max,
            });
        }
        Ok(Self {
            incarnation: draw_incarnation(),
            bounds,
            records: Mutex::new(Records::with_room(bounds)),
            news: Notify::new(),
        })
    }

    async fn reached(&self, place: Place) {
        loop {
            // Enlisted before looking, so that a push between the look and the wait is not missed.
            let news = self.news.notified();
            if place < self.records.lock().end() {
                return;
            }
            news.await;
        }
    }

    async fn page(&self, query: Query) -> Page {
        let kept = self.records.lock().kept();
        let (start, gap) = query.from.place(self.incarnation, kept);
        let mut scan = Scan::new(&query, start);
        while scan.goes_on() && self.records.lock().scan(&mut scan) {
            // A long scan lets other tasks of its thread run in between.
            consume_budget().await;
        }
        let end = self.records.lock().end();
        scan.into_page(self.incarnation, gap, end)
    }
}

impl Journal for Ring {
    fn reserve(&self, bytes: usize) -> Result<Room, NoRoom> {
        // The oldest always make room, so only a record that is too long for the whole is refused.
        if bytes + ENTRY_BYTES <= self.bounds.bytes_max {
            return Ok(Room::new(bytes));
        }
        Err(NoRoom {
            limit: "feed_bytes_max",
            limit_bytes: self.bounds.bytes_max as u64,
            wanted_bytes: (bytes + ENTRY_BYTES) as u64,
        })
    }

    fn append(&self, room: Room, entry: Entry) -> Place {
        debug_assert!(
            entry.record.len() <= room.bytes(),
            "{entry:?} is longer than its room"
        );
        let place = self.records.lock().push(entry, self.bounds);
        self.news.notify_waiters();
        place
    }

    fn end(&self) -> Place {
        self.records.lock().end()
    }

    fn answerable(&self, place: Place) -> Waiting<'_, ()> {
        self.durable(place)
    }

    fn durable(&self, place: Place) -> Waiting<'_, ()> {
        Box::pin(self.reached(place))
    }

    fn synced(&self) -> Waiting<'_, ()> {
        Box::pin(ready(()))
    }

    fn read(&self, query: Query) -> Waiting<'_, Result<Page, Damage>> {
        Box::pin(async move { Ok(self.page(query).await) })
    }

    fn get(&self, hunt: &HuntId, sequence: u64) -> Waiting<'_, Result<Option<Bytes>, Damage>> {
        let record = self.records.lock().get(hunt, sequence);
        Box::pin(ready(Ok(record)))
    }

    fn failed(&self) -> Waiting<'_, String> {
        Box::pin(pending())
    }

    fn unsnapped(&self, _: Place) -> Vec<HuntId> {
        Vec::new()
    }

    fn overdue(&self) -> Place {
        Place(0)
    }

    // Nothing of these outlives the process, so there is nothing to keep.
    fn put_snapshot(&self, _: KeptHunt) {}
    fn let_go(&self, _: &HuntId) {}
    fn put_fence(&self, _: &Fence) {}

    fn kept(&self) -> Kept {
        let records = self.records.lock();
        Kept {
            records: records.entries.len() as u64,
            bytes: records.bytes as u64,
            dropped: records.first.0,
        }
    }
}

/// What the lock guards.
struct Records {
    /// The place of the oldest entry, which is also how many were dropped.
    first: Place,
    entries: VecDeque<Entry>,
    bytes: usize,
    /// For `GetRecord`. A hunt's sequences follow one another, so its places are a queue.
    hunts: HashMap<HuntId, HuntPlaces>,
}

struct HuntPlaces {
    first_sequence: u64,
    places: VecDeque<Place>,
}

/// What a record takes, as a rule.
const USUAL_BYTES: usize = 128;

/// Room is set aside at once for so many records at most: 64 MiB, which no system refuses.
const AT_ONCE_MAX: usize = 1 << 20;

impl Records {
    /// Nothing is in it. The room for what is as a rule kept is set aside at once, and not touched before it is used: a
    /// list that doubles is copied whole, under the lock.
    fn with_room(bounds: RingBounds) -> Self {
        let usual = bounds.bytes_max / (ENTRY_BYTES + USUAL_BYTES);
        Self {
            first: Place(0),
            entries: VecDeque::with_capacity(usual.min(bounds.records_max).min(AT_ONCE_MAX)),
            bytes: 0,
            hunts: HashMap::new(),
        }
    }

    fn end(&self) -> Place {
        Place(self.first.0 + self.entries.len() as u64)
    }

    fn kept(&self) -> RangeInclusive<Place> {
        self.first..=self.end()
    }

    fn push(&mut self, entry: Entry, bounds: RingBounds) -> Place {
        let place = self.end();
        self.hunts
            .entry_ref(&entry.hunt)
            .or_insert_with(|| HuntPlaces {
                first_sequence: entry.sequence,
                places: VecDeque::new(),
            })
            .places
            .push_back(place);
        self.bytes += cost(&entry);
        self.entries.push_back(entry);
        while self.entries.len() > bounds.records_max || self.bytes > bounds.bytes_max {
            self.drop_oldest();
        }
        place
    }

    fn drop_oldest(&mut self) {
        let Some(oldest) = self.entries.pop_front() else {
            return;
        };
        self.first = self.first.next();
        self.bytes -= cost(&oldest);
        if let Some(hunt) = self.hunts.get_mut(&oldest.hunt) {
            hunt.places.pop_front();
            hunt.first_sequence += 1;
            if hunt.places.is_empty() {
                self.hunts.remove(&oldest.hunt);
            }
        }
    }

    fn get(&self, hunt: &HuntId, sequence: u64) -> Option<Bytes> {
        let hunt = self.hunts.get(hunt)?;
        let nth = usize::try_from(sequence.checked_sub(hunt.first_sequence)?).ok()?;
        Some(self.at(*hunt.places.get(nth)?)?.record.clone())
    }

    fn at(&self, place: Place) -> Option<&Entry> {
        let nth = usize::try_from(place.0.checked_sub(self.first.0)?).ok()?;
        self.entries.get(nth)
    }

    /// Looks at the next slice. False when there is nothing more to look at.
    fn scan(&self, scan: &mut Scan<'_>) -> bool {
        for _ in 0..SLICE_RECORDS {
            // None also when writers overtook the scan: the next call starts at the oldest and says so.
            let Some(entry) = self.at(scan.next) else {
                return false;
            };
            if !scan.goes_on() || !scan.take(entry) {
                return false;
            }
        }
        true
    }
}

fn cost(entry: &Entry) -> usize {
    ENTRY_BYTES + entry.record.len()
}
