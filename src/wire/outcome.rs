//! Outcomes, from the engine to the wire.

use super::refusal::{Refused, refused};
use crate::{engine, pb};

/// The answer to the command `request_id`.
#[must_use]
pub fn outcome(request_id: u64, outcome: &engine::Outcome) -> pb::Outcome {
    pb::Outcome {
        player: outcome.player.map(player_summary),
        impacts: outcome.impacts.iter().map(impact).collect(),
        treasures: outcome.treasures.iter().map(treasure).collect(),
        picked_up: outcome.picked_up.as_deref().unwrap_or_default().to_owned(),
        ..by_verdict(request_id, outcome.verdict)
    }
}

/// An answer that carries nothing but its verdict.
#[must_use]
pub fn bare_outcome(request_id: u64, verdict: pb::Verdict) -> pb::Outcome {
    pb::Outcome {
        request_id,
        verdict: verdict.into(),
        ..pb::Outcome::default()
    }
}

fn by_verdict(request_id: u64, verdict: engine::Verdict) -> pb::Outcome {
    let bare = |verdict| bare_outcome(request_id, verdict);
    match verdict {
        engine::Verdict::Applied { epoch, sequence } => pb::Outcome {
            epoch,
            sequence,
            ..bare(pb::Verdict::Applied)
        },
        engine::Verdict::Duplicate { sequence } => pb::Outcome {
            sequence,
            ..bare(pb::Verdict::Duplicate)
        },
        engine::Verdict::Rejected(why) => pb::Outcome {
            rejection: rejection(why).into(),
            ..bare(pb::Verdict::Rejected)
        },
        engine::Verdict::Refused(why) => refused(request_id, &Refused::Engine(why)),
        engine::Verdict::Expired => bare(pb::Verdict::Expired),
    }
}

/// A player as others see them.
pub(super) fn player_summary(player: engine::PlayerSummary) -> pb::PlayerSummary {
    pb::PlayerSummary {
        x: player.x.into(),
        y: player.y.into(),
        score: player.score,
        version: player.version,
    }
}

/// A kind of effect.
pub(super) fn effect_kind(kind: engine::EffectKind) -> pb::EffectKind {
    match kind {
        engine::EffectKind::Shield => pb::EffectKind::Shield,
        engine::EffectKind::Reflect => pb::EffectKind::Reflect,
        engine::EffectKind::Freeze => pb::EffectKind::Freeze,
        engine::EffectKind::Speed => pb::EffectKind::Speed,
        engine::EffectKind::Loot => pb::EffectKind::Loot,
        engine::EffectKind::Magnet => pb::EffectKind::Magnet,
        engine::EffectKind::Cloak => pb::EffectKind::Cloak,
        engine::EffectKind::Steal => pb::EffectKind::Steal,
        engine::EffectKind::Swap => pb::EffectKind::Swap,
        engine::EffectKind::Teleport => pb::EffectKind::Teleport,
        engine::EffectKind::Reveal => pb::EffectKind::Reveal,
        engine::EffectKind::Cleanse => pb::EffectKind::Cleanse,
    }
}

pub(super) fn rejection(why: engine::Rejection) -> pb::Rejection {
    match why {
        engine::Rejection::HuntFull => pb::Rejection::HuntFull,
        engine::Rejection::HuntEnded => pb::Rejection::HuntEnded,
        engine::Rejection::NotJoined => pb::Rejection::NotJoined,
        engine::Rejection::OutOfBounds => pb::Rejection::OutOfBounds,
        engine::Rejection::TooFar => pb::Rejection::TooFar,
        engine::Rejection::Frozen => pb::Rejection::Frozen,
        engine::Rejection::NothingHere => pb::Rejection::NothingHere,
        engine::Rejection::InventoryFull => pb::Rejection::InventoryFull,
        engine::Rejection::UnknownPowerUp => pb::Rejection::UnknownPowerUp,
        engine::Rejection::NotHeld => pb::Rejection::NotHeld,
        engine::Rejection::OnCooldown => pb::Rejection::OnCooldown,
        engine::Rejection::InvalidTarget => pb::Rejection::InvalidTarget,
        engine::Rejection::OutOfRange => pb::Rejection::OutOfRange,
        engine::Rejection::TargetHidden => pb::Rejection::TargetHidden,
        engine::Rejection::VersionMismatch => pb::Rejection::VersionMismatch,
    }
}

fn impact(impact: &engine::Impact) -> pb::Impact {
    pb::Impact {
        player_id: impact.player.get(),
        effect: effect_kind(impact.effect).into(),
        result: impact_result(impact.result).into(),
        score_change: impact.score_change,
        x: impact.x.into(),
        y: impact.y.into(),
        magnitude: impact.magnitude.into(),
        until_ms: impact.until_ms,
    }
}

pub(super) fn impact_result(result: engine::ImpactResult) -> pb::impact::Result {
    match result {
        engine::ImpactResult::Applied => pb::impact::Result::Applied,
        engine::ImpactResult::Blocked => pb::impact::Result::Blocked,
        engine::ImpactResult::Reflected => pb::impact::Result::Reflected,
        engine::ImpactResult::Ignored => pb::impact::Result::Ignored,
    }
}

/// A treasure, with what it is or was worth.
pub(super) fn treasure(treasure: &engine::Treasure) -> pb::Treasure {
    pb::Treasure {
        x: treasure.x.into(),
        y: treasure.y.into(),
        value: treasure.value,
    }
}
