//! Which hunts are this engine's: listed, activated, and claimed where no router does it.

use std::{sync::Arc, time::Instant};

use tokio::time::timeout_at;

use super::{ClaimError, HuntRefused, Panicked, Shard, claims::Keep, sweep::HUNTS_IN_A_ROW};
use crate::{
    engine::{
        Activated, Activation, HuntId, HuntLock, HuntStatus, NotActivated, NotServed, Quarantined,
    },
    journal::{APPLIED_BYTES_MAX, NoRoom, Place, crash_point, draw_incarnation},
    wire,
};

/// What this engine is called, to routers and in records.
pub const ENGINE: &str = "sidecar";

/// This start of the engine, as routers are told of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    /// New with every start.
    pub incarnation: u64,
    /// What an answer promises about a crash.
    pub durability: &'static str,
}

impl Identity {
    /// Of an engine that keeps nothing.
    #[must_use]
    pub fn of_a_process() -> Self {
        Self {
            incarnation: draw_incarnation(),
            durability: "process",
        }
    }
}

/// Who a router says that it is, and whom it means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    pub ledger_id: String,
    pub router_incarnation: u64,
    pub engine_incarnation: u64,
}

/// Why a hunt is not activated. Nothing changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ActivateRefused {
    /// The hunt is not here, or answers nothing, or its change could not be written down.
    Hunt(HuntRefused),
    /// It is here, and not where it would have to be.
    Engine(NotActivated),
}

impl Shard {
    /// This start of the engine.
    pub fn identity(&self) -> Identity {
        self.identity
    }

    /// The highest incarnation of a router that came.
    pub fn router_incarnation_seen(&self) -> u64 {
        self.claims.router_incarnation()
    }

    /// Lets a router pass that does not know this start of the engine yet.
    pub fn admit_router(&self, caller: &Caller) -> Result<(), ClaimError> {
        self.claims
            .admit_router(&caller.ledger_id, caller.router_incarnation)
    }

    /// Lets a router's call pass that was meant for this start of the engine.
    pub fn admit_call(&self, caller: &Caller) -> Result<(), ClaimError> {
        let ours = self.identity.incarnation;
        if caller.engine_incarnation != ours {
            return Err(ClaimError::OtherEngine {
                asked: caller.engine_incarnation,
                ours,
            });
        }
        self.admit_router(caller)
    }

    /// Waits until whom this engine admitted is kept. False if that is not known at `until`.
    pub async fn fence_kept(&self, until: Instant) -> bool {
        let kept = self.claims.kept(&self.journal, Keep::Router);
        timeout_at(until.into(), kept).await.is_ok()
    }

    /// Waits until all that was journaled so far is durable, whatever the durability that is asked for. False
    /// if that is not known at `until`.
    pub async fn durable(&self, until: Instant) -> bool {
        let Some(last) = self.journal.end().0.checked_sub(1) else {
            return true;
        };
        let durable = async {
            self.journal.synced().await;
            self.journal.durable(Place(last)).await;
        };
        timeout_at(until.into(), durable).await.is_ok()
    }

    /// Waits for one sync of the journal. False if it is not done at `until`.
    pub async fn synced(&self, until: Instant) -> bool {
        timeout_at(until.into(), self.journal.synced())
            .await
            .is_ok()
    }

    /// At most `hunts_max` hunts whose ids come after `after`, by id; and whether there are more.
    pub fn list(&self, after: &str, hunts_max: usize) -> (Vec<Arc<HuntLock>>, bool) {
        let mut hunts = self.hunts.hunts();
        hunts.retain(|lock| lock.id().as_str() > after);
        let by_id = |a: &Arc<HuntLock>, b: &Arc<HuntLock>| a.id().cmp(b.id());
        let more = hunts.len() > hunts_max;
        if more {
            hunts.select_nth_unstable_by(hunts_max, by_id);
            hunts.truncate(hunts_max);
        }
        hunts.sort_unstable_by(by_id);
        (hunts, more)
    }

    /// A hunt as a list shows it. A digest costs as much as players changed since it was last asked for.
    pub fn status(&self, lock: &HuntLock, with_digest: bool) -> HuntStatus {
        lock.status(with_digest)
    }

    /// Makes this engine a hunt's owner, and answers the sequence at which it became that. `missed` answered
    /// records are known to be lost.
    pub fn activate(
        &self,
        id: &HuntId,
        asked: Activation,
        missed: u64,
    ) -> Result<u64, ActivateRefused> {
        let lock = self.find(id).map_err(ActivateRefused::Hunt)?;
        self.activate_held(&lock, asked, missed)
    }

    fn activate_held(
        &self,
        lock: &HuntLock,
        asked: Activation,
        missed: u64,
    ) -> Result<u64, ActivateRefused> {
        let room = self.journal.reserve(APPLIED_BYTES_MAX)?;
        let now = self.clock.now();
        let (hunt, activated) =
            self.guarded(lock.id(), lock.hold()?, |hunt| hunt.activate(now, asked))?;
        match activated.map_err(ActivateRefused::Engine)? {
            Activated::Before { since } => Ok(since),
            Activated::Now(changed) => {
                crash_point!("claim");
                let owner = ENGINE.to_owned();
                let record = wire::owner_changed_record(hunt.id(), changed, owner, missed);
                self.append(room, &hunt, &record, false);
                self.claims.saw_epoch(changed.epoch);
                crash_point!("claimed");
                Ok(changed.sequence)
            }
        }
    }

    /// Claims what was recovered, where this engine claims by itself, and answers how many hunts that were.
    /// What cannot be claimed for now, for lack of room in the journal, the sweep claims later.
    pub async fn claim_recovered(&self) -> usize {
        let Some(epoch) = self.claims.own_epoch() else {
            return 0;
        };
        // Kept before the first hunt has it: an epoch is never used twice.
        self.claims.saw_epoch(epoch);
        self.claims.kept(&self.journal, Keep::All).await;
        let mut claimed = 0;
        for (n, lock) in self.hunts.hunts().iter().enumerate() {
            claimed += usize::from(self.claim(lock));
            if n % HUNTS_IN_A_ROW == HUNTS_IN_A_ROW - 1 {
                tokio::task::yield_now().await;
            }
        }
        if let Some(last) = self.journal.end().0.checked_sub(1) {
            self.journal.durable(Place(last)).await;
        }
        crash_point!("all_claimed");
        claimed
    }

    /// Claims one hunt at this engine's own epoch, as it is. False if a router does that, or if it cannot be.
    pub(super) fn claim(&self, lock: &HuntLock) -> bool {
        let Some(epoch) = self.claims.own_epoch() else {
            return false;
        };
        let asked = Activation {
            epoch,
            at: None,
            not_before_ms: i64::MIN,
        };
        match self.activate_held(lock, asked, 0) {
            Ok(_) => true,
            Err(ActivateRefused::Hunt(HuntRefused::NotServed(NotServed::Quarantined))) => false,
            Err(why) => {
                tracing::warn!(hunt_id = %lock.id(), ?why, "a recovered hunt cannot be claimed; the sweep tries again");
                false
            }
        }
    }
}

impl From<NoRoom> for ActivateRefused {
    fn from(why: NoRoom) -> Self {
        Self::Hunt(why.into())
    }
}

impl From<Quarantined> for ActivateRefused {
    fn from(Quarantined: Quarantined) -> Self {
        Self::Hunt(HuntRefused::NotServed(NotServed::Quarantined))
    }
}

impl From<Panicked> for ActivateRefused {
    fn from(why: Panicked) -> Self {
        Self::Hunt(why.into())
    }
}
