//! What reads show.

use super::{
    outcome::{effect_kind, player_summary},
    settings::hunt_settings,
};
use crate::{
    engine::{ActiveEffect, HuntId, HuntState, HuntStatus, HuntView, PlayerView, Standing},
    pb,
};

/// Places in the standings, in their order.
#[must_use]
pub fn standings(standings: &[Standing]) -> Vec<pb::Standing> {
    let place = |standing: &Standing| pb::Standing {
        player_id: standing.player.get(),
        score: standing.score,
    };
    standings.iter().map(place).collect()
}

/// How a hunt ended: its best, and how many ever joined.
#[must_use]
pub fn end_hunt_response(best: &[Standing], players: u32) -> pb::EndHuntResponse {
    pb::EndHuntResponse {
        standings: standings(best),
        players,
    }
}

/// A hunt as it is.
#[must_use]
pub fn get_hunt_response(hunt: &HuntView) -> pb::GetHuntResponse {
    pb::GetHuntResponse {
        settings: Some(hunt_settings(&hunt.settings)),
        starts_at_ms: hunt.starts_at_ms,
        ends_at_ms: hunt.ends_at_ms,
        players: hunt.players,
        treasures_left: hunt.treasures_left,
        epoch: hunt.epoch,
        sequence: hunt.sequence,
        digest: hunt.digest,
        top: standings(&hunt.top),
        ended: hunt.ended,
    }
}

/// A player as they are.
#[must_use]
pub fn get_player_response(player: &PlayerView) -> pb::GetPlayerResponse {
    let held = player.inventory.iter().map(|(name, count)| pb::Held {
        power_up: name.as_ref().to_owned(),
        count: *count,
    });
    pb::GetPlayerResponse {
        player: Some(player_summary(player.summary)),
        present: player.present,
        inventory: held.collect(),
        effects: player.effects.iter().map(active_effect).collect(),
        cooldown_ms: player.cooldown_ms,
    }
}

fn active_effect(effect: &ActiveEffect) -> pb::ActiveEffect {
    pb::ActiveEffect {
        kind: effect_kind(effect.kind).into(),
        magnitude: effect.magnitude.into(),
        remaining_ms: effect.remaining_ms,
    }
}

/// A hunt in the list of all.
#[must_use]
pub fn hunt_status(hunt_id: &HuntId, status: HuntStatus) -> pb::HuntStatus {
    let state = match status.state {
        HuntState::Active => pb::hunt_status::State::Active,
        HuntState::Recovered => pb::hunt_status::State::Recovered,
        HuntState::Quarantined => pb::hunt_status::State::Quarantined,
    };
    pb::HuntStatus {
        hunt_id: hunt_id.as_str().to_owned(),
        state: state.into(),
        epoch: status.at.epoch,
        // An epoch begins with its first record, so far as hunts do not move yet.
        record_epoch: status.at.epoch,
        sequence: status.at.sequence,
        digest: status.digest.unwrap_or_default(),
        ended: status.ended,
        owner: String::new(),
    }
}
