//! What one process of player state is: its hunts, their journal, the rulesets, the clocks, and the
//! bounds over all of it.
//!
//! Owns the way from a command to a record: find the hunt, lock it, apply, journal, unlock. That way
//! is synchronous; what has to be waited for ([`Shard::kept`]) comes after it. Never knows a socket
//! or a status; never holds the locks of two hunts.

mod apply;
mod checkpoint;
mod claims;
mod gone;
mod hunts;
mod ownership;
mod placed;
mod recover;
mod rulesets;
mod sweep;
mod tally;
mod time;

use std::{
    future::poll_fn,
    ops::Deref,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, OnceLock},
    task::Poll,
    time::{Duration, Instant},
};

use arc_swap::ArcSwap;
use prost::Message as _;
use tokio::{
    sync::{mpsc, watch},
    time::timeout_at,
};

pub(crate) use self::recover::restore;
pub use self::{
    checkpoint::Checkpoints,
    claims::ClaimError,
    hunts::{CreateRefused, HuntRefused},
    ownership::{ActivateRefused, Caller, ENGINE, Identity},
    recover::{Progress, Recovered},
    rulesets::{Changes, RULESETS_MAX, Rulesets, RulesetsError, ruleset_bytes},
    time::CallTime,
};
use self::{claims::Claims, gone::GoneIds, placed::Placed, tally::Counters, time::Clock};
use crate::{
    config::{Claim, Settings},
    engine::{self, Directory, Ended, Hunt, HuntId},
    journal::{self, EntryRef, Journal, Place},
    pb,
    telemetry::Metrics,
    wire,
};

/// What a reply of the feed holds when its reader does not say, and the most that it ever holds.
const REPLY_BYTES_MAX: usize = 192 * 1024;

/// What a reply of the feed holds beside its records, at most.
const REPLY_REST_BYTES: usize = 1024;

/// The bounds of a shard. At each the answer is a refusal that names it.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Hunts at once, ended ones that are still kept included; players over all of them.
    pub held: engine::Limits,
    /// Treasures and caches that all hunts that are held began with.
    pub placed_max: u64,
    /// Commands in one batch.
    pub batch_commands_max: usize,
    /// Outcomes of one batch, in bytes.
    pub batch_outcome_bytes_max: usize,
    /// Records of one reply of the feed, in bytes with their framing.
    pub reply_bytes_max: usize,
    /// How long an ended hunt still answers reads.
    pub ended_keep: Duration,
    /// Ids of hunts let go that are remembered.
    pub gone_ids_max: usize,
}

impl From<&Settings> for Limits {
    fn from(settings: &Settings) -> Self {
        Self {
            held: engine::Limits {
                hunts: settings.hunts_max,
                players: settings.players_max,
            },
            placed_max: settings.placed_max as u64,
            batch_commands_max: settings.batch_commands_max,
            batch_outcome_bytes_max: settings.batch_outcome_bytes_max.0,
            reply_bytes_max: REPLY_BYTES_MAX.min(settings.message_bytes_max.0 - REPLY_REST_BYTES),
            ended_keep: settings.ended_keep,
            gone_ids_max: settings.gone_ids_max,
        }
    }
}

/// Everything that the services share. Safe for concurrent use.
pub struct Shard {
    hunts: Directory,
    journal: Arc<dyn Journal>,
    /// What new hunts may name. Swapped as a whole, and read without a lock.
    rulesets: ArcSwap<Rulesets>,
    identity: Identity,
    claims: Arc<Claims>,
    clock: Clock,
    limits: Limits,
    placed: Placed,
    gone: GoneIds,
    /// Hunts that were let go, for the journal to forget: where one runs, the checkpoints take them.
    forgetting: OnceLock<mpsc::Sender<HuntId>>,
    counters: Counters,
    metrics: Arc<Metrics>,
    draining: watch::Sender<bool>,
}

impl Shard {
    /// A shard without hunts. Its [`sweep`](Self::sweep) is for the caller to run.
    pub fn new(
        journal: Arc<dyn Journal>,
        rulesets: Rulesets,
        claim: Claim,
        limits: Limits,
        metrics: Arc<Metrics>,
    ) -> Self {
        Self {
            hunts: Directory::new(limits.held),
            journal,
            rulesets: ArcSwap::from_pointee(rulesets),
            identity: Identity::of_a_process(),
            claims: Arc::new(Claims::new(claim)),
            clock: Clock::start(),
            limits,
            placed: Placed::new(limits.placed_max),
            gone: GoneIds::new(limits.gone_ids_max),
            forgetting: OnceLock::new(),
            counters: Counters::new(&metrics),
            metrics,
            draining: watch::Sender::new(false),
        }
    }

    /// The same, as the start of an engine whose journal outlives its process.
    #[must_use]
    pub fn known_as(mut self, identity: Identity) -> Self {
        self.identity = identity;
        self
    }

    /// Where the shard's records go.
    pub fn journal(&self) -> &dyn Journal {
        &*self.journal
    }

    /// The bounds.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// What the shard counts.
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// The rulesets that new hunts may name now.
    pub fn rulesets(&self) -> Arc<Rulesets> {
        self.rulesets.load_full()
    }

    /// Puts others in their place, all at once. Hunts that are here keep what they began with.
    pub fn replace_rulesets(&self, rulesets: Rulesets) {
        self.rulesets.store(Arc::new(rulesets));
    }

    /// Lets readers that wait for news go, now and from here on. Work in hand ends.
    pub fn drain(&self) {
        self.draining.send_replace(true);
    }

    /// Completes when the shard begins to drain.
    pub async fn draining(&self) {
        // The sender lives in `self`, so the wait ends by the value alone.
        let _ = self
            .draining
            .subscribe()
            .wait_for(|draining| *draining)
            .await;
    }

    /// Waits until all that was journaled so far may be answered, and with it all that an answer made
    /// before can have seen. False if that is not known at `until`.
    pub async fn kept(&self, until: Instant) -> bool {
        let Some(last) = self.journal.end().0.checked_sub(1) else {
            return true;
        };
        let mut answerable = self.journal.answerable(Place(last));
        // Where nothing is synced that is known at once, and needs no timer.
        let at_once = poll_fn(|cx| Poll::Ready(answerable.as_mut().poll(cx))).await;
        at_once.is_ready() || timeout_at(until.into(), answerable).await.is_ok()
    }

    /// Writes a hunt's end down. Under the hunt's lock, like every append.
    fn append_end(&self, room: journal::Room, hunt: &Hunt, ended: &Ended) {
        let record = wire::ended_record(hunt.id(), ended);
        self.append(room, hunt, &record, false);
    }

    fn append(&self, room: journal::Room, hunt: &Hunt, record: &pb::Record, is_move: bool) {
        let entry = EntryRef {
            hunt: hunt.id(),
            sequence: record.sequence,
            is_move,
            record: &record.encode_to_vec(),
        };
        self.journal.append(room, entry);
    }

    /// Runs `work` on a hunt. A panic in it is caught here, after the guard, dropped on the way, has
    /// put the hunt into quarantine: one hunt is out of service, and nothing else.
    fn guarded<G: Deref<Target = Hunt>, T>(
        &self,
        hunt_id: &HuntId,
        hunt: G,
        work: impl FnOnce(&mut G) -> T,
    ) -> Result<(G, T), Panicked> {
        // Whatever `work` had is dropped or, with the hunt, never looked at again.
        let caught = catch_unwind(AssertUnwindSafe(move || {
            let mut hunt = hunt;
            let done = work(&mut hunt);
            (hunt, done)
        }));
        caught.map_err(|_| {
            self.metrics.player_state_panics_total.inc();
            tracing::error!(%hunt_id, "the engine panicked: this hunt is quarantined");
            Panicked
        })
    }
}

/// The engine panicked on a hunt, which is quarantined by now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Panicked;
