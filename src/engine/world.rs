//! What actions change: the map, what lies on it, chance, and the players.

use super::{
    map::{Size, Spots},
    players::Players,
    random::Random,
    ruleset::Ruleset,
    settings::Settings,
};

#[derive(Clone, Debug)]
pub(super) struct World {
    pub(super) size: Size,
    pub(super) random: Random,
    pub(super) treasures: Spots,
    pub(super) caches: Spots,
    pub(super) players: Players,
    pub(super) present_max: u32,
    pub(super) ever_joined_max: u32,
}

impl World {
    /// Draws the world of a new hunt: treasures first, then caches.
    pub(super) fn draw(settings: &Settings, ruleset: &Ruleset) -> Self {
        let mut random = Random::new(settings.seed);
        let treasures = Spots::draw_treasures(settings, &mut random);
        let caches = Spots::draw_caches(settings, ruleset, &mut random);
        Self::new(settings, ruleset, random, treasures, caches)
    }

    /// A world without players.
    pub(super) fn new(
        settings: &Settings,
        ruleset: &Ruleset,
        random: Random,
        treasures: Spots,
        caches: Spots,
    ) -> Self {
        Self {
            size: Size::of(settings),
            random,
            treasures,
            caches,
            players: Players::new(settings.seed, ruleset.power_ups().len() as u8),
            present_max: settings.max_players,
            ever_joined_max: settings.ever_joined_max(),
        }
    }

    /// The wrapping sum of the hashes of all parts.
    pub(super) fn hash_sum(&mut self) -> u64 {
        self.players
            .hash_sum()
            .wrapping_add(self.treasures.hash_sum())
            .wrapping_add(self.caches.hash_sum())
    }
}
