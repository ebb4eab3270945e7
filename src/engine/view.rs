//! Reads: what a hunt and a player look like from outside.

use std::sync::Arc;

use super::{EffectKind, Hunt, PlayerId, PlayerSummary, Settings, Standing, ruleset::TimedKind};

/// Most standings in one answer.
pub const TOP_MAX: usize = 1_000;

/// A hunt, as a read shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HuntView {
    pub settings: Settings,
    /// Unix milliseconds.
    pub starts_at_ms: i64,
    /// When it will end; once it has, when it did.
    pub ends_at_ms: i64,
    pub ended: bool,
    /// Present now.
    pub players: u32,
    pub treasures_left: u32,
    pub epoch: u64,
    pub sequence: u64,
    pub digest: u64,
    /// Best first.
    pub top: Vec<Standing>,
}

/// A player, as a read shows them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlayerView {
    pub summary: PlayerSummary,
    pub present: bool,
    /// What is held, by name, in ruleset order; each count above 0.
    pub inventory: Vec<(Arc<str>, u32)>,
    /// What is on, by kind.
    pub effects: Vec<ActiveEffect>,
    /// Milliseconds until the next power-up can be used; 0 if it can be now.
    pub cooldown_ms: u32,
}

/// A timed effect that is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ActiveEffect {
    pub kind: EffectKind,
    pub magnitude: u8,
    pub remaining_ms: u32,
}

impl Hunt {
    /// The hunt and its best `top`, at most [`TOP_MAX`]. It changes nothing, but brings the digest up to date.
    pub fn view(&mut self, top: usize) -> HuntView {
        let digest = self.digest();
        let head = &self.head;
        HuntView {
            settings: head.settings.clone(),
            starts_at_ms: head.starts_at_ms,
            ends_at_ms: if head.ended {
                head.last_at_ms
            } else {
                head.full_time_ms()
            },
            ended: head.ended,
            players: self.present(),
            treasures_left: self.world.treasures.left(),
            epoch: head.epoch,
            sequence: head.sequence,
            digest,
            top: self.standings(top.min(TOP_MAX)),
        }
    }

    /// A player at a time, in Unix milliseconds; `None` for one who never joined.
    #[must_use]
    pub fn player_view(&self, id: PlayerId, at_ms: i64) -> Option<PlayerView> {
        let seat = self.world.players.find(id)?;
        let record = self.world.players.record(seat);
        let now_ms = self.head.now_ms(at_ms);
        let held = self
            .head
            .ruleset
            .names()
            .zip(0u8..)
            .filter_map(|(name, power_up)| {
                let count = record.inventory.count(power_up);
                (count > 0).then(|| (name.clone(), count.into()))
            });
        let active = TimedKind::ALL.into_iter().filter_map(|timed| {
            let (magnitude, until_ms) = record.slot(timed)?;
            let remaining_ms = until_ms.checked_sub(now_ms).filter(|ms| *ms > 0)?;
            Some(ActiveEffect {
                kind: timed.kind(),
                magnitude,
                remaining_ms,
            })
        });
        Some(PlayerView {
            summary: self.world.players.summary(seat),
            present: record.is_present(),
            inventory: held.collect(),
            effects: active.collect(),
            cooldown_ms: record.cooldown_until_ms.saturating_sub(now_ms),
        })
    }

    /// How many players are present.
    #[must_use]
    pub fn present(&self) -> u32 {
        self.world.players.present()
    }
}
