//! Snapshots of hunts, so that a restart plays few records again.
//!
//! A thread of its own, on no runtime: it encodes, and it waits for the disk, once for many hunts. It holds one hunt's
//! lock at a time, for one copy of the hunt, and takes no more than a part of a core.
//!
//! Of a hunt in quarantine there is no state to keep: its records stay, so that a restart or whoever looks at it has
//! them, until retention wants to go past them. Then it is let go, loudly.

use std::{
    collections::VecDeque,
    sync::{Arc, OnceLock},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use prost::{Message as _, bytes::Bytes};
use tokio::{
    runtime::Handle,
    sync::{mpsc, oneshot},
};

use super::{Shard, claims::Keep};
use crate::{
    engine::HuntId,
    journal::{KeptHunt, Place},
    wire,
};

const EVERY: Duration = Duration::from_millis(100);

/// What a restart plays again at most: so many records, or as many as there are players, if that is more, for a
/// snapshot costs as much as its players. A hunt is due when three quarters of it followed its first record that no
/// snapshot holds: the last is for what comes until its turn.
const BEHIND_RECORDS_MIN: u64 = 131_072;

/// A hunt is due after so long, however few its records are: retention drops only what no restart needs.
const AGE_MAX: Duration = Duration::from_mins(1);

/// Snapshots that wait for the disk together have so many bytes, and one more.
const TOGETHER_BYTES: usize = 512 << 10;

/// After them the thread rests so many times as long as they took to encode.
const REST: u32 = 3;

/// Hunts let go that wait for the thread.
const FORGETTING_MAX: usize = 1024;

/// The thread. [`finish`](Self::finish) ends it.
pub struct Checkpoints {
    finish_until: Arc<OnceLock<Instant>>,
    thread: JoinHandle<()>,
    ended: oneshot::Receiver<()>,
}

impl Checkpoints {
    /// Begins to take snapshots. To be called on a runtime, once a shard.
    ///
    /// # Errors
    /// The system's, if it has no thread to give.
    pub fn start(shard: &Arc<Shard>) -> std::io::Result<Self> {
        let (forget, forgetting) = mpsc::channel(FORGETTING_MAX);
        // Set once: there is one thread a shard.
        let _ = shard.forgetting.set(forget);
        let finish_until = Arc::new(OnceLock::new());
        let mut rounds = Rounds {
            shard: Arc::clone(shard),
            runtime: Handle::current(),
            forgetting,
            finish_until: Arc::clone(&finish_until),
            ends: VecDeque::new(),
        };
        let thread = thread::Builder::new().name("checkpoints".to_owned());
        let (end, ended) = oneshot::channel();
        let run = move || {
            rounds.run();
            // Dropped on the way by a panic, and by nothing else.
            let _ = end.send(());
        };
        Ok(Self {
            finish_until,
            thread: thread.spawn(run)?,
            ended,
        })
    }

    /// Completes if the thread panicked. Cancel safe.
    pub async fn panicked(&mut self) {
        // Else it ends only when it is told to.
        let _ = (&mut self.ended).await;
    }

    /// Takes a snapshot of every hunt that a restart would have to play records for, as far as there is time, and
    /// ends.
    pub fn finish(self, until: Instant) {
        // Set once: finishing takes the handle.
        let _ = self.finish_until.set(until);
        self.thread.thread().unpark();
        // A thread that panicked has told so, and a restart plays more.
        let _ = self.thread.join();
    }
}

struct Rounds {
    shard: Arc<Shard>,
    runtime: Handle,
    forgetting: mpsc::Receiver<HuntId>,
    finish_until: Arc<OnceLock<Instant>>,
    /// Where the journal ended, and when.
    ends: VecDeque<(Instant, Place)>,
}

impl Rounds {
    fn run(&mut self) {
        while !self.is_finishing() {
            fail::fail_point!("checkpoints");
            self.forget();
            let overdue = self.shard.journal.overdue();
            let due = self.due().max(overdue);
            let mut due = self.unsnapped(due);
            while !due.is_empty() && !self.is_finishing() {
                let worked = self.snapshot(&mut due);
                self.forget();
                thread::park_timeout(worked * REST);
            }
            self.let_go_overdue(overdue);
            thread::park_timeout(EVERY);
        }
        self.forget();
        let mut left = self.unsnapped(self.shard.journal.end());
        while !left.is_empty() {
            if self
                .finish_until
                .get()
                .is_some_and(|until| Instant::now() >= *until)
            {
                tracing::warn!(
                    hunts = left.len(),
                    "no time was left for their snapshots: the next start plays their records"
                );
                return;
            }
            self.snapshot(&mut left);
        }
    }

    fn is_finishing(&self) -> bool {
        self.finish_until.get().is_some()
    }

    /// Whose records before `place` no snapshot holds, the longest due first.
    fn unsnapped(&self, place: Place) -> VecDeque<HuntId> {
        self.shard.journal.unsnapped(place).into()
    }

    /// Hunts whose records before this place no snapshot holds are due.
    fn due(&mut self) -> Place {
        let end = self.shard.journal.end();
        let now = Instant::now();
        self.ends.push_back((now, end));
        let mut aged = Place(0);
        while let Some((at, place)) = self.ends.front().copied()
            && now - at >= AGE_MAX
        {
            aged = place;
            self.ends.pop_front();
        }
        let players = self.shard.hunts.players() as u64;
        let behind = BEHIND_RECORDS_MIN.max(players);
        aged.max(Place(end.0.saturating_sub(behind / 4 * 3)))
    }

    /// Has the journal forget what was let go.
    fn forget(&mut self) {
        let Ok(first) = self.forgetting.try_recv() else {
            return;
        };
        if !self.epoch_kept() {
            return;
        }
        self.shard.journal.let_go(&first);
        while let Ok(hunt) = self.forgetting.try_recv() {
            self.shard.journal.let_go(&hunt);
        }
    }

    /// Lets go of hunts in quarantine whose records before `overdue` keep retention up. The rest had their snapshot
    /// taken, or are gone.
    fn let_go_overdue(&self, overdue: Place) {
        for id in self.shard.journal.unsnapped(overdue) {
            let lock = self.shard.hunts.get(id.as_str());
            if lock.is_none_or(|lock| lock.hold().is_ok()) {
                continue;
            }
            self.shard.gone.add(&id);
            if !self.epoch_kept() {
                return;
            }
            self.shard.journal.let_go(&id);
            let metrics = &self.shard.metrics;
            metrics.player_state_quarantined_let_go_total.inc();
            tracing::error!(
                hunt_id = %id,
                "retention goes past the records of this quarantined hunt: it is let go, and cannot be rebuilt any \
                 more; its id is not used again"
            );
        }
    }

    /// Keeps the highest epoch: a hunt that goes takes its own along. False if it never will be.
    fn epoch_kept(&self) -> bool {
        let Shard {
            claims, journal, ..
        } = &*self.shard;
        self.unless_failed(claims.kept(journal, Keep::All))
    }

    /// Takes the snapshots of the next hunts that are due, keeps them, and says how long they took to encode.
    fn snapshot(&self, due: &mut VecDeque<HuntId>) -> Duration {
        let began = Instant::now();
        let (mut taken, mut bytes) = (Vec::new(), 0);
        while bytes < TOGETHER_BYTES
            && let Some(id) = due.pop_front()
        {
            if let Some(kept) = self.encode(id) {
                bytes += kept.snapshot.len();
                taken.push(kept);
            }
        }
        let worked = began.elapsed();
        let upto = taken.last().map_or(Place(0), |last| last.upto);
        if self.durable(upto) {
            for kept in taken {
                self.shard.journal.put_snapshot(kept);
                self.shard.metrics.player_state_snapshots_total.inc();
            }
        }
        worked
    }

    /// A hunt as it is now. None of one that is gone, which is forgotten soon, or in quarantine.
    fn encode(&self, id: HuntId) -> Option<KeptHunt> {
        let lock = self.shard.hunts.get(id.as_str())?;
        let (hunt, upto) = {
            let held = lock.hold().ok()?;
            ((*held).clone(), self.shard.journal.end())
        };
        Some(KeptHunt {
            hunt: id,
            upto,
            snapshot: wire::hunt_snapshot(&hunt.snapshot()).encode_to_vec().into(),
            ruleset_hash: hunt.ruleset().hash().to_owned(),
            ruleset: Bytes::copy_from_slice(hunt.ruleset().bytes()),
        })
    }

    /// Waits until all before `upto` is durable. False if it never will be.
    fn durable(&self, upto: Place) -> bool {
        let Some(last) = upto.0.checked_sub(1) else {
            return true;
        };
        self.unless_failed(self.shard.journal.durable(Place(last)))
    }

    /// Waits. False if the journal failed: what is waited for never comes then.
    fn unless_failed(&self, done: impl Future<Output = ()>) -> bool {
        self.runtime.block_on(async {
            tokio::select! {
                () = done => true,
                _ = self.shard.journal.failed() => false,
            }
        })
    }
}
