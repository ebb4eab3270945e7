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
use slab::Slab;
use tokio::{sync::Notify, task::coop::consume_budget};

use super::{
    Damage, EntryRef, Fence, Journal, Kept, KeptHunt, NoRoom, Page, Place, Query, RECORD_BYTES_MAX,
    Room, Waiting, draw_incarnation, scan::Scan,
};
use crate::engine::HuntId;

/// What a record costs beside its bytes: its row, and its place among its hunt's.
const ROW_BYTES: usize = mem::size_of::<Row>() + mem::size_of::<Place>();

/// Records lie side by side in segments of so many bytes, so that none is allocated by itself. The room that a segment
/// has left over is not counted, nor what the oldest has of records that were dropped.
const SEGMENT_BYTES: usize = 64 * 1024;

/// A segment with more room than this takes a record that is longer too, and grows: so an eighth is left over at most.
const LEFT_OVER_BYTES: usize = SEGMENT_BYTES / 8;

/// What a record takes, as a rule.
const USUAL_BYTES: usize = 128;

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
    /// Rung at a push that somebody waits for. It holds no reader's state: a thousand long polls are a thousand
    /// list entries here, and neither tasks nor locks.
    news: Notify,
}

impl Ring {
    /// An empty ring of a new incarnation.
    pub fn new(bounds: RingBounds) -> Result<Self, RingBoundsError> {
        if bounds.records_max == 0 {
            return Err(RingBoundsError::Records);
        }
        let least = RECORD_BYTES_MAX + ROW_BYTES;
        if bounds.bytes_max < least {
            return Err(RingBoundsError::Bytes {
                least,
                asked: bounds.bytes_max,
            });
        }
        Ok(Self {
            incarnation: draw_incarnation(),
            bounds,
            records: Mutex::new(Records::default()),
            news: Notify::new(),
        })
    }

    async fn reached(&self, place: Place) {
        loop {
            // Enlisted before looking, so that a push between the look and the wait is not missed.
            let news = self.news.notified();
            if self.records.lock().has_or_awaits(place) {
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
        if bytes + ROW_BYTES <= self.bounds.bytes_max {
            return Ok(Room::new(bytes));
        }
        Err(NoRoom {
            limit: "feed_bytes_max",
            limit_bytes: self.bounds.bytes_max as u64,
            wanted_bytes: (bytes + ROW_BYTES) as u64,
        })
    }

    fn append(&self, room: Room, entry: EntryRef<'_>) -> Place {
        debug_assert!(
            entry.record.len() <= room.bytes(),
            "{entry:?} is longer than its room"
        );
        let mut records = self.records.lock();
        let place = records.push(entry, self.bounds);
        let awaited = mem::take(&mut records.awaited);
        drop(records);
        if awaited {
            self.news.notify_waiters();
        }
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
            records: records.len() as u64,
            bytes: records.bytes as u64,
            dropped: records.first.0,
        }
    }
}

/// What the lock guards.
#[derive(Default)]
struct Records {
    /// The place of the oldest record, which is also how many were dropped.
    first: Place,
    segments: VecDeque<Segment>,
    /// What the records cost.
    bytes: usize,
    /// For `GetRecord`: the hunts that have records here, by the number that rows have of them.
    hunts: Slab<Hunt>,
    numbers: HashMap<HuntId, u32>,
    /// Somebody waits for the next record.
    awaited: bool,
}

/// Records one behind the other.
struct Segment {
    /// The place of its first row.
    first: Place,
    rows: Vec<Row>,
    bytes: Vec<u8>,
}

/// A record in its segment.
struct Row {
    hunt: u32,
    /// Where its bytes end; they begin where those of the row before do.
    end: u32,
    is_move: bool,
}

/// A hunt's sequences follow one another, so its places are a queue.
struct Hunt {
    id: HuntId,
    first_sequence: u64,
    places: VecDeque<Place>,
}

impl Records {
    /// The place that the next record gets.
    fn end(&self) -> Place {
        self.segments.back().map_or(self.first, Segment::end)
    }

    fn len(&self) -> usize {
        (self.end().0 - self.first.0) as usize
    }

    fn kept(&self) -> RangeInclusive<Place> {
        self.first..=self.end()
    }

    /// Whether there is a record at `place`. Where there is none, the next push is told to somebody.
    fn has_or_awaits(&mut self, place: Place) -> bool {
        let has = place < self.end();
        self.awaited |= !has;
        has
    }

    fn push(&mut self, entry: EntryRef<'_>, bounds: RingBounds) -> Place {
        let place = self.end();
        let hunt = self.number(entry);
        self.hunts[hunt as usize].places.push_back(place);
        let bytes = entry.record.len();
        if self.segments.back().is_none_or(|it| !it.has_room(bytes)) {
            self.segments.push_back(Segment::new(place));
        }
        if let Some(segment) = self.segments.back_mut() {
            segment.push(hunt, entry);
        }
        self.bytes += ROW_BYTES + bytes;
        while self.len() > bounds.records_max || self.bytes > bounds.bytes_max {
            self.drop_oldest();
        }
        place
    }

    fn number(&mut self, entry: EntryRef<'_>) -> u32 {
        let hunts = &mut self.hunts;
        *self.numbers.entry_ref(entry.hunt).or_insert_with(|| {
            hunts.insert(Hunt {
                id: entry.hunt.clone(),
                first_sequence: entry.sequence,
                places: VecDeque::new(),
            }) as u32
        })
    }

    fn drop_oldest(&mut self) {
        let Some(segment) = self.segments.front() else {
            return;
        };
        let nth = (self.first.0 - segment.first.0) as usize;
        let hunt = segment.rows[nth].hunt as usize;
        self.bytes -= ROW_BYTES + segment.record(nth).len();
        self.first = self.first.next();
        if nth + 1 == segment.rows.len() {
            self.segments.pop_front();
        }
        let known = &mut self.hunts[hunt];
        known.places.pop_front();
        known.first_sequence += 1;
        if known.places.is_empty() {
            self.numbers.remove(&known.id);
            self.hunts.remove(hunt);
        }
    }

    fn get(&self, hunt: &HuntId, sequence: u64) -> Option<Bytes> {
        let hunt = &self.hunts[*self.numbers.get(hunt)? as usize];
        let nth = usize::try_from(sequence.checked_sub(hunt.first_sequence)?).ok()?;
        let (_, record) = self.rows_from(*hunt.places.get(nth)?).next()?;
        Some(Bytes::copy_from_slice(record))
    }

    /// The record at a place that is kept, and those behind it.
    fn rows_from(&self, place: Place) -> impl Iterator<Item = (&Row, &[u8])> {
        let holder = self.segments.partition_point(|it| it.end() <= place);
        let segments = self.segments.range(holder..);
        segments.flat_map(move |segment| segment.rows_from(place))
    }

    /// Looks at the next slice. False when there is nothing more to look at.
    fn scan(&self, scan: &mut Scan<'_>) -> bool {
        if scan.next < self.first {
            return false; // writers overtook it: the next call starts at the oldest and says so
        }
        let mut looked = 0;
        for (row, record) in self.rows_from(scan.next).take(SLICE_RECORDS) {
            let hunt = &self.hunts[row.hunt as usize].id;
            let copy = || Bytes::copy_from_slice(record);
            if !scan.goes_on() || !scan.take(hunt, row.is_move, copy) {
                return false;
            }
            looked += 1;
        }
        looked == SLICE_RECORDS
    }
}

impl Segment {
    fn new(first: Place) -> Self {
        // Memory that was let go long ago is in no cache: written whole, it comes faster than record by record, each of
        // which would wait for its lines under the lock.
        let mut bytes = vec![0; SEGMENT_BYTES];
        bytes.clear();
        Self {
            first,
            rows: Vec::with_capacity(SEGMENT_BYTES / USUAL_BYTES),
            bytes,
        }
    }

    fn has_room(&self, bytes: usize) -> bool {
        let room = SEGMENT_BYTES.saturating_sub(self.bytes.len());
        bytes <= room || room > LEFT_OVER_BYTES
    }

    fn push(&mut self, hunt: u32, entry: EntryRef<'_>) {
        self.bytes.reserve_exact(entry.record.len());
        self.bytes.extend_from_slice(entry.record);
        self.rows.push(Row {
            hunt,
            end: self.bytes.len() as u32,
            is_move: entry.is_move,
        });
    }

    fn end(&self) -> Place {
        Place(self.first.0 + self.rows.len() as u64)
    }

    /// Its rows at `place` and behind it.
    fn rows_from(&self, place: Place) -> impl Iterator<Item = (&Row, &[u8])> {
        let skipped = place.0.saturating_sub(self.first.0) as usize;
        (skipped..self.rows.len()).map(|nth| (&self.rows[nth], self.record(nth)))
    }

    fn record(&self, nth: usize) -> &[u8] {
        let begin = nth.checked_sub(1).map_or(0, |before| self.rows[before].end);
        &self.bytes[begin as usize..self.rows[nth].end as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What its segments and rows take, used or not.
    fn taken(records: &Records) -> usize {
        let segment = |it: &Segment| it.bytes.capacity() + it.rows.capacity() * size_of::<Row>();
        records.segments.iter().map(segment).sum()
    }

    #[test]
    fn what_is_taken_is_bounded_whatever_the_records_lengths() {
        let bounds = RingBounds {
            records_max: 1_000_000,
            bytes_max: 8 << 20,
        };
        let hunt = HuntId::parse("h").expect("an id");
        for lengths in [
            &[102][..],
            &[9_000],
            &[33_000],
            &[RECORD_BYTES_MAX],
            &[100, RECORD_BYTES_MAX],
            &[50_000, 20_000, 7],
        ] {
            let mut records = Records::default();
            let mut lengths_in_turn = lengths.iter().cycle();
            for sequence in 1..=200_000 {
                let length = *lengths_in_turn.next().expect("endless");
                let entry = EntryRef {
                    hunt: &hunt,
                    sequence,
                    is_move: false,
                    record: &vec![0; length],
                };
                records.push(entry, bounds);
                if records.first.0 > 1_000 {
                    break; // all of it has been used again
                }
            }
            let most = bounds.bytes_max / 4 * 5 + 4 * SEGMENT_BYTES;
            assert!(records.first > Place(0), "it is full: {lengths:?}");
            assert!(taken(&records) <= most, "{lengths:?}: {}", taken(&records));
        }
    }
}
