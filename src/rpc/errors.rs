//! The one place that turns causes into the answers of calls.
//!
//! A call that cannot be answered is a gRPC status, with what to do about it in the message and,
//! for programs, in the details (`BadRequest`, `RetryInfo`, or our own `Refusal`). A command that
//! cannot be taken is an outcome with a `Refusal` (`wire/refusal.rs`), and never a status. No arm is a
//! catch-all, and INTERNAL never shows what went wrong inside: the log does.

use std::time::Duration;

use prost::Message as _;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _};

use crate::{
    engine::{CreateError, HuntId, NotActivated, NotServed, POWER_UP_BYTES_MAX, SettingsError},
    journal::{Damage, NoRoom},
    pb::{Refusal, refusal::Reason},
    shard::{ActivateRefused, ClaimError, CreateRefused, HuntRefused},
};

/// What our own detail is called inside a `google.rpc.Status`.
const REFUSAL_TYPE_URL: &str = "type.googleapis.com/treasurehunt.playerstate.v1.Refusal";

/// How long a caller should wait where room comes back by itself: hunts end, others finish.
const RETRY_LATER: Duration = Duration::from_millis(100);

/// Why a call is not answered with what it asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Failure {
    /// A field of the request is out of its bounds.
    #[error("{field}: {problem}")]
    Field {
        /// Its name in the schema, with its parents (`settings.width`).
        field: &'static str,
        /// The limit and the value.
        problem: String,
    },
    #[error("hunt {hunt_id:?} is not created: {why}")]
    Create { hunt_id: String, why: NotCreated },
    #[error("hunt {0:?} is not known here: create it, or ask the engine that owns it")]
    UnknownHunt(String),
    #[error(
        "hunt {0:?} was let go: it ended, or retention went past its records while it was quarantined; take a new id"
    )]
    GoneHunt(String),
    #[error("player {player_id} never joined hunt {hunt_id:?}")]
    UnknownPlayer { hunt_id: String, player_id: u64 },
    #[error(
        "record {sequence} of hunt {hunt_id:?} is not kept here: retention dropped it, or it is not written yet"
    )]
    RecordNotKept { hunt_id: String, sequence: u64 },
    #[error("{0}: nothing was changed, try again later")]
    NoRoom(#[from] NoRoom),
    #[error(
        "hunt {0:?} failed inside the engine and is quarantined: its commands and reads are refused until an operator \
         has looked at it; the log says why"
    )]
    Quarantined(String),
    #[error(
        "hunt {hunt_id:?} was recovered at epoch {epoch} and is not active: its router claims it, or start this engine \
         with --claim auto"
    )]
    NotActive { hunt_id: String, epoch: u64 },
    #[error("hunt {hunt_id:?} is not activated: {why}")]
    NotActivated { hunt_id: String, why: NotActivated },
    #[error(transparent)]
    Claim(#[from] ClaimError),
    #[error("{0} comes with the handoff of hunts, which this version does not have yet")]
    NotBuilt(&'static str),
    /// What was seen or done rests on records that are not known to be durable.
    #[error("not known to be kept within the deadline: it may have been done, ask again")]
    NotKeptInTime,
    #[error("{0}: stop the process and run player-state journal verify on its data directory")]
    Damaged(#[from] Damage),
    /// A bug. The log has the story.
    #[error("the engine failed on this call; its log says why (player_state_panics_total)")]
    Internal,
}

/// Why a hunt is not created, but for its fields.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum NotCreated {
    #[error(transparent)]
    Claim(#[from] ClaimError),
    #[error("it exists with other settings; ids are never reused, take a new one")]
    OtherSettings,
    #[error("it exists at epoch {current}, and epoch {asked} came")]
    OtherEpoch { asked: u64, current: u64 },
    #[error("it existed and was let go; ids are never reused, take a new one")]
    Gone,
    #[error(
        "{hunts_max} hunts are held, the limit of hunts_max (player_state_hunts); try again when some have ended"
    )]
    HuntsFull { hunts_max: usize },
    #[error(
        "its {placed} treasures and caches do not fit beside those of the hunts that are held: the limit of placed_max \
         is {placed_max}; try again when some have ended"
    )]
    PlacedFull { placed_max: u64, placed: u64 },
}

impl Failure {
    /// A field that is out of its bounds: `problem` names the limit and the value.
    pub(super) fn field(field: &'static str, problem: impl Into<String>) -> Self {
        let problem = problem.into();
        Self::Field { field, problem }
    }

    /// Why `hunt_id` is not created.
    pub(super) fn create(hunt_id: &HuntId, why: CreateRefused) -> Self {
        let why = match why {
            CreateRefused::Engine(CreateError::Settings(error)) => return Self::setting(&error),
            CreateRefused::Engine(CreateError::OtherSettings) => NotCreated::OtherSettings,
            CreateRefused::Engine(CreateError::OtherEpoch { asked, current }) => {
                NotCreated::OtherEpoch { asked, current }
            }
            CreateRefused::Engine(CreateError::NotServed(why)) => {
                return Self::not_served(hunt_id, why);
            }
            CreateRefused::Engine(CreateError::HuntsFull { hunts_max }) => {
                NotCreated::HuntsFull { hunts_max }
            }
            CreateRefused::Claim(why) => NotCreated::Claim(why),
            CreateRefused::Ruleset { asked, known } => return Self::ruleset(&asked, &known),
            CreateRefused::Gone => NotCreated::Gone,
            CreateRefused::PlacedFull { placed_max, placed } => {
                NotCreated::PlacedFull { placed_max, placed }
            }
            CreateRefused::NoRoom(why) => return Self::NoRoom(why),
        };
        let hunt_id = hunt_id.to_string();
        Self::Create { hunt_id, why }
    }

    /// Why `hunt_id` is not activated.
    pub(super) fn activate(hunt_id: &HuntId, why: ActivateRefused) -> Self {
        match why {
            ActivateRefused::Hunt(why) => Self::hunt(hunt_id, why),
            ActivateRefused::Engine(NotActivated::Quarantined) => {
                Self::Quarantined(hunt_id.to_string())
            }
            ActivateRefused::Engine(why) => Self::NotActivated {
                hunt_id: hunt_id.to_string(),
                why,
            },
        }
    }

    fn not_served(hunt_id: &HuntId, why: NotServed) -> Self {
        let hunt_id = hunt_id.to_string();
        match why {
            NotServed::Quarantined => Self::Quarantined(hunt_id),
            NotServed::NotActive { epoch } => Self::NotActive { hunt_id, epoch },
        }
    }

    /// Why `hunt_id` is not ended or read.
    pub(super) fn hunt(hunt_id: &HuntId, why: HuntRefused) -> Self {
        let hunt_id = hunt_id.to_string();
        match why {
            HuntRefused::Unknown => Self::UnknownHunt(hunt_id),
            HuntRefused::Gone => Self::GoneHunt(hunt_id),
            HuntRefused::UnknownPlayer(player) => Self::UnknownPlayer {
                hunt_id,
                player_id: player.get(),
            },
            HuntRefused::NotServed(NotServed::Quarantined) => Self::Quarantined(hunt_id),
            HuntRefused::NotServed(NotServed::NotActive { epoch }) => {
                Self::NotActive { hunt_id, epoch }
            }
            HuntRefused::Panicked => Self::Internal,
            HuntRefused::NoRoom(why) => Self::NoRoom(why),
        }
    }

    fn setting(error: &SettingsError) -> Self {
        let SettingsError {
            field,
            value,
            min,
            max,
            ..
        } = error;
        Self::field(field, format!("must be {min}..{max}, and is {value}"))
    }

    fn ruleset(asked: &str, known: &[String]) -> Self {
        // What came may be long or unprintable: its start, escaped, is enough to recognise it by.
        let shown: String = asked.chars().take(POWER_UP_BYTES_MAX).collect();
        let known = known.join(", ");
        Self::field(
            "settings.ruleset",
            format!("must be one of {known}, and begins {shown:?}"),
        )
    }

    fn code(&self) -> Code {
        match self {
            Self::Field { .. } => Code::InvalidArgument,
            Self::Create { why, .. } => why.code(),
            Self::UnknownHunt(_)
            | Self::GoneHunt(_)
            | Self::UnknownPlayer { .. }
            | Self::RecordNotKept { .. } => Code::NotFound,
            Self::NoRoom(_) => Code::ResourceExhausted,
            Self::Quarantined(_)
            | Self::NotActive { .. }
            | Self::NotActivated { .. }
            | Self::Claim(_) => Code::FailedPrecondition,
            Self::NotBuilt(_) => Code::Unimplemented,
            Self::NotKeptInTime => Code::DeadlineExceeded,
            Self::Damaged(_) => Code::DataLoss,
            Self::Internal => Code::Internal,
        }
    }

    fn details(&self) -> Details {
        match self {
            Self::Field { field, problem } => Details::Field(field, problem.clone()),
            Self::Create { why, .. } if why.code() == Code::ResourceExhausted => {
                Details::RetryLater
            }
            Self::NoRoom(_) => Details::RetryLater,
            Self::Quarantined(_) => Details::Refusal(Reason::Quarantined, 0),
            Self::NotActive { epoch, .. } => Details::Refusal(Reason::NotActive, *epoch),
            Self::NotActivated { why, .. } => match why {
                NotActivated::Active { epoch } | NotActivated::Epoch { epoch } => {
                    Details::Refusal(Reason::StaleEpoch, *epoch)
                }
                NotActivated::Elsewhere { epoch, .. } => {
                    Details::Refusal(Reason::NotActive, *epoch)
                }
                NotActivated::Quarantined => Details::Refusal(Reason::Quarantined, 0),
            },
            Self::Create { .. }
            | Self::UnknownHunt(_)
            | Self::GoneHunt(_)
            | Self::UnknownPlayer { .. }
            | Self::RecordNotKept { .. }
            | Self::NotKeptInTime
            | Self::Damaged(_)
            | Self::Claim(_)
            | Self::NotBuilt(_)
            | Self::Internal => Details::None,
        }
    }
}

impl NotCreated {
    fn code(&self) -> Code {
        match self {
            Self::Claim(_) | Self::OtherEpoch { .. } => Code::FailedPrecondition,
            Self::OtherSettings | Self::Gone => Code::AlreadyExists,
            Self::HuntsFull { .. } | Self::PlacedFull { .. } => Code::ResourceExhausted,
        }
    }
}

/// What a status tells programs beside its code.
enum Details {
    None,
    Field(&'static str, String),
    RetryLater,
    /// The reason, and the epoch that it is about.
    Refusal(Reason, u64),
}

impl From<Failure> for Status {
    fn from(failure: Failure) -> Self {
        let (code, message) = (failure.code(), failure.to_string());
        match failure.details() {
            Details::None => Self::new(code, message),
            Details::Field(field, problem) => {
                let details = ErrorDetails::with_bad_request_violation(field, problem);
                Self::with_error_details(code, message, details)
            }
            Details::RetryLater => {
                let details = ErrorDetails::with_retry_info(Some(RETRY_LATER));
                Self::with_error_details(code, message, details)
            }
            Details::Refusal(reason, epoch) => with_refusal(code, message, reason, epoch),
        }
    }
}

/// A status with our own `Refusal` as its detail, packed as `google.rpc.Status` wants it.
fn with_refusal(code: Code, message: String, reason: Reason, epoch: u64) -> Status {
    let refusal = Refusal {
        reason: reason.into(),
        epoch,
        detail: message.clone(),
        ..Refusal::default()
    };
    let detail = prost_types::Any {
        type_url: REFUSAL_TYPE_URL.to_owned(),
        value: refusal.encode_to_vec(),
    };
    let status = tonic_types::pb::Status {
        code: code.into(),
        message: message.clone(),
        details: vec![detail],
    };
    Status::with_details(code, message, status.encode_to_vec().into())
}
