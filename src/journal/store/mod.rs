//! The journal on disk, over fjall.
//!
//! Two databases lie in the data directory: `records` has the rows, one a commit, and nothing else, so that what
//! is appended is never written twice; `state` has what recovery begins from. [`queue`] gathers what is appended,
//! [`writer`] commits it, [`keeper`] does what is due by time: the index, retention, the room on the disk.
//!
//! What must stay true:
//! - A waiter is told after its record is durable, and its record is in the index by then.
//! - `state` never tells of a record that is not durable, and retention never drops one that recovery needs.
//! - After a write or sync that failed, nothing is written any more, and nobody is told anything.
//!
//! Before fjall opens a database, its write-ahead files and the list of its tables are looked at ([`wal`], [`tables`]):
//! fjall would cut damage off with all that follows it, and take what is missing for what never was.

mod build;
mod index;
mod keeper;
mod queue;
mod read;
mod row;
mod salvage;
mod state;
mod tables;
mod wal;
mod writer;

use std::{
    fmt::Display,
    fs,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use fjall::{
    CompressionType, Database, Keyspace, KeyspaceCreateOptions, PersistMode,
    compaction::Fifo,
    config::{BlockSizePolicy, FilterPolicy},
};
use prost::bytes::Bytes;
use tokio::sync::watch;

pub use self::{
    build::Unbuilt,
    keeper::free_bytes,
    salvage::{KeptState, Salvage, copy_journal},
};
use self::{index::Index, queue::Queue, state::State};
use super::{
    Contents, Damage, Durability, EntryRef, Fence, Journal, Kept, KeptHunt, NoRoom, Page, Place,
    Query, RECORD_BYTES_MAX, Recovery, Room, Rows, Waiting, draw_incarnation,
};
use crate::engine::HuntId;

/// How much fjall gathers in memory before it writes a table. Small, so that the writing of one never stands in
/// a sync's way for long: at 64 MiB the worst commit took 90 ms, at 4 MiB 15 (docs/decisions/journal.md).
const TABLE_BYTES: u64 = 4 << 20;

/// With more in full write-ahead files a database writes all that they hold to tables, so that they go. One is more:
/// else what a small keyspace has in memory only would hold file after file.
const AHEAD_BYTES_MAX: u64 = 1 << 20;

/// The unit of compression. A reader of the feed goes through rows in order, so larger is better.
const COMPRESSED_BYTES: u32 = 32 * 1024;

/// The database of the rows, and how many keyspaces it has.
const RECORDS: &str = "records";
const RECORDS_KEYSPACES: u64 = 1;

/// The database of what recovery begins from.
const STATE: &str = "state";

/// How the journal is kept.
#[derive(Clone, Debug)]
pub struct StoreSettings {
    /// What an answer waits for.
    pub durability: Durability,
    /// Records that are older are dropped.
    pub retain_age: Duration,
    /// Records are dropped while all of it takes more, in bytes on disk.
    pub retain_bytes: u64,
    /// While the disk has less left, in bytes, nothing may be applied.
    pub reserve_bytes: u64,
    /// Ids of hunts let go that are remembered.
    pub gone_ids_max: usize,
}

impl StoreSettings {
    /// Nothing is dropped, and nothing kept free: for whoever looks at a journal, or builds one.
    #[must_use]
    pub fn keeping_all(durability: Durability) -> Self {
        Self {
            durability,
            retain_age: Duration::MAX,
            retain_bytes: u64::MAX,
            reserve_bytes: 0,
            gone_ids_max: usize::MAX,
        }
    }
}

/// Records on disk. Safe for concurrent use. [`Store::close`] ends it.
pub struct Store {
    inner: Arc<Inner>,
    threads: parking_lot::Mutex<Vec<JoinHandle<()>>>,
}

/// What the threads and the readers share.
struct Inner {
    dir: PathBuf,
    settings: StoreSettings,
    incarnation: u64,
    database: Database,
    records: Keyspace,
    state: State,
    queue: Queue,
    index: Index,
    /// The place of the oldest record.
    floor: AtomicU64,
    /// Up to which retention would drop records that recovery needs.
    overdue: AtomicU64,
    /// Blocks of the index, the oldest first; the records behind the last are in `index` alone.
    blocks: parking_lot::Mutex<std::collections::VecDeque<state::Block>>,
    /// Held while records are dropped, and while a view of all is taken: its state is to find its records there.
    dropping: parking_lot::Mutex<()>,
    /// The place after the last record that may be answered for.
    answerable: watch::Sender<Place>,
    /// The place after the last record that is durable.
    durable: watch::Sender<Place>,
    /// How many of the syncs that were asked for are done.
    synced: watch::Sender<u64>,
    /// Why no more is written.
    failure: watch::Sender<Option<String>>,
    /// The disk has less left than the reserve.
    full: AtomicBool,
    /// The recovery was read to its end: the index knows what the next one has to begin from.
    recovered: AtomicBool,
    closing: AtomicBool,
}

impl Store {
    /// Opens the journal in `dir`, which this process holds alone, or begins one there. The recovery is to be
    /// read to its end before anything is appended.
    ///
    /// # Errors
    /// What is there cannot be read whole. A torn end can: it is cut off.
    pub fn open(dir: &Path, settings: StoreSettings) -> Result<(Self, Recovery), Damage> {
        if is_empty(dir).map_err(storage(dir))? {
            begin(dir)?;
        }
        let (records_dir, state_dir) = (dir.join(RECORDS), dir.join(STATE));
        tables::check(&records_dir, RECORDS_KEYSPACES)?;
        tables::check(&state_dir, state::KEYSPACES)?;
        let torn = [wal::check(&records_dir)?, wal::check(&state_dir)?];
        for torn in &torn {
            torn.cut().map_err(storage(dir))?; // only now: of a journal that is damaged nothing is changed
        }
        let torn_bytes = torn.iter().map(|torn| torn.bytes).sum();
        crash_point!("looked_at");
        let state = State::open(&state_dir)?;
        crash_point!("state_opened");
        let database = open(&records_dir)?;
        let records = records(&database).map_err(storage(&records_dir))?;
        let incarnation = state.incarnation()?;
        crash_point!("opened");

        let (floor, end) = read::bounds(&records, &records_dir)?;
        let inner = Arc::new(Inner {
            dir: dir.to_owned(),
            settings,
            incarnation,
            database,
            records,
            queue: Queue::new(end),
            index: Index::default(),
            floor: AtomicU64::new(floor.0),
            overdue: AtomicU64::new(0),
            blocks: parking_lot::Mutex::new(state.blocks()?.into()),
            state,
            dropping: parking_lot::Mutex::new(()),
            answerable: watch::Sender::new(end),
            durable: watch::Sender::new(end),
            synced: watch::Sender::new(0),
            failure: watch::Sender::new(None),
            full: AtomicBool::new(false),
            recovered: AtomicBool::new(false),
            closing: AtomicBool::new(false),
        });
        let recovery = inner.recovery(end, torn_bytes)?;
        inner.look_at_room();
        let store = Self {
            threads: parking_lot::Mutex::new(vec![
                spawn(&inner, "journal", writer::run),
                spawn(&inner, "journal-keeper", keeper::run),
            ]),
            inner,
        };
        Ok((store, recovery))
    }

    /// The place of the oldest record.
    pub fn kept_from(&self) -> Place {
        self.inner.floor()
    }

    /// Every row that is kept, for whoever looks at the whole of it.
    pub fn all(&self) -> Rows {
        self.inner.all()
    }

    /// All that is kept and durable at one moment, which neither what is appended nor what is dropped later changes.
    /// Whoever holds it keeps what is dropped meanwhile on the disk.
    ///
    /// # Errors
    /// The state beside the records cannot be read. Damage in the parts themselves comes when they are read.
    pub fn contents(&self) -> Result<Contents, Damage> {
        self.inner.contents()
    }

    /// Writes what has gathered, syncs it, and ends the threads. What is appended later is not written.
    pub fn close(&self) {
        self.inner.closing.store(true, Ordering::Relaxed);
        self.inner.queue.close();
        for thread in self.threads.lock().drain(..) {
            // The keeper may be between two looks.
            thread.thread().unpark();
            // A thread that panicked has told so, and the process ends anyway.
            let _ = thread.join();
        }
        if !self.inner.has_failed() {
            let durable = *self.inner.durable.borrow();
            self.inner
                .keep(|state| state.put_durable(durable).and_then(|()| state.sync()));
        }
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        self.close();
        if self.inner.has_failed() {
            // Closing the database would sync once more, and what failed is never tried again.
            std::mem::forget(Arc::clone(&self.inner));
        }
    }
}

impl Journal for Store {
    fn reserve(&self, bytes: usize) -> Result<Room, NoRoom> {
        let no_room = |limit, limit_bytes| NoRoom {
            limit,
            limit_bytes,
            wanted_bytes: bytes as u64,
        };
        if self.inner.full.load(Ordering::Relaxed) {
            return Err(no_room("reserve", self.inner.settings.reserve_bytes));
        }
        if !self.inner.queue.has_room(bytes) {
            return Err(no_room(
                "the journal's queue",
                queue::QUEUE_BYTES_MAX as u64,
            ));
        }
        Ok(Room::new(bytes))
    }

    fn append(&self, room: Room, entry: EntryRef<'_>) -> Place {
        debug_assert!(
            entry.record.len() <= room.bytes(),
            "{entry:?} is longer than its room"
        );
        debug_assert!(entry.record.len() <= RECORD_BYTES_MAX);
        self.inner.queue.push(entry)
    }

    fn end(&self) -> Place {
        self.inner.queue.end()
    }

    fn answerable(&self, place: Place) -> Waiting<'_, ()> {
        match self.inner.settings.durability {
            Durability::Sync | Durability::Interval => passed(&self.inner.answerable, place),
            Durability::None => Box::pin(std::future::ready(())),
        }
    }

    fn durable(&self, place: Place) -> Waiting<'_, ()> {
        passed(&self.inner.durable, place)
    }

    fn synced(&self) -> Waiting<'_, ()> {
        let nth = self.inner.queue.ask_sync();
        passed(&self.inner.synced, nth - 1)
    }

    fn read(&self, query: Query) -> Waiting<'_, Result<Page, Damage>> {
        let inner = Arc::clone(&self.inner);
        Box::pin(blocking(move || inner.page(&query)))
    }

    fn get(&self, hunt: &HuntId, sequence: u64) -> Waiting<'_, Result<Option<Bytes>, Damage>> {
        let (inner, hunt) = (Arc::clone(&self.inner), hunt.clone());
        Box::pin(blocking(move || inner.get(&hunt, sequence)))
    }

    fn kept(&self) -> Kept {
        self.inner.kept()
    }

    fn failed(&self) -> Waiting<'_, String> {
        let mut failure = self.inner.failure.subscribe();
        Box::pin(async move {
            let why = failure.wait_for(Option::is_some).await.ok();
            let why = why.and_then(|why| why.clone());
            match why {
                Some(why) => why,
                None => std::future::pending().await, // the journal is closed, and has not failed
            }
        })
    }

    fn unsnapped(&self, place: Place) -> Vec<HuntId> {
        self.inner.index.unsnapped(place)
    }

    fn overdue(&self) -> Place {
        Place(self.inner.overdue.load(Ordering::Relaxed))
    }

    fn put_snapshot(&self, hunt: KeptHunt) {
        let (id, upto) = (hunt.hunt.clone(), hunt.upto);
        fail::fail_point!("snapshot");
        self.inner.keep(|state| state.put_snapshot(hunt));
        self.inner.index.snapped(&id, upto);
    }

    fn let_go(&self, hunt: &HuntId) {
        let gone_max = self.inner.settings.gone_ids_max;
        self.inner.keep(|state| state.let_go(hunt, gone_max));
        self.inner.index.let_go(hunt);
    }

    fn put_fence(&self, fence: &Fence) {
        crash_point!("fence");
        self.inner
            .keep(|state| state.put_fence(fence).and_then(|()| state.sync()));
        crash_point!("fence_kept");
    }
}

impl Inner {
    /// Changes the state; a change that fails is the end.
    fn keep(&self, change: impl FnOnce(&State) -> fjall::Result<()>) {
        if let Err(err) = change(&self.state) {
            self.fail(&unwritten("the state beside the records", &err));
        }
    }

    /// Ends all writing. The first story is the one that counts.
    fn fail(&self, why: &str) {
        self.failure.send_if_modified(|failure| {
            let first = failure.is_none();
            if first {
                *failure = Some(why.to_owned());
            }
            first
        });
    }

    fn has_failed(&self) -> bool {
        self.failure.borrow().is_some()
    }

    fn recovery(self: &Arc<Self>, end: Place, torn_bytes: u64) -> Result<Recovery, Damage> {
        let now = self.state.now();
        let hunts: Vec<_> = self.state.snapshots(&now)?.collect::<Result<_, _>>()?;
        crash_point!("snapshots_read");
        let (start, indexed) = (self.state.recovery_start(&now)?, self.state.indexed(&now)?);
        let durable = self.state.durable(&now)?;
        let ahead = |what: &str, place: Place| Damage {
            at: format!("place {}", end.0),
            what: format!(
                "the records end here, and {what} knows of them up to place {}",
                place.0
            ),
        };
        if durable > end {
            return Err(ahead("the state beside them", durable));
        }
        if start > end {
            return Err(ahead("recovery", start));
        }
        if indexed > end {
            return Err(ahead("the index", indexed));
        }
        if let Some(kept) = hunts.iter().find(|kept| kept.upto > end) {
            let what = format!("the snapshot of hunt {}", kept.hunt);
            return Err(ahead(&what, kept.upto));
        }
        let floor = self.floor();
        if start < floor {
            return Err(Damage {
                at: format!("place {}", start.0),
                what: format!(
                    "recovery begins here, and the oldest record is at place {}",
                    floor.0
                ),
            });
        }
        let gone = self.state.gone(&now)?;
        let from = start.min(indexed).max(floor);
        // Where there is nothing to read, it is read.
        self.recovered.store(from == end, Ordering::Release);
        Ok(Recovery {
            engine_incarnation: draw_incarnation(),
            fence: self.state.fence(&now)?,
            rows: self.rows(from, indexed, start, &hunts, &gone),
            rows_records_max: end.0 - from.0,
            gone,
            hunts,
            torn_bytes,
        })
    }
}

/// What is said of a write that failed.
fn unwritten(what: &str, err: &fjall::Error) -> String {
    if matches!(err, fjall::Error::Poisoned) {
        return format!("{what} cannot be written, as a table could not be; the log says why");
    }
    format!("{what} cannot be written: {err}")
}

/// Begins a thread. One that panics is the end of the journal: else those who wait for it would wait for ever.
fn spawn(inner: &Arc<Inner>, name: &str, run: fn(&Arc<Inner>)) -> JoinHandle<()> {
    let inner = Arc::clone(inner);
    let run = move || {
        if catch_unwind(AssertUnwindSafe(|| run(&inner))).is_err() {
            inner.fail("a thread of the journal panicked; the log says where");
        }
    };
    let thread = thread::Builder::new().name(name.to_owned());
    #[expect(
        clippy::expect_used,
        reason = "a process that cannot begin a thread cannot serve"
    )]
    thread.spawn(run).expect("a thread for the journal")
}

/// Begins a journal beside its place, and moves it there when it is whole: in its place no part of it may be missing.
fn begin(dir: &Path) -> Result<(), Damage> {
    let new = dir.with_extension("begun");
    if new.exists() {
        fs::remove_dir_all(&new).map_err(storage(&new))?; // of a process that ended on the way
    }
    let (records_dir, state_dir) = (new.join(RECORDS), new.join(STATE));
    for path in [&records_dir, &state_dir] {
        fs::create_dir_all(path).map_err(storage(path))?;
    }
    let state = State::open(&state_dir)?;
    state.begin().map_err(storage(&state_dir))?;
    let database = open(&records_dir)?;
    let begun = records(&database).and_then(|_| database.persist(PersistMode::SyncAll));
    begun.map_err(storage(&records_dir))?;
    drop((state, database));
    crash_point!("begun");
    sync_dir(&new).map_err(storage(&new))?;
    put_in_place(&new, dir).map_err(storage(dir))
}

/// Whether nothing is there yet.
fn is_empty(dir: &Path) -> std::io::Result<bool> {
    match fs::read_dir(dir) {
        Ok(mut entries) => Ok(entries.next().is_none()),
        Err(err) if err.kind() == std::io::ErrorKind::NotFound => Ok(true),
        Err(err) => Err(err),
    }
}

/// Opens a database of ours. What fjall does not expect may make it panic: that is damage too.
fn open(path: &Path) -> Result<Database, Damage> {
    let open = || {
        Database::builder(path)
            // One thread: tables are written and dropped one after the other, and never merged.
            .worker_threads(1)
            .manual_journal_persist(true)
            .max_journaling_size(AHEAD_BYTES_MAX)
            // As it is written it can be looked at, and it is gone as soon as it is a table.
            .journal_compression(CompressionType::None)
            .cache_size(16 << 20)
            .open()
    };
    match catch_unwind(AssertUnwindSafe(open)) {
        Ok(opened) => opened.map_err(storage(path)),
        Err(_) => Err(Damage {
            at: path.display().to_string(),
            what: "fjall panicked on it; the log says where".to_owned(),
        }),
    }
}

fn records(database: &Database) -> fjall::Result<Keyspace> {
    database.keyspace("records", || {
        KeyspaceCreateOptions::default()
            .max_memtable_size(TABLE_BYTES)
            .manual_journal_persist(true)
            .data_block_size_policy(BlockSizePolicy::all(COMPRESSED_BYTES))
            // Rows are found by their order, never by a key that may be missing.
            .filter_policy(FilterPolicy::disabled())
            // Tables are never merged: places only grow. What is old goes by retention alone.
            .compaction_strategy(Arc::new(Fifo::new(u64::MAX, None)))
    })
}

/// Gives a file or directory its name, for good.
///
/// # Errors
/// The system's.
pub fn put_in_place(from: &Path, to: &Path) -> std::io::Result<()> {
    fs::rename(from, to)?;
    let parent = to.parent().filter(|path| !path.as_os_str().is_empty());
    sync_dir(parent.unwrap_or(Path::new(".")))
}

/// Makes what was named in a directory durable.
///
/// # Errors
/// The system's.
pub fn sync_dir(path: &Path) -> std::io::Result<()> {
    fs::File::open(path)?.sync_all()
}

/// What a failure of the storage is called: where it was, and what it says.
fn storage<E: Display>(at: impl AsRef<Path>) -> impl Fn(E) -> Damage {
    move |err| Damage {
        at: at.as_ref().display().to_string(),
        what: err.to_string(),
    }
}

/// Completes when the value has passed `place`.
fn passed<T: PartialOrd + Copy + Send + Sync + 'static>(
    value: &watch::Sender<T>,
    place: T,
) -> Waiting<'_, ()> {
    if *value.borrow() > place {
        return Box::pin(std::future::ready(()));
    }
    let mut value = value.subscribe();
    Box::pin(async move {
        // The sender lives as long as the journal: an error cannot be.
        let _ = value.wait_for(|value| *value > place).await;
    })
}

/// Runs what blocks beside the runtime, where it keeps no other task waiting.
pub async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        // Cancelled: the runtime ends, and nobody waits for the answer.
        Err(err) => match err.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => std::future::pending().await,
        },
    }
}

#[cfg(test)]
mod damage;
