//! The pages of the admin port.

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::State,
    http::{StatusCode, header::CONTENT_TYPE},
    response::IntoResponse,
    routing::get,
};
use serde::Serialize;

use super::backup::{self, Journal};
use crate::{readiness::Readiness, telemetry::Metrics};

/// Where a backup of the journal is given.
pub const BACKUP_PATH: &str = "/journal/backup";

/// What the pages tell of.
pub struct Told {
    pub readiness: Readiness,
    pub metrics: Arc<Metrics>,
    pub journal: Journal,
}

pub(super) fn router(told: Arc<Told>) -> Router {
    Router::new()
        .route("/livez", get(livez))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .route("/version", get(version))
        .route(BACKUP_PATH, get(backup::backup))
        .with_state(told)
}

/// That this page is answered is all that it says: liveness depends on nothing else.
async fn livez() -> &'static str {
    "live\n"
}

async fn readyz(State(told): State<Arc<Told>>) -> (StatusCode, String) {
    match told.readiness.state().why_not() {
        None => (StatusCode::OK, "ready\n".to_owned()),
        Some(why) => (StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")),
    }
}

async fn metrics(State(told): State<Arc<Told>>) -> impl IntoResponse {
    (
        [(CONTENT_TYPE, prometheus::TEXT_FORMAT)],
        told.metrics.text(),
    )
}

#[derive(Serialize)]
struct Version {
    build: &'static str,
    schema_sha256: &'static str,
    rules_version: u32,
}

async fn version() -> Json<Version> {
    Json(Version {
        build: crate::BUILD,
        schema_sha256: crate::pb::SCHEMA_SHA256,
        rules_version: crate::engine::RULES_VERSION,
    })
}
