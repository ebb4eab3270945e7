//! What a hunt is created with, and the bounds of it.

use std::fmt;

/// Widest and highest map, in cells.
pub const SIDE_CELLS_MAX: u32 = 4096;
/// Most treasures, and most caches, in a hunt; and never more than half of the cells.
pub const SPOTS_MAX: u32 = 65_536;
/// Most players present at once; twice as many may ever join.
pub const PLAYERS_PRESENT_MAX: u32 = 10_000;
/// Longest hunt, in milliseconds (about 25 days).
pub const DURATION_MS_MAX: u64 = 1 << 31;

/// The settings of a hunt, kept and hashed as given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// First state of the hunt's chance.
    pub seed: u64,
    /// Cells, 1..4096.
    pub width: u32,
    /// Cells, 1..4096.
    pub height: u32,
    /// At most half of the cells, and 65,536.
    pub treasures: u32,
    /// At most half of the cells, and 65,536.
    pub caches: u32,
    /// Present at once, 1..10,000; ever joined at most twice that.
    pub max_players: u32,
    /// 1..2^31.
    pub duration_ms: u64,
    /// "" plays classic, and is not the same setting as "classic".
    pub ruleset: String,
}

impl Settings {
    /// Checks the bounds, and names the first setting out of them.
    pub fn check(&self) -> Result<(), SettingsError> {
        within(
            "settings.width",
            self.width.into(),
            1,
            SIDE_CELLS_MAX.into(),
            "cells",
        )?;
        within(
            "settings.height",
            self.height.into(),
            1,
            SIDE_CELLS_MAX.into(),
            "cells",
        )?;
        let spots_max = (self.cells() / 2).min(SPOTS_MAX);
        let spots = "(half of the cells, and 65536, at most)";
        within(
            "settings.treasures",
            self.treasures.into(),
            0,
            spots_max.into(),
            spots,
        )?;
        within(
            "settings.caches",
            self.caches.into(),
            0,
            spots_max.into(),
            spots,
        )?;
        let present_max = PLAYERS_PRESENT_MAX.into();
        within(
            "settings.max_players",
            self.max_players.into(),
            1,
            present_max,
            "players",
        )?;
        within(
            "settings.duration_ms",
            self.duration_ms,
            1,
            DURATION_MS_MAX,
            "milliseconds",
        )
    }

    pub(super) fn cells(&self) -> u32 {
        self.width * self.height
    }

    pub(super) fn ever_joined_max(&self) -> u32 {
        2 * self.max_players
    }
}

fn within(
    field: &'static str,
    value: u64,
    min: u64,
    max: u64,
    unit: &'static str,
) -> Result<(), SettingsError> {
    if (min..=max).contains(&value) {
        Ok(())
    } else {
        Err(SettingsError {
            field,
            value,
            min,
            max,
            unit,
        })
    }
}

/// A setting out of its bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SettingsError {
    /// As the schema spells it: `settings.width`.
    pub field: &'static str,
    pub value: u64,
    pub min: u64,
    pub max: u64,
    unit: &'static str,
}

impl fmt::Display for SettingsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            field,
            value,
            min,
            max,
            unit,
        } = self;
        write!(f, "{field} is {value}, and must be {min}..{max} {unit}")
    }
}

impl std::error::Error for SettingsError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> Settings {
        Settings {
            seed: 0,
            width: 10,
            height: 5,
            treasures: 25,
            caches: 25,
            max_players: 10_000,
            duration_ms: DURATION_MS_MAX,
            ruleset: String::new(),
        }
    }

    #[test]
    fn every_bound_is_taken_and_the_next_value_is_named() {
        settings().check().expect("all at their bounds");
        type Case = (fn(&mut Settings), &'static str, u64);
        let cases: [Case; 9] = [
            (|s| s.width = 0, "settings.width", 0),
            (|s| s.width = 4097, "settings.width", 4097),
            (|s| s.height = 0, "settings.height", 0),
            (|s| s.height = 4097, "settings.height", 4097),
            (|s| s.treasures = 26, "settings.treasures", 26),
            (|s| s.caches = 26, "settings.caches", 26),
            (|s| s.max_players = 0, "settings.max_players", 0),
            (|s| s.max_players = 10_001, "settings.max_players", 10_001),
            (|s| s.duration_ms = 0, "settings.duration_ms", 0),
        ];
        for (spoil, field, value) in cases {
            let mut spoiled = settings();
            spoil(&mut spoiled);
            let error = spoiled.check().expect_err(field);
            assert_eq!((error.field, error.value), (field, value));
        }
    }

    #[test]
    fn a_large_map_takes_65536_treasures_and_no_more() {
        let mut large = Settings {
            width: 4096,
            height: 4096,
            treasures: 65_536,
            ..settings()
        };
        large.check().expect("at the bound");
        large.treasures += 1;
        assert_eq!(
            large.check().expect_err("past the bound").to_string(),
            "settings.treasures is 65537, and must be 0..65536 (half of the cells, and 65536, at most)"
        );
    }
}
