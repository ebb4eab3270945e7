//! How much a directory holds, and how much it may.

use std::sync::atomic::{AtomicUsize, Ordering};

/// The bounds of a directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Most hunts held.
    pub hunts: usize,
    /// Most players held, over all hunts: each of them takes about 160 bytes, for as long as its hunt is here.
    pub players: usize,
}

/// Counts that are never over their limits, but for what was recovered.
#[derive(Debug)]
pub(super) struct Room {
    pub(super) limits: Limits,
    hunts: AtomicUsize,
    players: AtomicUsize,
}

impl Room {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            limits,
            hunts: AtomicUsize::new(0),
            players: AtomicUsize::new(0),
        }
    }

    pub(super) fn hunts(&self) -> usize {
        self.hunts.load(Ordering::Relaxed)
    }

    pub(super) fn players(&self) -> usize {
        self.players.load(Ordering::Relaxed)
    }

    /// Counts one hunt more, unless there is no room.
    pub(super) fn take_hunt(&self) -> bool {
        take(&self.hunts, self.limits.hunts)
    }

    /// Counts one player more, unless there is no room.
    pub(super) fn take_player(&self) -> bool {
        take(&self.players, self.limits.players)
    }

    /// Counts a hunt that was recovered, with all who ever joined it, also above the limits: what was answered
    /// is not dropped. False if it is above one.
    pub(super) fn add_hunt(&self, players: usize) -> bool {
        let hunts = self.hunts.fetch_add(1, Ordering::Relaxed) + 1;
        let players = self.players.fetch_add(players, Ordering::Relaxed) + players;
        hunts <= self.limits.hunts && players <= self.limits.players
    }

    /// Takes a hunt back that was let go, with all who ever joined it.
    pub(super) fn return_hunt(&self, players: usize) {
        self.hunts.fetch_sub(1, Ordering::Relaxed);
        self.players.fetch_sub(players, Ordering::Relaxed);
    }

    /// Takes a player back who did not join after all.
    pub(super) fn return_player(&self) {
        self.players.fetch_sub(1, Ordering::Relaxed);
    }
}

fn take(count: &AtomicUsize, limit: usize) -> bool {
    let one_more = |count| (count < limit).then_some(count + 1);
    count
        .fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more)
        .is_ok()
}
