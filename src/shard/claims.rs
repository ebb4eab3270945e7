//! Who says which hunts this engine owns, and at which epoch.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::config::Claim;

/// The epoch of a hunt that the engine claims by itself.
const FIRST_EPOCH: u64 = 1;

/// The rule for new hunts. Safe for concurrent use.
pub(super) struct Claims {
    by: Claim,
    /// The highest incarnation of a router that came.
    router_incarnation: AtomicU64,
}

impl Claims {
    pub(super) fn new(by: Claim) -> Self {
        Self {
            by,
            router_incarnation: AtomicU64::new(0),
        }
    }

    /// The epoch at which a hunt is created.
    pub(super) fn admit(&self, epoch: u64, router_incarnation: u64) -> Result<u64, ClaimError> {
        match self.by {
            Claim::Auto if epoch == 0 && router_incarnation == 0 => Ok(FIRST_EPOCH),
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
            Claim::Router => self.admit_router(router_incarnation).map(|()| epoch),
        }
    }

    fn admit_router(&self, router_incarnation: u64) -> Result<(), ClaimError> {
        let seen = self
            .router_incarnation
            .fetch_max(router_incarnation, Ordering::Relaxed);
        if router_incarnation < seen {
            return Err(ClaimError::OldRouter {
                router_incarnation,
                seen,
            });
        }
        Ok(())
    }
}

/// Why a hunt is not created under the claim that came with it.
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
}
