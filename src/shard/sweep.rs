//! What happens by time alone: hunts end, ended ones are let go, gauges follow.
//!
//! One task a shard. It takes one hunt's lock at a time, and lets other tasks of its thread run in
//! between.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::mpsc,
    time::{MissedTickBehavior, interval},
};

use super::Shard;
use crate::{
    engine::{Hunt, HuntLock, NotServed, Totals, WallWatch},
    journal::{APPLIED_BYTES_MAX, Kept},
};

/// Well under the second within which the end of a hunt has to be written down.
const EVERY: Duration = Duration::from_millis(250);

/// Hunts between two chances for other tasks.
pub(super) const HUNTS_IN_A_ROW: usize = 64;

/// What became of a hunt in a sweep.
enum Swept {
    Stays,
    /// It ended long ago.
    Leaves,
}

impl Shard {
    /// Sweeps until it is dropped.
    pub async fn sweep(self: Arc<Self>) {
        let mut ticks = interval(EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut wall = WallWatch::new(self.clock.now());
        loop {
            ticks.tick().await;
            fail::fail_point!("sweep");
            if let Some(jump_ms) = wall.jump_ms(self.clock.now()) {
                tracing::warn!(jump_ms, "the wall clock jumped; hunts keep their own time");
            }
            self.sweep_hunts().await;
            self.show(self.hunts.totals(), self.journal.kept());
        }
    }

    async fn sweep_hunts(&self) {
        for (n, lock) in self.hunts.hunts().iter().enumerate() {
            match self.sweep_hunt(lock) {
                Swept::Stays => {}
                Swept::Leaves => self.let_go(lock),
            }
            if n % HUNTS_IN_A_ROW == HUNTS_IN_A_ROW - 1 {
                tokio::task::yield_now().await;
            }
        }
    }

    /// Ends the hunt if its time is over, and tells whether it ended long enough ago. A hunt in
    /// quarantine stays, for whoever looks at it; one that is not active here is its owner's to end.
    fn sweep_hunt(&self, lock: &HuntLock) -> Swept {
        let hunt = match lock.lock() {
            Ok(hunt) => hunt,
            Err(NotServed::NotActive { .. }) => return self.sweep_recovered(lock),
            Err(NotServed::Quarantined) => return Swept::Stays,
        };
        let room = match self.journal.reserve(APPLIED_BYTES_MAX) {
            Ok(room) => room,
            Err(why) => {
                tracing::warn!(%why, "hunts that are over wait for their last record");
                return Swept::Stays;
            }
        };
        let now = self.clock.now();
        let Ok((hunt, ended)) = self.guarded(lock.id(), hunt, |hunt| hunt.end_if_due(now)) else {
            return Swept::Stays;
        };
        if let Some(ended) = ended {
            self.append_end(room, &hunt, &ended);
        }
        if self.ended_long_ago(&hunt, hunt.at_ms(now)) {
            return Swept::Leaves;
        }
        Swept::Stays
    }

    fn sweep_recovered(&self, lock: &HuntLock) -> Swept {
        self.claim(lock);
        let Ok(hunt) = lock.hold() else {
            return Swept::Stays;
        };
        if self.ended_long_ago(&hunt, hunt.at_ms(self.clock.now())) {
            return Swept::Leaves;
        }
        Swept::Stays
    }

    fn ended_long_ago(&self, hunt: &Hunt, now_ms: i64) -> bool {
        let since_ms = now_ms.saturating_sub(hunt.last_at_ms());
        let since = Duration::from_millis(u64::try_from(since_ms).unwrap_or(0));
        hunt.has_ended() && since >= self.limits.ended_keep
    }

    /// The id is put down as used before the hunt goes: see [`Shard::create`]. The journal is told after it
    /// went, so that no snapshot of it can come behind; while it cannot be told, the hunt stays.
    fn let_go(&self, lock: &HuntLock) {
        let Ok(forget) = self
            .forgetting
            .get()
            .map(mpsc::Sender::try_reserve)
            .transpose()
        else {
            return;
        };
        self.gone.add(lock.id());
        let gone = self.hunts.release(lock.id().as_str());
        if let Some(Ok(hunt)) = gone.as_ref().map(|gone| gone.hold()) {
            self.placed.give_back(hunt.settings());
        }
        if let Some(forget) = forget {
            forget.send(lock.id().clone());
        }
    }

    fn show(&self, totals: Totals, kept: Kept) {
        let metrics = &self.metrics;
        let live = totals.hunts - totals.ended - totals.recovered - totals.quarantined;
        for (state, hunts) in [
            ("active", live),
            ("ended", totals.ended),
            ("recovered", totals.recovered),
            ("quarantined", totals.quarantined),
        ] {
            let gauge = metrics.player_state_hunts.with_label_values(&[state]);
            gauge.set(gauged(hunts as u64));
        }
        metrics
            .player_state_players
            .set(gauged(totals.players_present));
        metrics
            .player_state_players_held
            .set(gauged(totals.players as u64));
        metrics.player_state_feed_records.set(gauged(kept.records));
        metrics.player_state_feed_bytes.set(gauged(kept.bytes));
        let dropped = &metrics.player_state_feed_dropped_total;
        dropped.inc_by(kept.dropped.saturating_sub(dropped.get()));
    }
}

fn gauged(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
