//! `player-state rules check`: whether a ruleset file would be taken, without starting anything.

use std::path::Path;

use crate::{exit::Exit, shard::read_ruleset};

/// Reads and checks a file as `serve` does, and says what is in it.
///
/// # Errors
/// 65 if it cannot be read or is no ruleset, with file, line and key.
pub fn check(path: &Path) -> Result<String, Exit> {
    let ruleset = read_ruleset(path).map_err(|err| Exit::data(err.to_string()))?;
    let power_ups: Vec<_> = ruleset.names().map(AsRef::as_ref).collect();
    Ok(format!(
        "{}: good; {} power-ups: {}; SHA-256 {}",
        path.display(),
        power_ups.len(),
        power_ups.join(", "),
        ruleset.hash()
    ))
}
