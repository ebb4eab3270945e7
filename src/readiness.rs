//! Whether the process should be sent calls, and if not, why not.
//!
//! One value with three readers: `/readyz`, the gRPC health service, and the gauge. Only [`crate::serve`] changes it.

use std::sync::Arc;

use tokio::sync::watch;
use tonic_health::{ServingStatus, server::HealthReporter};

use crate::{edge::methods::OUR_SERVICES, shard::Progress, telemetry::Metrics};

/// Where the process is in its life.
#[derive(Debug, Clone)]
pub enum State {
    Starting,
    /// Rebuilds its hunts from the journal.
    Recovering(Progress),
    Ready,
    Draining,
}

impl State {
    /// What stands in the way of calls, if anything does.
    pub fn why_not(&self) -> Option<String> {
        match self {
            State::Starting => Some("starting: the listeners are not open yet".to_owned()),
            State::Recovering(progress) => Some(format!("recovering: {progress}")),
            State::Ready => None,
            State::Draining => Some("draining: the process was told to end".to_owned()),
        }
    }
}

/// The value. Safe for concurrent use; reading never waits.
pub struct Readiness {
    state: watch::Sender<State>,
    health: HealthReporter,
    metrics: Arc<Metrics>,
}

impl Readiness {
    pub fn new(health: HealthReporter, metrics: Arc<Metrics>) -> Self {
        Self {
            state: watch::Sender::new(State::Starting),
            health,
            metrics,
        }
    }

    pub fn state(&self) -> State {
        self.state.borrow().clone()
    }

    /// Tells all three.
    pub async fn set(&self, state: State) {
        let ready = matches!(state, State::Ready);
        self.state.send_replace(state);
        self.metrics.player_state_ready.set(i64::from(ready));
        let status = if ready {
            ServingStatus::Serving
        } else {
            ServingStatus::NotServing
        };
        for service in names() {
            self.health.set_service_status(service, status).await;
        }
    }

    /// Ends the health service's watches, which would otherwise hold their connections open.
    pub async fn end_watches(&self) {
        let mut health = self.health.clone();
        for service in names() {
            health.clear_service_status(service).await;
        }
    }
}

/// The names of the health service: each of ours, and "" for the process.
fn names() -> impl Iterator<Item = &'static str> {
    OUR_SERVICES.into_iter().chain([""])
}
