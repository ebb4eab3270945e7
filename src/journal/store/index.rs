//! Which records each hunt has, for what was written lately; older ones are in [`super::state`].
//!
//! The writer adds to it after each commit and before anybody is told; one short lock, nothing is taken
//! under it.

use std::collections::HashMap;

use parking_lot::Mutex;

use crate::{engine::HuntId, journal::Place};

/// A record of a hunt: its sequence, and where it is.
pub(super) type Spot = (u64, Place);

#[derive(Default)]
pub(super) struct Index {
    hunts: Mutex<HashMap<HuntId, Recent>>,
}

#[derive(Default)]
struct Recent {
    /// In the order that they were written.
    spots: Vec<Spot>,
    /// Where recovery would have to begin for this hunt: its first record that no snapshot holds.
    unsnapped: Option<Place>,
    /// Its last record that no snapshot held when it was added.
    last: Place,
}

impl Index {
    /// Adds what was written from `first` on.
    pub(super) fn add(&self, names: Vec<(HuntId, u64)>, first: Place) {
        let mut hunts = self.hunts.lock();
        for (place, (hunt, sequence)) in (first.0..).map(Place).zip(names) {
            let recent = hunts.entry(hunt).or_default();
            recent.spots.push((sequence, place));
            recent.leave_unsnapped(place);
        }
    }

    /// Adds a record that was kept before this process began, and that no block has.
    pub(super) fn add_spot(&self, hunt: &HuntId, sequence: u64, place: Place) {
        let mut hunts = self.hunts.lock();
        let recent = hunts.entry(hunt.clone()).or_default();
        recent.spots.push((sequence, place));
    }

    /// The same of one that no snapshot holds.
    pub(super) fn add_unsnapped(&self, hunt: &HuntId, place: Place) {
        let mut hunts = self.hunts.lock();
        hunts
            .entry(hunt.clone())
            .or_default()
            .leave_unsnapped(place);
    }

    /// Where a record is, if it was written lately. The last of its sequence is the one that counts.
    pub(super) fn find(&self, hunt: &HuntId, sequence: u64) -> Option<Place> {
        let hunts = self.hunts.lock();
        let spots = &hunts.get(hunt)?.spots;
        spots
            .iter()
            .rev()
            .find(|spot| spot.0 == sequence)
            .map(|spot| spot.1)
    }

    pub(super) fn snapped(&self, hunt: &HuntId, upto: Place) {
        if let Some(recent) = self.hunts.lock().get_mut(hunt) {
            recent.unsnapped = recent
                .unsnapped
                .filter(|_| recent.last >= upto)
                .map(|at| at.max(upto));
        }
    }

    /// The hunts whose recovery would begin before `place`, and the earliest first.
    pub(super) fn unsnapped(&self, place: Place) -> Vec<HuntId> {
        let hunts = self.hunts.lock();
        let behind = hunts.iter().filter_map(|(hunt, recent)| {
            let at = recent.unsnapped.filter(|at| *at < place)?;
            Some((at, hunt.clone()))
        });
        let mut behind: Vec<_> = behind.collect();
        drop(hunts);
        behind.sort_unstable_by_key(|(at, _)| *at);
        behind.into_iter().map(|(_, hunt)| hunt).collect()
    }

    /// Where recovery of all hunts would begin, if any needs records.
    pub(super) fn recovery_start(&self) -> Option<Place> {
        self.hunts
            .lock()
            .values()
            .filter_map(|recent| recent.unsnapped)
            .min()
    }

    /// Copies what was written before `place`, for the state to keep.
    pub(super) fn before(&self, place: Place) -> Vec<(HuntId, Vec<Spot>)> {
        let hunts = self.hunts.lock();
        let spots = |recent: &Recent| {
            let spots: Vec<_> = recent
                .spots
                .iter()
                .filter(|spot| spot.1 < place)
                .copied()
                .collect();
            (!spots.is_empty()).then_some(spots)
        };
        hunts
            .iter()
            .filter_map(|(hunt, recent)| Some((hunt.clone(), spots(recent)?)))
            .collect()
    }

    /// Forgets what the state keeps by now.
    pub(super) fn forget(&self, place: Place) {
        self.hunts.lock().retain(|_, recent| {
            recent.spots.retain(|spot| spot.1 >= place);
            !recent.spots.is_empty() || recent.unsnapped.is_some()
        });
    }

    /// The hunt needs no recovery any more.
    pub(super) fn let_go(&self, hunt: &HuntId) {
        if let Some(recent) = self.hunts.lock().get_mut(hunt) {
            recent.unsnapped = None;
        }
    }
}

impl Recent {
    fn leave_unsnapped(&mut self, place: Place) {
        self.unsnapped.get_or_insert(place);
        self.last = place;
    }
}
