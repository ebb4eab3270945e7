//! Why a command cannot be taken, from its cause to the wire. The same for whole calls is
//! `rpc/errors.rs`.

use crate::{
    engine,
    journal::NoRoom,
    pb::{self, refusal::Reason},
};

/// When a refusal for lack of room is worth another try, in ms.
const RETRY_AFTER_MS: u32 = 50;

/// Why a command cannot be taken. Nothing changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    /// The engine says so.
    Engine(engine::Refusal),
    /// The journal could not write the change down.
    NoRoom(NoRoom),
    /// The outcomes before this one fill the answer.
    BatchFull {
        /// The limit.
        outcome_bytes_max: usize,
    },
}

/// The answer to a command that cannot be taken.
#[must_use]
pub fn refused(request_id: u64, why: &Refused) -> pb::Outcome {
    pb::Outcome {
        request_id,
        verdict: pb::Verdict::Refused.into(),
        refusal: Some(refusal(why)),
        ..pb::Outcome::default()
    }
}

fn refusal(why: &Refused) -> pb::Refusal {
    match why {
        Refused::Engine(why) => by_engine(*why),
        Refused::NoRoom(why) => overloaded(why.to_string()),
        // Short, for it may stand a thousand times in an answer that is nearly full.
        Refused::BatchFull { outcome_bytes_max } => {
            overloaded(format!("answer over {outcome_bytes_max} B"))
        }
    }
}

fn overloaded(detail: String) -> pb::Refusal {
    pb::Refusal {
        retry_after_ms: RETRY_AFTER_MS,
        detail,
        ..bare(Reason::Overloaded)
    }
}

fn by_engine(why: engine::Refusal) -> pb::Refusal {
    match why {
        engine::Refusal::UnknownHunt => bare(Reason::UnknownHunt),
        engine::Refusal::Invalid(field) => pb::Refusal {
            detail: field.name().to_owned(),
            ..bare(Reason::Invalid)
        },
        engine::Refusal::RequestTooOld => bare(Reason::RequestTooOld),
        engine::Refusal::StaleEpoch { current } => pb::Refusal {
            epoch: current,
            ..bare(Reason::StaleEpoch)
        },
        engine::Refusal::PlayersFull { players_max } => overloaded(format!(
            "{players_max} players are held, the limit of players_max (player_state_players_held)"
        )),
        engine::Refusal::NotActive { epoch } => pb::Refusal {
            epoch,
            detail: "recovered, and not claimed since".to_owned(),
            ..bare(Reason::NotActive)
        },
        engine::Refusal::Quarantined => pb::Refusal {
            detail: "the hunt failed inside the engine; its log says why".to_owned(),
            ..bare(Reason::Quarantined)
        },
    }
}

fn bare(reason: Reason) -> pb::Refusal {
    pb::Refusal {
        reason: reason.into(),
        ..pb::Refusal::default()
    }
}
