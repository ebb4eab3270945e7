//! Spans to a collector, over OTLP, when the environment names one.
//!
//! The exporter has a thread and a runtime of its own; its queue is bounded and drops when it is full, so
//! that a slow collector costs spans and never calls. All settings are OpenTelemetry's own, `OTEL_…`.

use std::{env, time::Duration};

use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::SpanExporter;
use opentelemetry_sdk::{
    Resource,
    resource::EnvResourceDetector,
    trace::{SdkTracerProvider, Tracer},
};
use tokio::runtime::{self, Runtime};

use crate::exit::Exit;

/// The exporter, while the process runs.
pub(super) struct Traces {
    provider: SdkTracerProvider,
    runtime: Runtime,
}

impl Traces {
    /// Starts the exporter if an endpoint is set.
    ///
    /// # Errors
    /// 78 if the endpoint or its settings cannot be used.
    pub(super) fn from_environment() -> Result<Option<Self>, Exit> {
        let set = |name: &str| env::var_os(name).is_some_and(|value| !value.is_empty());
        let disabled =
            env::var("OTEL_SDK_DISABLED").is_ok_and(|value| value.eq_ignore_ascii_case("true"));
        let endpoints = [
            "OTEL_EXPORTER_OTLP_ENDPOINT",
            "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
        ];
        if disabled || !endpoints.into_iter().any(set) {
            return Ok(None);
        }
        Self::start()
            .map(Some)
            .map_err(|err| Exit::settings(format!("OTEL_EXPORTER_OTLP_ENDPOINT: {err}")))
    }

    fn start() -> Result<Self, Box<dyn std::error::Error>> {
        let runtime = runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("traces")
            .enable_all()
            .build()?;
        let entered = runtime.enter();
        let exporter = SpanExporter::builder().with_tonic().build()?;
        let provider = SdkTracerProvider::builder()
            .with_resource(resource())
            .with_batch_exporter(exporter)
            .build();
        drop(entered);
        Ok(Self { provider, runtime })
    }

    pub(super) fn tracer(&self) -> Tracer {
        self.provider.tracer("player-state")
    }

    /// Sends what is left, for at most `limit`.
    pub(super) fn end(self, limit: Duration) {
        if let Err(err) = self.provider.shutdown_with_timeout(limit) {
            tracing::warn!(%err, "the last spans were not sent");
        }
        self.runtime.shutdown_background();
    }
}

fn resource() -> Resource {
    let resource = Resource::builder_empty()
        .with_service_name("player-state")
        .with_detector(Box::new(EnvResourceDetector::new()));
    match env::var("OTEL_SERVICE_NAME") {
        Ok(name) if !name.is_empty() => resource.with_service_name(name),
        _ => resource,
    }
    .build()
}
