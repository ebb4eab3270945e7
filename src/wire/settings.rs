//! A hunt's settings, both ways.

use crate::{engine::Settings, pb::HuntSettings};

/// As the engine checks and keeps them.
#[must_use]
pub fn settings(settings: HuntSettings) -> Settings {
    let HuntSettings {
        seed,
        width,
        height,
        treasures,
        caches,
        max_players,
        duration_ms,
        ruleset,
    } = settings;
    Settings {
        seed,
        width,
        height,
        treasures,
        caches,
        max_players,
        duration_ms,
        ruleset,
    }
}

/// As the wire carries them.
#[must_use]
pub fn hunt_settings(settings: &Settings) -> HuntSettings {
    HuntSettings {
        seed: settings.seed,
        width: settings.width,
        height: settings.height,
        treasures: settings.treasures,
        caches: settings.caches,
        max_players: settings.max_players,
        duration_ms: settings.duration_ms,
        ruleset: settings.ruleset.clone(),
    }
}
