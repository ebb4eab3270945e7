//! The journal: every change that this process applied, in one order, for whoever reads.
//!
//! Owns the records once they are encoded: their order, how long they are kept, and the [`Cursor`]s
//! by which readers come back. It never looks inside a record, never calls a reader and never waits
//! for one: readers pull.
//!
//! What must stay true of every implementation:
//! - Room is reserved before a command is applied, so that no change is ever made that cannot be
//!   written down: [`Journal::append`] takes the [`Room`] and cannot refuse.
//! - `append` is called under the hunt's lock, so that a hunt's order is the journal's order. It
//!   never blocks on a reader, a disk or a socket.
//! - What [`Journal::read`] and [`Journal::get`] show is durable, at any durability.
//! - A write or sync that failed is never tried again: [`Journal::failed`] completes, nobody who waits is
//!   answered any more, and the process ends and recovers.

/// A step at which a test ends the process as kill -9 would: `return` is what it sets there.
macro_rules! crash_point {
    ($name:literal) => {
        fail::fail_point!($name, |_| std::process::abort())
    };
}
pub(crate) use crash_point;

mod backup;
mod contents;
mod cursor;
mod recovery;
mod ring;
mod scan;
mod store;

use std::{fmt, pin::Pin};

use prost::bytes::Bytes;

pub use self::{
    backup::{Backup, BackupError, Counts, Unsaved, write_backup},
    contents::{Contents, Head, Part, Parts},
    cursor::{Cursor, draw_incarnation},
    recovery::{Fence, KeptHunt, Recovery, Rows},
    ring::{Ring, RingBounds, RingBoundsError},
    store::{
        KeptState, Salvage, Store, StoreSettings, Unbuilt, blocking, copy_journal, free_bytes,
        put_in_place, sync_dir,
    },
};
use crate::engine::HuntId;

/// A record is never longer than this, in bytes: `created` with a ruleset of 64 KiB is the longest.
pub const RECORD_BYTES_MAX: usize = 72 * 1024;

/// Any other record is never longer than this, in bytes: 64 targets with 4 effects and two impacts
/// each are the longest.
pub const APPLIED_BYTES_MAX: usize = 32 * 1024;

/// A filtered read looks at no more records than this in one call, and then answers with what it
/// found, which may be nothing, and a cursor that went on.
pub const SCAN_RECORDS_MAX: usize = 100_000;

/// A future in a box: the journal is chosen when the process starts, so its trait is used as an object.
pub type Waiting<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Keeps records and shows them. Safe for concurrent use.
pub trait Journal: Send + Sync + 'static {
    /// Sets room aside for one record of at most `bytes`. Called before the change is applied; a
    /// refusal means that nothing may be applied now.
    fn reserve(&self, bytes: usize) -> Result<Room, NoRoom>;

    /// Puts a copy of one record behind all others and tells its place. Called under the hunt's lock: does
    /// not block and cannot fail.
    fn append(&self, room: Room, entry: EntryRef<'_>) -> Place;

    /// The place that the next record will get: a wait for one less covers all that was appended.
    fn end(&self) -> Place;

    /// Completes when what rests on the record at `place`, and on every earlier one, may be answered: at
    /// `--durability sync` that is when they are durable, else sooner. A journal that failed never
    /// completes: its process stops and recovers.
    fn answerable(&self, place: Place) -> Waiting<'_, ()>;

    /// Completes when the record at `place`, and with it every earlier one, is durable. The place may
    /// lie ahead of the end, which is how a reader waits for news. Never completes once the journal failed.
    fn durable(&self, place: Place) -> Waiting<'_, ()>;

    /// Completes after one sync, on the way that records take, that began after this call.
    fn synced(&self) -> Waiting<'_, ()>;

    /// The durable records from a cursor on, at once, which may be none.
    fn read(&self, query: Query) -> Waiting<'_, Result<Page, Damage>>;

    /// The record of `hunt` at `sequence`, if it is still kept.
    fn get(&self, hunt: &HuntId, sequence: u64) -> Waiting<'_, Result<Option<Bytes>, Damage>>;

    /// What is kept now, for the metrics.
    fn kept(&self) -> Kept;

    /// Completes, with the story for the log, when the journal can write no more.
    fn failed(&self) -> Waiting<'_, String>;

    /// The hunts with a durable record before `place` that no snapshot of theirs holds: recovery would have to
    /// begin at it. The earliest first; none where nothing is recovered.
    fn unsnapped(&self, place: Place) -> Vec<HuntId>;

    /// The place up to which retention would drop records, and recovery still needs some of them: those of the hunts
    /// that are [`unsnapped`](Self::unsnapped) before it. Only grows.
    fn overdue(&self) -> Place;

    /// Keeps a snapshot in the place of the hunt's last one. All that it holds must be durable. Blocks on the
    /// disk; durable with the next sync, and nothing depends on when that is.
    fn put_snapshot(&self, hunt: KeptHunt);

    /// Forgets the snapshots of a hunt that was let go, and remembers its id. Blocks like `put_snapshot`.
    fn let_go(&self, hunt: &HuntId);

    /// Keeps who may call this engine's ownership service. Durable when [`synced`](Self::synced) completes
    /// after it. Blocks like `put_snapshot`.
    fn put_fence(&self, fence: &Fence);
}

/// What an answer waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// Its record is synced to disk.
    Sync,
    /// Its record is with the system, which is synced every few milliseconds.
    Interval,
    /// Nothing.
    None,
}

/// Something kept that cannot be read back.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the journal is damaged: {what} at {at}")]
pub struct Damage {
    /// Where: a file and offset, or a place.
    pub at: String,
    /// What is wrong there.
    pub what: String,
}

/// Where a record stands among all records of the journal's incarnation, from 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place(pub u64);

impl Place {
    /// The place after this one.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

/// Leave to append one record. Dropping it unused gives the room back.
#[derive(Debug)]
#[must_use = "room that is not appended to is given back"]
pub struct Room {
    bytes: usize,
}

impl Room {
    /// Room for one record of at most `bytes`, as an implementation hands it out.
    pub fn new(bytes: usize) -> Self {
        Self { bytes }
    }

    /// How long the record may be, in bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

/// Why nothing may be applied now: the journal could not write it down.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the journal has no room: {limit} is {limit_bytes} bytes, {wanted_bytes} more are wanted")]
pub struct NoRoom {
    /// The setting that bounds it.
    pub limit: &'static str,
    /// The setting's value, in bytes.
    pub limit_bytes: u64,
    /// What was asked for, in bytes.
    pub wanted_bytes: u64,
}

/// One record.
#[derive(Clone, PartialEq, Eq)]
pub struct Entry {
    /// The hunt it belongs to.
    pub hunt: HuntId,
    /// Its place in the hunt's own order, from 1.
    pub sequence: u64,
    /// A `Move`, which a reader may leave out.
    pub is_move: bool,
    /// The encoded `Record`, at most [`RECORD_BYTES_MAX`] long.
    pub record: Bytes,
}

impl Entry {
    /// The same, as it is handed to the journal.
    #[must_use]
    pub fn borrowed(&self) -> EntryRef<'_> {
        EntryRef {
            hunt: &self.hunt,
            sequence: self.sequence,
            is_move: self.is_move,
            record: &self.record,
        }
    }
}

/// One record, as it is handed to the journal. Its fields are [`Entry`]'s.
#[derive(Clone, Copy)]
#[expect(missing_docs, reason = "they are there")]
pub struct EntryRef<'a> {
    pub hunt: &'a HuntId,
    pub sequence: u64,
    pub is_move: bool,
    pub record: &'a [u8],
}

impl fmt::Debug for EntryRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            hunt,
            sequence,
            record,
            ..
        } = self;
        write!(f, "{hunt}#{sequence} ({} bytes)", record.len())
    }
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.borrowed().fmt(f)
    }
}

/// Where a reader wants to begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// At the oldest record kept.
    Oldest,
    /// Where an earlier page ended.
    At(Cursor),
    /// At a cursor that no journal of ours ever handed out: at the oldest, with a gap.
    Unreadable,
}

/// What a reader asks for.
#[derive(Clone, Debug)]
pub struct Query {
    /// Where to go on.
    pub from: Start,
    /// At most so many records.
    pub records_max: usize,
    /// At most so many bytes of records with their framing in the answer, but always one record.
    pub bytes_max: usize,
    /// At most so many records are looked at.
    pub scan_max: usize,
    /// Leave out what is a `Move`.
    pub skip_moves: bool,
    /// Only this hunt's records.
    pub hunt: Option<HuntId>,
}

/// What a reader gets.
#[derive(Clone, Debug)]
pub struct Page {
    /// The encoded `Record`s, oldest first.
    pub records: Vec<Bytes>,
    /// Where to read next.
    pub cursor: Cursor,
    /// Records before these were dropped, or the cursor was another journal's.
    pub gap: bool,
    /// Records after the cursor, unfiltered.
    pub behind: u64,
    /// How many records were looked at.
    pub scanned: usize,
}

/// What a journal holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Kept {
    /// Records that can still be read.
    pub records: u64,
    /// Their memory, in bytes, with what it takes to find them.
    pub bytes: u64,
    /// Records that retention dropped since the start.
    pub dropped: u64,
}
