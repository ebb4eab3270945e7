//! Settings: flag over environment over file over default, from one `table`.
//!
//! Owns the reading of all four. What is unknown is refused with the nearest name; what is out of its
//! bounds is refused with limit and value; all refusals of a start are told at once. Nothing else in
//! the crate reads the environment, but for `OTEL_…`, which belong to OpenTelemetry.

mod flags;
mod print;
mod sources;
mod table;
mod value;

use std::path::Path;

use self::sources::{Environment, File};
pub use self::{
    flags::Flags,
    print::{limits_markdown, print},
    sources::Source,
    table::{ENV_PREFIX, ROWS, Row, Settings},
    value::{Bytes, Claim, Durability, Listen, LogFormat, LogLevel},
};
use crate::exit::Exit;

/// The settings, and where each came from.
#[derive(Debug)]
pub struct Resolved {
    pub settings: Settings,
    /// In the order of [`ROWS`].
    pub sources: Vec<Source>,
}

/// Merges the four sources.
///
/// # Errors
/// One [`Exit`] with code 78 that lists every name that is unknown and every value that cannot be used.
pub fn resolve(flags: &Flags, config: Option<&Path>) -> Result<Resolved, Exit> {
    resolve_from(flags, std::env::vars_os(), config)
}

fn resolve_from(
    flags: &Flags,
    vars: impl Iterator<Item = (std::ffi::OsString, std::ffi::OsString)>,
    config: Option<&Path>,
) -> Result<Resolved, Exit> {
    let mut refusals = Vec::new();
    let env = Environment::read(vars, &mut refusals);
    let file = File::read(config, &mut refusals)?;

    let mut settings = Settings::defaults();
    let mut sources = Vec::with_capacity(ROWS.len());
    for row in ROWS {
        let given = [flags.get(row), env.get(row), file.get(row)];
        let places = [Source::Flag, Source::Env, Source::File];
        let found = places
            .into_iter()
            .zip(given)
            .find_map(|(source, texts)| Some((source, texts?)));
        let Some((source, texts)) = found else {
            sources.push(Source::Default);
            continue;
        };
        if let Err(why) = (row.set)(&mut settings, texts) {
            refusals.push(format!(
                "{} = {}: {why}",
                source.name_of(row, config),
                texts.join(", ")
            ));
        }
        sources.push(source);
    }
    refusals.extend(refused_together(&settings));
    if !refusals.is_empty() {
        return Err(Exit::settings(refusals.join("\n")));
    }
    Ok(Resolved { settings, sources })
}

impl Settings {
    /// What an answer promises about a crash.
    pub fn promise(&self) -> Durability {
        let unset = match self.data_dir {
            Some(_) => Durability::Sync,
            None => Durability::None,
        };
        self.durability.unwrap_or(unset)
    }
}

/// What may follow in the answer of a batch once its outcomes fill it: the outcome that did, and a
/// refusal for each command after it.
pub const BATCH_REST_BYTES: usize = 64 * 1024;

/// What no single row can see. The windows: a message that does not fit into its window is sent in
/// parts, and the second waits for the reader of the first.
fn refused_together(settings: &Settings) -> Vec<String> {
    let mut refusals = Vec::new();
    let (message, stream, connection) = (
        settings.message_bytes_max,
        settings.stream_window_bytes,
        settings.connection_window_bytes,
    );
    if message >= stream {
        refusals.push(format!(
            "message_bytes_max = {message}: must be below stream_window_bytes, which is {stream}"
        ));
    }
    if stream > connection {
        refusals.push(format!(
            "stream_window_bytes = {stream}: must not be above connection_window_bytes, which is {connection}"
        ));
    }
    let outcomes = settings.batch_outcome_bytes_max;
    if outcomes.0 + BATCH_REST_BYTES > message.0 {
        refusals.push(format!(
            "batch_outcome_bytes_max = {outcomes}: must leave {} of message_bytes_max, which is {message}, to the rest \
             of the answer",
            Bytes(BATCH_REST_BYTES)
        ));
    }
    if let Some(durability @ (Durability::Sync | Durability::Interval)) = settings.durability
        && settings.data_dir.is_none()
    {
        refusals.push(format!(
            "durability = {durability}: needs a data_dir to keep the journal in; add --data-dir DIR"
        ));
    }
    refusals
}

#[cfg(test)]
mod tests;
