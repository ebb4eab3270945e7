//! Why a hunt is not created.

use std::fmt;

use super::lock::NotServed;
use crate::engine::SettingsError;

/// Why a hunt is not created. Nothing has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CreateError {
    Settings(SettingsError),
    /// The id is taken by a hunt with other settings.
    OtherSettings,
    /// The id is taken by a hunt with these settings, which has another epoch by now.
    OtherEpoch {
        asked: u64,
        current: u64,
    },
    /// The hunt is here, and answers nothing.
    NotServed(NotServed),
    /// As many hunts are held as may be.
    HuntsFull {
        hunts_max: usize,
    },
}

impl fmt::Display for CreateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Settings(error) => error.fmt(f),
            Self::OtherSettings => {
                f.write_str("a hunt of this id exists with other settings; ids are never reused")
            }
            Self::OtherEpoch { asked, current } => {
                write!(
                    f,
                    "a hunt of this id exists at epoch {current}, and epoch {asked} was asked for"
                )
            }
            Self::NotServed(error) => error.fmt(f),
            Self::HuntsFull { hunts_max } => {
                write!(f, "{hunts_max} hunts are held, which is the limit")
            }
        }
    }
}

impl std::error::Error for CreateError {}

impl From<SettingsError> for CreateError {
    fn from(error: SettingsError) -> Self {
        Self::Settings(error)
    }
}

impl From<NotServed> for CreateError {
    fn from(error: NotServed) -> Self {
        Self::NotServed(error)
    }
}
