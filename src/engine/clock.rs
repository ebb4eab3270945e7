//! A hunt's time. The engine reads no clock: whoever calls it hands in [`Now`].
//!
//! The wall clock is taken once a hunt, when the hunt begins here or is activated; from there the monotonic
//! clock runs.
//! So a jump of the wall clock never moves a hunt's time.

/// A jump of the wall clock against the monotonic clock worth a line in the log, in milliseconds.
pub const WALL_JUMP_MS: u64 = 5_000;

/// One reading of both clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// Unix milliseconds.
    pub wall_ms: i64,
    /// Milliseconds of the monotonic clock, from any start, the same for the whole process.
    pub mono_ms: u64,
}

/// The time of one hunt.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    base_ms: i64,
    base_mono_ms: u64,
}

impl Clock {
    pub(super) fn start(now: Now) -> Self {
        Self::start_from(now, i64::MIN)
    }

    /// The same for a hunt that began elsewhere, or before this process: it never goes back behind `least_ms`.
    pub(super) fn start_from(now: Now, least_ms: i64) -> Self {
        Self {
            base_ms: now.wall_ms.max(least_ms),
            base_mono_ms: now.mono_ms,
        }
    }

    /// Unix milliseconds by this hunt's clock.
    pub(super) fn at_ms(&self, now: Now) -> i64 {
        self.base_ms
            .saturating_add_unsigned(now.mono_ms.saturating_sub(self.base_mono_ms))
    }
}

/// Sees when the wall clock jumps. Such a jump changes nothing in a hunt, but people who compare stamps
/// with their own clocks want to know.
#[derive(Debug)]
pub struct WallWatch {
    clock: Clock,
}

impl WallWatch {
    #[must_use]
    pub fn new(now: Now) -> Self {
        Self {
            clock: Clock::start(now),
        }
    }

    /// By how many milliseconds the wall clock has jumped since the last jump that was told, if by more
    /// than [`WALL_JUMP_MS`]. Told once.
    pub fn jump_ms(&mut self, now: Now) -> Option<i64> {
        let jump_ms = now.wall_ms.saturating_sub(self.clock.at_ms(now));
        if jump_ms.unsigned_abs() <= WALL_JUMP_MS {
            return None;
        }
        self.clock = Clock::start(now);
        Some(jump_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hunts_time_follows_the_monotonic_clock_alone() {
        let clock = Clock::start(Now {
            wall_ms: 1_000_000,
            mono_ms: 50,
        });
        assert_eq!(
            clock.at_ms(Now {
                wall_ms: 0,
                mono_ms: 80
            }),
            1_000_030
        );
        assert_eq!(
            clock.at_ms(Now {
                wall_ms: i64::MAX,
                mono_ms: 80
            }),
            1_000_030
        );
        assert_eq!(
            clock.at_ms(Now {
                wall_ms: 0,
                mono_ms: 10
            }),
            1_000_000,
            "never before its base"
        );
    }

    #[test]
    fn a_hunt_that_goes_on_never_goes_back() {
        let now = Now {
            wall_ms: 1_000,
            mono_ms: 50,
        };
        let later = Now {
            wall_ms: 1_030,
            mono_ms: 80,
        };
        assert_eq!(Clock::start_from(now, 5_000).at_ms(later), 5_030);
        assert_eq!(Clock::start_from(now, 10).at_ms(later), 1_030);
    }

    #[test]
    fn a_jump_of_the_wall_clock_is_told_once() {
        let mut watch = WallWatch::new(Now {
            wall_ms: 0,
            mono_ms: 0,
        });
        assert_eq!(
            watch.jump_ms(Now {
                wall_ms: 15_000,
                mono_ms: 10_000
            }),
            None,
            "5 s is no jump yet"
        );
        assert_eq!(
            watch.jump_ms(Now {
                wall_ms: 15_001,
                mono_ms: 10_000
            }),
            Some(5_001)
        );
        assert_eq!(
            watch.jump_ms(Now {
                wall_ms: 16_001,
                mono_ms: 11_000
            }),
            None
        );
        assert_eq!(
            watch.jump_ms(Now {
                wall_ms: 1_000,
                mono_ms: 11_000
            }),
            Some(-15_001)
        );
    }
}
