//! What happened, as the feed and the replay files carry it.

use super::{settings::hunt_settings, views::standings};
use crate::{
    engine::{Ended, Hunt, HuntId, OwnerChanged, RULES_VERSION},
    pb::{self, Applied, Command, HuntCreated, HuntEnded, Outcome, Record, record::Change},
};

/// A hunt's record 1. `digest` is that of the hunt as it was drawn.
#[must_use]
pub fn created_record(hunt: &Hunt, digest: u64) -> Record {
    Record {
        hunt_id: hunt.id().as_str().to_owned(),
        epoch: hunt.epoch(),
        sequence: hunt.sequence(),
        at_ms: hunt.starts_at_ms(),
        digest,
        change: Some(Change::Created(HuntCreated {
            settings: Some(hunt_settings(hunt.settings())),
            ruleset_hash: hunt.ruleset().hash().to_owned(),
            rules_version: RULES_VERSION,
            ruleset: hunt.ruleset().bytes().to_vec(),
        })),
    }
}

/// The record of an applied command: as it was applied, so without what only concerned its call.
/// `digest` is 0 where the record carries none.
#[must_use]
pub fn applied_record(command: Command, outcome: Outcome, at_ms: i64, digest: u64) -> Record {
    Record {
        hunt_id: command.hunt_id.clone(),
        epoch: outcome.epoch,
        sequence: outcome.sequence,
        at_ms,
        digest,
        change: Some(Change::Applied(Applied {
            command: Some(Command {
                budget_ms: 0,
                epoch: 0,
                ..command
            }),
            outcome: Some(outcome),
        })),
    }
}

/// The record of a hunt's end.
#[must_use]
pub fn ended_record(hunt_id: &HuntId, ended: &Ended) -> Record {
    Record {
        hunt_id: hunt_id.as_str().to_owned(),
        epoch: ended.epoch,
        sequence: ended.sequence,
        at_ms: ended.at_ms,
        digest: ended.digest,
        change: Some(Change::Ended(HuntEnded {
            standings: standings(&ended.standings),
            players: ended.players,
        })),
    }
}

/// The record of a change of hands: to whom, and how many answered records are known to be lost.
#[must_use]
pub fn owner_changed_record(
    hunt_id: &HuntId,
    changed: OwnerChanged,
    owner: String,
    missed: u64,
) -> Record {
    Record {
        hunt_id: hunt_id.as_str().to_owned(),
        epoch: changed.epoch,
        sequence: changed.sequence,
        at_ms: changed.at_ms,
        digest: changed.digest,
        change: Some(Change::OwnerChanged(pb::OwnerChanged { owner, missed })),
    }
}
