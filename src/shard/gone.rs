//! The ids of hunts that were let go, most of them after they ended: they are not used again.
//!
//! While nothing is durable this memory ends with the process, and it is bounded: the oldest ids go
//! first. What keeps an id from coming back for good is whoever gives ids out (the router's ledger
//! keeps each it ever gave); this set catches the mistakes of the last while.

use std::collections::{HashSet, VecDeque};

use parking_lot::Mutex;

use crate::engine::HuntId;

/// Ids, bounded. Safe for concurrent use.
pub(super) struct GoneIds {
    ids: Mutex<Ids>,
    ids_max: usize,
}

#[derive(Default)]
struct Ids {
    known: HashSet<HuntId>,
    oldest_first: VecDeque<HuntId>,
}

impl GoneIds {
    pub(super) fn new(ids_max: usize) -> Self {
        Self {
            ids: Mutex::default(),
            ids_max,
        }
    }

    pub(super) fn contains(&self, id: &HuntId) -> bool {
        self.ids.lock().known.contains(id)
    }

    /// Adds an id; the oldest goes for it where there is no room.
    pub(super) fn add(&self, id: &HuntId) {
        let mut ids = self.ids.lock();
        if !ids.known.insert(id.clone()) {
            return;
        }
        ids.oldest_first.push_back(id.clone());
        if ids.oldest_first.len() > self.ids_max
            && let Some(oldest) = ids.oldest_first.pop_front()
        {
            ids.known.remove(&oldest);
        }
    }
}
