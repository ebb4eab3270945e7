//! The syntax of fields that calls share. Each check names the field as the schema does, with the
//! limit and the value.

use std::{fmt::Display, ops::RangeInclusive};

use super::errors::Failure;
use crate::engine::{HUNT_ID_BYTES_MAX, HuntId, PlayerId};

/// The field `hunt_id` of a call.
pub(super) fn hunt_id(hunt_id: &str) -> Result<HuntId, Failure> {
    HuntId::parse(hunt_id).map_err(|field| {
        // What came may be long or unprintable: its start, escaped, is enough to recognise it by.
        let shown: String = hunt_id.chars().take(HUNT_ID_BYTES_MAX).collect();
        let problem = format!(
            "must be 1..{HUNT_ID_BYTES_MAX} bytes of [A-Za-z0-9._:-]; this one has {} and begins {shown:?}",
            hunt_id.len()
        );
        Failure::field(field.name(), problem)
    })
}

/// The field `player_id` of a call.
pub(super) fn player_id(player_id: u64) -> Result<PlayerId, Failure> {
    PlayerId::new(player_id).ok_or_else(|| Failure::field("player_id", "must not be 0"))
}

/// A number that has to lie in `limits`.
pub(super) fn in_range<T: PartialOrd + Display + Copy>(
    field: &'static str,
    value: T,
    limits: RangeInclusive<T>,
) -> Result<T, Failure> {
    if limits.contains(&value) {
        return Ok(value);
    }
    let problem = format!(
        "must be {}..{}, and is {value}",
        limits.start(),
        limits.end()
    );
    Err(Failure::field(field, problem))
}
