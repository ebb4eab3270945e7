//! Logs, on standard error, as text or as one JSON object a line. A panic anywhere is a log line too.

use std::{io, panic};

use tracing::{Subscriber, level_filters::LevelFilter};
use tracing_subscriber::{Layer, filter::Targets, fmt, registry::LookupSpan};

use crate::config::{LogFormat, LogLevel};

/// The layer that writes the lines: ours from `level` on; the libraries' warnings, and more only where ours are.
pub(super) fn layer<S>(level: LogLevel, format: LogFormat) -> impl Layer<S>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    let ours = filter_of(level);
    let libraries = ours.min(LevelFilter::WARN);
    let filter = Targets::new()
        .with_target("player_state", ours)
        .with_default(libraries);
    let lines = fmt::layer().with_writer(io::stderr);
    match format {
        LogFormat::Text => lines
            .with_ansi(io::IsTerminal::is_terminal(&io::stderr()))
            .boxed(),
        LogFormat::Json => lines.json().flatten_event(true).boxed(),
    }
    .with_filter(filter)
}

fn filter_of(level: LogLevel) -> LevelFilter {
    match level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    }
}

/// Makes a panic a log line with its text and its place.
pub(super) fn log_panics() {
    panic::set_hook(Box::new(|panic| {
        let text = panic.payload_as_str().unwrap_or("a panic without a text");
        let place = panic.location().map(ToString::to_string);
        let thread = std::thread::current();
        tracing::error!(
            panic = text,
            place = place.as_deref(),
            thread = thread.name(),
            "a panic"
        );
    }));
}
