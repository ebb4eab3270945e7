//! What the process says about itself: logs, traces, metrics.
//!
//! Spans of ours are DEBUG spans, so that at the usual log level, and without a collector, a call pays
//! for none. An exporter gets them at every log level.

mod logs;
pub mod metrics;
mod traces;

use std::time::Duration;

use tracing::level_filters::LevelFilter;
use tracing_subscriber::{
    Layer as _, filter::Targets, layer::SubscriberExt as _, util::SubscriberInitExt as _,
};

pub use self::metrics::Metrics;
use self::traces::Traces;
use crate::{config::Settings, exit::Exit};

/// How long the end of the process waits for a collector.
const LAST_SPANS_MAX: Duration = Duration::from_millis(250);

/// Logs and traces, until the process ends.
pub struct Telemetry {
    traces: Option<Traces>,
}

impl Telemetry {
    /// Begins to log, and to trace if a collector is named.
    ///
    /// # Errors
    /// 78 if the collector's settings cannot be used.
    pub fn start(settings: &Settings) -> Result<Self, Exit> {
        let traces = Traces::from_environment()?;
        let spans = traces.as_ref().map(|traces| {
            let ours = Targets::new().with_target("player_state", LevelFilter::DEBUG);
            tracing_opentelemetry::layer()
                .with_tracer(traces.tracer())
                .with_filter(ours)
        });
        tracing_subscriber::registry()
            .with(spans)
            .with(logs::layer(settings.log_level, settings.log_format))
            .try_init()
            .map_err(|err| Exit::runtime(format!("logs cannot be started: {err}")))?;
        logs::log_panics();
        Ok(Self { traces })
    }

    /// Sends what is left to the collector, within a quarter of a second.
    pub fn end(self) {
        if let Some(traces) = self.traces {
            traces.end(LAST_SPANS_MAX);
        }
    }
}
