//! Who says which hunts this engine owns, at which epoch; and the fence that keeps all others off.
//!
//! Every call that creates or moves a hunt passes here. What it changes of the fence is kept before it is
//! answered, so that a restart forgets neither ledger nor router. An epoch alone is kept by the record of the
//! hunt that has it, and with the fence before that hunt is let go.
//!
//! What must stay true: one task writes at a time, and always the newest; no lock is held while it does.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use parking_lot::Mutex;
use tokio::{sync::watch, task};

use crate::{
    config::Claim,
    journal::{Fence, Journal},
};

/// The epoch of the hunts that an engine claims by itself, as long as it has recovered none.
const FIRST_EPOCH: u64 = 1;

/// The rule for hunts, and the fence. Safe for concurrent use.
pub(super) struct Claims {
    by: Claim,
    seen: Mutex<Seen>,
    /// How many of the changes are kept.
    kept: watch::Sender<u64>,
    writing: AtomicBool,
}

struct Seen {
    fence: Fence,
    /// How often the fence changed.
    changes: u64,
    /// The last change that a call made, and waits for.
    by_router: u64,
    /// At which an engine that claims by itself owns its hunts.
    own_epoch: u64,
}

/// How much of the fence has to be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keep {
    /// The router that came.
    Router,
    /// The highest epoch too.
    All,
}

impl Claims {
    pub(super) fn new(by: Claim) -> Self {
        Self {
            by,
            seen: Mutex::new(Seen {
                fence: Fence::default(),
                changes: 0,
                by_router: 0,
                own_epoch: FIRST_EPOCH,
            }),
            kept: watch::Sender::new(0),
            writing: AtomicBool::new(false),
        }
    }

    /// Goes on from the fence that was kept.
    pub(super) fn restore(&self, fence: Fence) {
        let mut seen = self.seen.lock();
        seen.own_epoch = fence.epoch + 1;
        seen.fence = fence;
    }

    /// The epoch at which a hunt is created.
    pub(super) fn admit_create(
        &self,
        epoch: u64,
        router_incarnation: u64,
    ) -> Result<u64, ClaimError> {
        match self.by {
            Claim::Auto if epoch == 0 && router_incarnation == 0 => Ok(self.seen.lock().own_epoch),
            Claim::Auto => Err(ClaimError::NoRouterWanted {
                epoch,
                router_incarnation,
            }),
            Claim::Router if epoch == 0 || router_incarnation == 0 => {
                Err(ClaimError::RouterNeeded {
                    epoch,
                    router_incarnation,
                })
            }
            Claim::Router => {
                let mut seen = self.seen.lock();
                seen.admit_incarnation(router_incarnation)?;
                Ok(epoch)
            }
        }
    }

    /// Lets a router's call pass. The first ledger that comes is this engine's.
    pub(super) fn admit_router(
        &self,
        ledger_id: &str,
        router_incarnation: u64,
    ) -> Result<(), ClaimError> {
        match self.by {
            Claim::Auto => return Err(ClaimError::ClaimsItself),
            Claim::Router => {}
        }
        let mut seen = self.seen.lock();
        let is_new = seen.fence.ledger_id.is_empty();
        if !is_new && seen.fence.ledger_id != ledger_id {
            return Err(ClaimError::OtherLedger {
                ledger_id: ledger_id.to_owned(),
                kept: seen.fence.ledger_id.clone(),
            });
        }
        seen.admit_incarnation(router_incarnation)?;
        if is_new {
            ledger_id.clone_into(&mut seen.fence.ledger_id);
            seen.changed_by_router();
        }
        Ok(())
    }

    /// A hunt has this epoch now.
    pub(super) fn saw_epoch(&self, epoch: u64) {
        let mut seen = self.seen.lock();
        if epoch > seen.fence.epoch {
            seen.fence.epoch = epoch;
            seen.changes += 1;
        }
    }

    /// The epoch at which this engine claims what was recovered; `None` if a router does.
    pub(super) fn own_epoch(&self) -> Option<u64> {
        match self.by {
            Claim::Auto => Some(self.seen.lock().own_epoch),
            Claim::Router => None,
        }
    }

    /// The highest incarnation of a router that came.
    pub(super) fn router_incarnation(&self) -> u64 {
        self.seen.lock().fence.router_incarnation
    }

    /// Completes when the fence as it is now is kept. Never completes once the journal failed.
    pub(super) async fn kept(self: &Arc<Self>, journal: &Arc<dyn Journal>, what: Keep) {
        let wanted = {
            let seen = self.seen.lock();
            match what {
                Keep::Router => seen.by_router,
                Keep::All => seen.changes,
            }
        };
        let mut kept = self.kept.subscribe();
        while *kept.borrow_and_update() < wanted {
            if !self.writing.swap(true, Ordering::AcqRel) {
                // A task of its own: a call that is cancelled does not stop it half way.
                tokio::spawn(Arc::clone(self).write(Arc::clone(journal)));
            }
            if kept.changed().await.is_err() {
                return; // the sender lives in `self`
            }
        }
    }

    async fn write(self: Arc<Self>, journal: Arc<dyn Journal>) {
        let (fence, changes) = {
            let seen = self.seen.lock();
            (seen.fence.clone(), seen.changes)
        };
        let to = Arc::clone(&journal);
        let put = task::spawn_blocking(move || to.put_fence(&fence)).await;
        if put.is_ok() {
            journal.synced().await;
        }
        self.writing.store(false, Ordering::Release);
        if put.is_ok() {
            self.kept.send_replace(changes);
        }
    }
}

impl Seen {
    fn admit_incarnation(&mut self, router_incarnation: u64) -> Result<(), ClaimError> {
        let seen = self.fence.router_incarnation;
        if router_incarnation < seen {
            return Err(ClaimError::OldRouter {
                router_incarnation,
                seen,
            });
        }
        if router_incarnation > seen {
            self.fence.router_incarnation = router_incarnation;
            self.changed_by_router();
        }
        Ok(())
    }

    fn changed_by_router(&mut self) {
        self.changes += 1;
        self.by_router = self.changes;
    }
}

/// Why a call is not taken from whom it came.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClaimError {
    /// `--claim router`, and the caller is none.
    #[error(
        "epoch and router_incarnation must be 1 at least, and are {epoch} and {router_incarnation}: \
         create hunts through the router, or start this engine with --claim auto"
    )]
    RouterNeeded {
        /// What came.
        epoch: u64,
        /// What came.
        router_incarnation: u64,
    },
    /// `--claim auto`, and the caller is a router.
    #[error(
        "this engine assigns epochs itself (--claim auto): epoch and router_incarnation must be 0, and are \
         {epoch} and {router_incarnation}; or start it with --claim router"
    )]
    NoRouterWanted {
        /// What came.
        epoch: u64,
        /// What came.
        router_incarnation: u64,
    },
    /// `--claim auto`, and the call is one of a router.
    #[error(
        "this engine claims its hunts by itself (--claim auto) and takes no router's calls: start it with \
         --claim router"
    )]
    ClaimsItself,
    /// A router that was started before the one that was here last.
    #[error(
        "router_incarnation {router_incarnation} is that of a router which was replaced: {seen} was here already"
    )]
    OldRouter {
        /// What came.
        router_incarnation: u64,
        /// The highest that came before.
        seen: u64,
    },
    /// The router of another shard.
    #[error(
        "ledger {ledger_id:?} is not this engine's, which is {kept:?}: point the router at its own shard's engine, \
         or give this one an empty --data-dir"
    )]
    OtherLedger {
        /// What came.
        ledger_id: String,
        /// The first that came.
        kept: String,
    },
    /// A call that was meant for another start of the engine.
    #[error(
        "engine_incarnation {asked} is not this engine's, which is {ours}: it was restarted, say Hello again"
    )]
    OtherEngine {
        /// What came.
        asked: u64,
        /// That of this start.
        ours: u64,
    },
}
