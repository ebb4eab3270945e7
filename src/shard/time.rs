//! Time, as a call and a hunt see it. The clocks of this process are read here and nowhere else in
//! the shard.

use std::{
    iter,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use crate::engine::Now;

/// What a handler keeps back of its time, so that its own answer ("not known to be kept",
/// "no news") is out before the deadline layer cuts the call off.
const ANSWER_MARGIN: Duration = Duration::from_millis(5);

/// A call's place in time. The deadline layer puts it into the request's extensions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallTime {
    /// When the call's head was read: budgets count from here.
    pub arrived: Instant,
    /// When its answer must be out; never later than the server's own cap.
    pub deadline: Instant,
}

impl CallTime {
    /// Until when a handler may wait for something.
    pub(crate) fn wait_until(&self) -> Instant {
        let until = self.deadline.checked_sub(ANSWER_MARGIN);
        until.unwrap_or(self.arrived).max(self.arrived)
    }

    /// Whether a command of the call is too late to be applied at `now`. A budget of 0 ms is the
    /// call's own deadline.
    pub(super) fn is_over(&self, now: Instant, budget_ms: u32) -> bool {
        let budget = Duration::from_millis(budget_ms.into());
        now >= self.deadline || (budget_ms > 0 && now >= self.arrived + budget)
    }
}

/// The process's clocks. Safe for concurrent use.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    started: Instant,
}

impl Clock {
    pub(super) fn start() -> Self {
        Self {
            started: Instant::now(),
        }
    }

    /// Both clocks, as the engine wants them.
    pub(super) fn now(&self) -> Now {
        let reading = self.read();
        reading.at(reading.instant)
    }

    /// The wall clock, for a call that reads the time of each of its commands.
    pub(super) fn read(&self) -> Reading {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH);
        let instant = Instant::now();
        Reading {
            instant,
            mono: instant.saturating_duration_since(self.started),
            wall_ms: i64::try_from(since_epoch.unwrap_or_default().as_millis()).unwrap_or(i64::MAX),
        }
    }
}

/// A reading of the wall clock, which goes on by the monotonic one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reading {
    instant: Instant,
    /// How long the process ran by then.
    mono: Duration,
    wall_ms: i64,
}

impl Reading {
    /// The time of each command of a call: of the first that of the reading, and of each other one when it is its turn.
    pub(super) fn times(self) -> impl Iterator<Item = (Instant, Now)> {
        let instants = iter::once(self.instant).chain(iter::repeat_with(Instant::now));
        instants.map(move |instant| (instant, self.at(instant)))
    }

    /// Both clocks at an instant that is not before the reading.
    fn at(&self, instant: Instant) -> Now {
        let since = instant.saturating_duration_since(self.instant);
        let ms = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        Now {
            wall_ms: self.wall_ms.saturating_add_unsigned(ms(since)),
            mono_ms: ms(self.mono + since),
        }
    }
}
