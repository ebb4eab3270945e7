//! The bound on what lies on the maps of all hunts, which no single hunt can see.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::engine::Settings;

/// Treasures and caches that the hunts that are held began with. Safe for concurrent use.
pub(super) struct Placed {
    count: AtomicU64,
    count_max: u64,
}

impl Placed {
    pub(super) fn new(count_max: u64) -> Self {
        Self {
            count: AtomicU64::new(0),
            count_max,
        }
    }

    /// Takes room for a hunt, or tells how much it would have been.
    pub(super) fn take(&self, hunt: &Settings) -> Result<(), u64> {
        let placed = placed(hunt);
        let fits = |count: u64| Some(count + placed).filter(|sum| *sum <= self.count_max);
        let taken = self
            .count
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits);
        taken.map(drop).map_err(|_| placed)
    }

    /// Counts a hunt that was recovered, also above the limit.
    pub(super) fn add(&self, hunt: &Settings) {
        self.count.fetch_add(placed(hunt), Ordering::Relaxed);
    }

    pub(super) fn give_back(&self, hunt: &Settings) {
        self.count.fetch_sub(placed(hunt), Ordering::Relaxed);
    }
}

fn placed(hunt: &Settings) -> u64 {
    u64::from(hunt.treasures) + u64::from(hunt.caches)
}
