//! Between the schema's messages and the engine's types. Converts, and decides nothing.
//!
//! Matches are exhaustive both ways: a new verdict, effect or refusal does not compile until the wire
//! has a place for it.

mod command;
mod outcome;
mod record;
mod refusal;
mod sent;
mod settings;
mod snapshot;
mod views;

pub use self::{
    command::raw_command,
    outcome::{bare_outcome, outcome},
    record::{applied_record, created_record, ended_record, owner_changed_record},
    refusal::{Refused, refused},
    sent::{AppliedRecord, Commands, Encoded, Sent, put_command, put_outcome},
    settings::{hunt_settings, settings},
    snapshot::{hunt_snapshot, snapshot},
    views::{end_hunt_response, get_hunt_response, get_player_response, hunt_status, standings},
};
