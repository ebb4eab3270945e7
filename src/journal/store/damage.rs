//! What becomes of a journal of which one file is missing, is shorter, or has one bit flipped: the tables that fjall
//! writes, what names them, and the write-ahead files, of both databases.

use std::{collections::BTreeMap, num::NonZero, sync::mpsc};

use super::*;
use crate::journal::{Entry, Start};

/// More than it takes to open a journal, on a busy machine too.
const PATIENCE: Duration = Duration::from_secs(60);

type Files = BTreeMap<PathBuf, Vec<u8>>;

fn open_all(dir: &Path) -> Result<(Store, Recovery), Damage> {
    Store::open(dir, StoreSettings::keeping_all(Durability::Sync))
}

fn id(hunt: &str) -> HuntId {
    HuntId::parse(hunt).expect("an id")
}

async fn fill(store: &Store, sequences: std::ops::RangeInclusive<u64>) {
    for sequence in sequences {
        for hunt in ["a", "b"] {
            let entry = Entry {
                hunt: id(hunt),
                sequence,
                is_move: false,
                record: format!("{hunt}#{sequence}").into_bytes().into(),
            };
            let room = store.reserve(entry.record.len()).expect("room");
            let place = store.append(room, entry.borrowed());
            store.durable(place).await;
        }
    }
}

/// Writes a table of every keyspace.
fn write_tables(inner: &Inner) {
    for keyspace in inner.state.keyspaces().into_iter().chain([&inner.records]) {
        keyspace.rotate_memtable_and_wait().expect("a table");
    }
}

/// A journal that has something of everything, in tables and behind them.
async fn make(dir: &Path) {
    let (store, _) = open_all(dir).expect("a new journal");
    let state = &store.inner.state;
    for round in 0..2_u64 {
        fill(&store, round * 10 + 1..=round * 10 + 10).await;
        let end = store.end();
        let block = state::Block {
            first: Place(round * 20),
            end,
            at_ms: 1,
        };
        let spots = store.inner.index.before(end);
        state.put_block(block, &spots).expect("a block");
        store.inner.index.forget(end);
        store.put_snapshot(KeptHunt {
            hunt: id("a"),
            upto: end,
            snapshot: vec![round as u8; 3000].into(),
            ruleset_hash: "hash".to_owned(),
            ruleset: b"rules".as_slice().into(),
        });
        store.let_go(&id(&format!("gone-{round}")));
        store.put_fence(&Fence {
            ledger_id: "ledger".to_owned(),
            router_incarnation: 7,
            epoch: round,
        });
        state.put_recovery_start(end).expect("a fact");
        write_tables(&store.inner);
    }
    fill(&store, 21..=22).await;
}

/// All that a journal tells.
#[derive(Clone, Debug, PartialEq)]
struct Told {
    incarnation: u64,
    fence: Fence,
    gone: Vec<HuntId>,
    hunts: Vec<KeptHunt>,
    rows: Vec<String>,
    page: Vec<Bytes>,
    single: Vec<Option<Bytes>>,
}

fn look(dir: &Path) -> Result<Told, Damage> {
    let (store, recovery) = open_all(dir)?;
    let rows: Result<Vec<_>, _> = recovery.rows.collect();
    let rows = rows?.concat();
    let page = store.inner.page(&Query {
        from: Start::Oldest,
        records_max: 1000,
        bytes_max: usize::MAX,
        scan_max: 1000,
        skip_moves: false,
        hunt: None,
    })?;
    let single = |n| store.inner.get(&id("b"), n);
    Ok(Told {
        incarnation: store.inner.incarnation,
        fence: recovery.fence,
        gone: recovery.gone,
        hunts: recovery.hunts,
        rows: rows
            .iter()
            .map(|(place, entry)| format!("{} {entry:?}", place.0))
            .collect(),
        page: page.records,
        single: (1..=23).map(single).collect::<Result<_, _>>()?,
    })
}

/// The files of a directory, by their paths in it.
fn files(dir: &Path) -> Files {
    let mut found = BTreeMap::new();
    let mut dirs = vec![dir.to_owned()];
    while let Some(next) = dirs.pop() {
        for entry in fs::read_dir(next).expect("a directory") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                dirs.push(path);
            } else {
                let mut bytes = fs::read(&path).expect("a file");
                if path.extension().is_some_and(|ext| ext == "jnl") {
                    // All but a little of the room that is set aside and not used yet.
                    let unused = bytes.iter().rev().take_while(|byte| **byte == 0).count();
                    bytes.truncate(bytes.len() - unused + 100);
                }
                found.insert(path.strip_prefix(dir).expect("inside").to_owned(), bytes);
            }
        }
    }
    found
}

fn put(dir: &Path, files: &Files) {
    // Nothing is there the first time.
    let _ = fs::remove_dir_all(dir);
    for (path, bytes) in files {
        let path = dir.join(path);
        fs::create_dir_all(path.parent().expect("a parent")).expect("a directory");
        fs::write(path, bytes).expect("a file");
    }
}

/// What became of a journal that was changed in one place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Came {
    Right,
    Refused,
    Wrong,
    Panicked,
    Hung,
}

/// One file of a journal, changed: missing, shorter, or with another bit.
#[derive(Clone, Debug)]
enum Change {
    Missing,
    Cut(usize),
    Bit(usize),
}

impl Change {
    /// Each change of a file, or a sample of them.
    fn all(path: &Path, bytes: &[u8], step: usize) -> Vec<Self> {
        // A shorter write-ahead file of the state is an older state, and cannot be told from one.
        let cuts = if path == Path::new("state/0.jnl") {
            0
        } else {
            bytes.len()
        };
        let mut all = vec![Self::Missing];
        all.extend((0..cuts).step_by(step).map(Self::Cut));
        all.extend((0..bytes.len() * 8).step_by(step).map(Self::Bit));
        all
    }

    fn of(&self, files: &Files, path: &Path) -> Files {
        let mut files = files.clone();
        if let Some(bytes) = files.get_mut(path) {
            match self {
                Self::Missing => drop(files.remove(path)),
                Self::Cut(len) => bytes.truncate(*len),
                Self::Bit(bit) => bytes[bit / 8] ^= 1 << (bit % 8),
            }
        }
        files
    }
}

/// Opens the journal in `dir`, and reads all of it, for a while at most.
fn came(dir: &Path, told: &Told) -> Came {
    let (done, answer) = mpsc::channel();
    let dir = dir.to_owned();
    thread::spawn(move || {
        let looked = catch_unwind(AssertUnwindSafe(|| look(&dir)));
        // Nobody waits any more, if it hung.
        let _ = done.send(looked);
    });
    match answer.recv_timeout(PATIENCE) {
        Ok(Ok(Ok(found))) if found == *told => Came::Right,
        Ok(Ok(Ok(_))) => Came::Wrong,
        Ok(Ok(Err(damage))) => {
            assert!(!damage.at.is_empty() && !damage.what.is_empty());
            Came::Refused
        }
        Ok(Err(_)) => Came::Panicked,
        Err(_) => Came::Hung,
    }
}

/// Each file of both databases is missing, is cut, or has a bit flipped: a sample; `JOURNAL_BITS=1` takes every cut and
/// every bit. What comes of it is right, or a named refusal.
#[tokio::test]
async fn a_journal_with_one_file_missing_cut_or_flipped_is_right_or_refused() {
    // In memory where that can be: there is nothing about syncs here, and many of them.
    let dir = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir());
    let dir = dir.expect("a directory");
    let made = dir.path().join("made");
    make(&made).await;
    let whole = files(&made);
    let told = look(&made).expect("a whole journal");
    let step = if std::env::var_os("JOURNAL_BITS").is_some() {
        1
    } else {
        307
    };
    let changes = whole.iter().flat_map(|(path, bytes)| {
        let all = Change::all(path, bytes, step).into_iter();
        all.map(move |change| (path, change))
    });
    let (changes, counts) = (
        parking_lot::Mutex::new(changes),
        parking_lot::Mutex::new(BTreeMap::new()),
    );
    let (whole, told, dir) = (&whole, &told, dir.path());
    thread::scope(|scope| {
        for nth in 0..thread::available_parallelism().map_or(1, NonZero::get) {
            let (changes, counts) = (&changes, &counts);
            scope.spawn(move || {
                let dir = dir.join(nth.to_string());
                while let Some((path, change)) = { changes.lock().next() } {
                    put(&dir, &change.of(whole, path));
                    let came = came(&dir, told);
                    assert!(
                        came <= Came::Refused,
                        "{} {change:?}: {came:?}",
                        path.display()
                    );
                    *counts.lock().entry(came).or_insert(0) += 1;
                }
            });
        }
    });
    let counts = counts.into_inner();
    eprintln!("{counts:?}");
    assert!(counts[&Came::Refused] > counts[&Came::Right], "{counts:?}");
}
