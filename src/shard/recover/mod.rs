//! From what a journal kept back to hunts: snapshots first, then the records after them.
//!
//! Hunts are dealt to one thread a core by their id, so that a hunt's records are played in order, by one thread,
//! without a lock. What must stay true: a hunt that does not come out as it was recorded is quarantined, loudly,
//! and no other waits for it; what cannot be read at all stops the start.

mod player;

use std::{
    collections::HashSet,
    fmt,
    num::NonZero,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
        mpsc::{SyncSender, sync_channel},
    },
    thread,
    time::{Duration, Instant},
};

use xxhash_rust::xxh64::xxh64;

pub(crate) use self::player::restore;
use self::player::{Played, Player};
use super::Shard;
use crate::{
    engine::HuntId,
    journal::{Damage, Entry, KeptHunt, Place, Recovery, Rows},
};

/// Records that a thread is handed at once: enough that handing costs nothing beside playing.
const BATCH_RECORDS: usize = 1024;

/// Batches that wait for a thread, at most: what is read ahead of it is bounded by them.
const BATCHES_AHEAD: usize = 4;

/// A record takes about as long to play as so many bytes of a snapshot take to load: an estimate, for the estimate of the whole.
const WORK_A_RECORD: u64 = 70;

type Batch = Vec<(Place, Entry)>;

/// How far a recovery is. Cloning shares it; reading never waits.
#[derive(Clone, Debug, Default)]
pub struct Progress(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    /// What there is to do, once that is known.
    work: OnceLock<Work>,
    hunts: AtomicU64,
    snapshot_bytes: AtomicU64,
    records: AtomicU64,
}

#[derive(Clone, Copy, Debug)]
struct Work {
    began: Instant,
    /// Those with a snapshot.
    hunts: u64,
    snapshot_bytes: u64,
    /// At most.
    records: u64,
}

/// What a recovery came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Recovered {
    /// Hunts that are here again, those in quarantine included.
    pub hunts: u64,
    /// All who ever joined them.
    pub players: u64,
    /// Records that were played: those that no snapshot held.
    pub replayed: u64,
    /// Hunts that did not come out as they were recorded.
    pub quarantined: u64,
    /// The bytes of a torn end that were cut off.
    pub torn_bytes: u64,
    pub took: Duration,
}

impl Shard {
    /// Rebuilds the hunts that a journal kept. Blocks, and takes all cores; to be called once, before anything
    /// is served.
    ///
    /// # Errors
    /// Records that cannot be read back. Nothing may be served then.
    pub fn recover(&self, recovery: Recovery, progress: &Progress) -> Result<Recovered, Damage> {
        let began = Instant::now();
        let mut fence = recovery.fence;
        recovery.gone.iter().for_each(|id| self.gone.add(id));
        let gone: HashSet<HuntId> = recovery.gone.into_iter().collect();
        progress.begin(&recovery.hunts, recovery.rows_records_max, began);

        let threads = thread::available_parallelism().map_or(1, NonZero::get);
        let played = thread::scope(|scope| {
            let (mut deals, mut players) = (Vec::new(), Vec::new());
            for hunts in deal_hunts(recovery.hunts, threads) {
                let (deal, batches) = sync_channel(BATCHES_AHEAD);
                deals.push(deal);
                let player = Player::new(self, &gone, progress);
                players.push(scope.spawn(move || player.play_all(hunts, batches)));
            }
            let read = deal_rows(recovery.rows, deals);
            let mut all = Played::default();
            for player in players {
                // A panic in a hunt is caught where it is played: one here is a mistake of ours.
                let played = player.join();
                all.add(&played.unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
            }
            read.map(|()| all)
        })?;

        fence.epoch = fence.epoch.max(played.epoch_max);
        self.claims.restore(fence);
        if !played.fits {
            tracing::warn!(
                hunts = played.hunts,
                players = played.players,
                limits = ?self.limits.held,
                "more was recovered than hunts_max or players_max allow; nothing new is taken until it is less"
            );
        }
        Ok(Recovered {
            hunts: played.hunts,
            players: played.players,
            replayed: played.records,
            quarantined: played.quarantined,
            torn_bytes: recovery.torn_bytes,
            took: began.elapsed(),
        })
    }
}

/// To which of `threads` a hunt belongs.
fn thread_of(hunt: &HuntId, threads: usize) -> usize {
    (xxh64(hunt.as_str().as_bytes(), 0) % threads as u64) as usize
}

fn deal_hunts(hunts: Vec<KeptHunt>, threads: usize) -> Vec<Vec<KeptHunt>> {
    let mut dealt: Vec<_> = (0..threads).map(|_| Vec::new()).collect();
    for kept in hunts {
        dealt[thread_of(&kept.hunt, threads)].push(kept);
    }
    dealt
}

/// Reads all rows, and hands each record to the thread of its hunt.
fn deal_rows(rows: Rows, deals: Vec<SyncSender<Batch>>) -> Result<(), Damage> {
    let batch = || Batch::with_capacity(BATCH_RECORDS);
    let mut batches: Vec<_> = deals.iter().map(|_| batch()).collect();
    for row in rows {
        for (place, entry) in row? {
            let n = thread_of(&entry.hunt, deals.len());
            batches[n].push((place, entry));
            if batches[n].len() == BATCH_RECORDS {
                let full = std::mem::replace(&mut batches[n], batch());
                // A thread that is gone panicked, which ends the scope and tells.
                let _ = deals[n].send(full);
            }
        }
    }
    for (deal, rest) in deals.into_iter().zip(batches) {
        let _ = deal.send(rest);
    }
    Ok(())
}

impl Progress {
    fn begin(&self, hunts: &[KeptHunt], records: u64, began: Instant) {
        let bytes = hunts.iter().map(|kept| kept.snapshot.len() as u64);
        let work = Work {
            began,
            hunts: hunts.len() as u64,
            snapshot_bytes: bytes.sum(),
            records,
        };
        // A second recovery would be told as the first: there is none.
        let _ = self.0.work.set(work);
    }

    fn loaded(&self, snapshot_bytes: u64) {
        self.0.hunts.fetch_add(1, Ordering::Relaxed);
        self.0
            .snapshot_bytes
            .fetch_add(snapshot_bytes, Ordering::Relaxed);
    }

    fn played(&self, records: u64) {
        self.0.records.fetch_add(records, Ordering::Relaxed);
    }

    /// How long what is left takes, at the speed so far. `None` while nothing is done.
    fn left(&self, work: &Work) -> Option<Duration> {
        let cost = |bytes: u64, records: u64| (bytes + WORK_A_RECORD * records) as f64;
        let bytes = self.0.snapshot_bytes.load(Ordering::Relaxed);
        let done = cost(bytes, self.0.records.load(Ordering::Relaxed));
        let rest = (cost(work.snapshot_bytes, work.records) - done).max(0.0) / done;
        Duration::try_from_secs_f64(work.began.elapsed().as_secs_f64() * rest).ok()
    }
}

impl fmt::Display for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(work) = self.0.work.get() else {
            return f.write_str("the journal is opened");
        };
        write!(
            f,
            "{} of {} hunts loaded, {} of at most {} records played",
            Grouped(self.0.hunts.load(Ordering::Relaxed)),
            Grouped(work.hunts),
            Grouped(self.0.records.load(Ordering::Relaxed)),
            Grouped(work.records),
        )?;
        match self.left(work) {
            Some(left) => write!(f, "; about {:.1} s to go", left.as_secs_f64()),
            None => Ok(()),
        }
    }
}

/// A number with commas between its thousands.
struct Grouped(u64);

impl fmt::Display for Grouped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 < 1000 {
            return write!(f, "{}", self.0);
        }
        write!(f, "{},{:03}", Self(self.0 / 1000), self.0 % 1000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_says_how_far_it_is_and_how_long_it_takes() {
        let progress = Progress::default();
        assert_eq!(progress.to_string(), "the journal is opened");
        let kept = KeptHunt {
            hunt: HuntId::parse("h").expect("a hunt id"),
            upto: Place(0),
            snapshot: vec![0; 700].into(),
            ruleset_hash: String::new(),
            ruleset: prost::bytes::Bytes::new(),
        };
        let began = Instant::now() - Duration::from_secs(1);
        progress.begin(&[kept], 1_234_567, began);
        assert_eq!(
            progress.to_string(),
            "0 of 1 hunts loaded, 0 of at most 1,234,567 records played",
            "no estimate before anything is done"
        );
        progress.loaded(700);
        progress.played(617_274);
        assert_eq!(
            progress.to_string(),
            "1 of 1 hunts loaded, 617,274 of at most 1,234,567 records played; about 1.0 s to go"
        );
    }
}
