//! At most so many connections: some more are answered with a refusal, all others are closed unread.
//!
//! A refused connection is served for a second, so that its client learns why and comes back, perhaps to
//! a free slot, instead of keeping a connection on which every call fails.

use std::{
    convert::Infallible,
    future::{Ready, ready},
    sync::Arc,
    time::Duration,
};

use http::{Request, Response};
use prometheus::IntGauge;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tonic::{Code, body::Body};

use super::refusal::retry_later;
use crate::{config::Settings, telemetry::Metrics};

/// How long a refused connection is served.
pub(super) const REFUSED_FOR: Duration = Duration::from_secs(1);

/// The slots that there are. Shared by all listeners.
#[derive(Debug)]
pub(super) struct Slots {
    served: Arc<Semaphore>,
    refused: Arc<Semaphore>,
    metrics: Arc<Metrics>,
}

/// One connection's slot, given back when dropped.
pub(super) struct Slot {
    _permit: OwnedSemaphorePermit,
    open: Option<IntGauge>,
}

impl Slot {
    /// Whether its calls are answered with anything but a refusal.
    pub(super) fn is_served(&self) -> bool {
        self.open.is_some()
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        if let Some(open) = &self.open {
            open.dec();
        }
    }
}

impl Slots {
    pub(super) fn new(settings: &Settings, metrics: Arc<Metrics>) -> Self {
        Self {
            served: Arc::new(Semaphore::new(settings.connections_max)),
            refused: Arc::new(Semaphore::new(settings.connections_refused_max)),
            metrics,
        }
    }

    /// A slot for a new connection; none if it is to be closed unread.
    pub(super) fn take(&self, transport: &'static str) -> Option<Slot> {
        if let Ok(permit) = Arc::clone(&self.served).try_acquire_owned() {
            let open = self
                .metrics
                .player_state_connections
                .with_label_values(&[transport]);
            open.inc();
            return Some(Slot {
                _permit: permit,
                open: Some(open),
            });
        }
        let refused = Arc::clone(&self.refused).try_acquire_owned().ok();
        let how = if refused.is_some() {
            "refused"
        } else {
            "closed"
        };
        self.metrics
            .player_state_connections_refused_total
            .with_label_values(&[how])
            .inc();
        refused.map(|permit| Slot {
            _permit: permit,
            open: None,
        })
    }
}

/// What answers on a refused connection.
#[derive(Debug, Clone)]
pub(super) struct Refusing {
    pub(super) connections_max: usize,
    pub(super) metrics: Arc<Metrics>,
}

impl hyper::service::Service<Request<Body>> for Refusing {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Ready<Result<Response<Body>, Infallible>>;

    fn call(&self, _: Request<Body>) -> Self::Future {
        let refusals = &self.metrics.player_state_calls_refused_total;
        refusals.with_label_values(&["connections"]).inc();
        ready(Ok(retry_later(
            Code::ResourceExhausted,
            format!(
                "{} connections are open, the limit (connections_max): close some, or raise it; counted in \
                 player_state_connections_refused_total",
                self.connections_max
            ),
            REFUSED_FOR,
        )))
    }
}
