//! The layers that a call passes, drawn once, and how a connection gets to them.

use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::ServiceBuilder;

use super::{
    admission::{Admission, Places},
    connection::Protocol,
    connections::{REFUSED_FOR, Refusing, Slot},
    deadline::{Caps, Deadline},
    draining::Draining,
    measure::{Durations, Measure},
    panic::Panic,
    trace::Trace,
    translate::Translate,
};
use crate::{config::Settings, rpc::Routes, telemetry::Metrics};

#[cfg(feature = "failpoints")]
type Handlers = super::faults::Faults<Routes>;
#[cfg(not(feature = "failpoints"))]
type Handlers = Routes;

type Stack = Measure<Trace<Draining<Admission<Deadline<Panic<Translate<Handlers>>>>>>>;

/// A call comes in at the top. Outermost stands what must see every call, refused ones too; a call is
/// refused before it takes a place, takes a place before its time runs, and nothing stands between a
/// handler and what catches its panic but the layer that reads its answer.
fn stack(routes: Routes, settings: &Settings, metrics: &Arc<Metrics>, open: &TaskTracker) -> Stack {
    let metrics = || Arc::clone(metrics);
    let places = Places::new(settings.calls_in_flight_max, metrics());
    let durations = Arc::new(Durations::new(metrics()));
    let caps = Caps::of(settings);
    let layers = ServiceBuilder::new()
        .layer_fn(|inner| Measure {
            inner,
            durations: Arc::clone(&durations),
        })
        .layer_fn(|inner| Trace { inner })
        .layer_fn(|inner| Draining {
            inner,
            open: open.clone(),
            metrics: metrics(),
        })
        .layer_fn(|inner| Admission {
            inner,
            places: Arc::clone(&places),
        })
        .layer_fn(|inner| Deadline {
            inner,
            caps,
            metrics: metrics(),
        })
        .layer_fn(|inner| Panic {
            inner,
            metrics: metrics(),
        })
        .layer_fn(|inner| Translate {
            inner,
            metrics: metrics(),
        });
    #[cfg(feature = "failpoints")]
    let layers = layers.layer_fn(|inner| super::faults::Faults { inner });
    layers.service(routes)
}

/// What every connection is served with. Shared by all threads.
pub(super) struct Service {
    protocol: Protocol,
    /// Shared by all connections as it is: a call clones nothing of it but what it takes along.
    stack: Arc<Stack>,
    refusing: Arc<Measure<Refusing>>,
    draining: CancellationToken,
}

impl Service {
    pub(super) fn new(
        routes: Routes,
        settings: &Settings,
        metrics: &Arc<Metrics>,
        draining: &CancellationToken,
        open: &TaskTracker,
    ) -> Self {
        let refusing = Refusing {
            connections_max: settings.connections_max,
            metrics: Arc::clone(metrics),
        };
        let stack = stack(routes, settings, metrics, open);
        let refusing = Measure {
            inner: refusing,
            durations: Arc::clone(&stack.durations),
        };
        Self {
            protocol: Protocol::new(settings, Arc::clone(metrics)),
            stack: Arc::new(stack),
            refusing: Arc::new(refusing),
            draining: draining.clone(),
        }
    }

    /// Serves one connection until it closes.
    pub(super) async fn converse<R, W>(&self, halves: (R, W), slot: &Slot)
    where
        R: AsyncRead + Send + Unpin + 'static,
        W: AsyncWrite + Send + Unpin + 'static,
    {
        if slot.is_served() {
            let leave = self.draining.cancelled();
            self.protocol.serve(halves, self.stack.clone(), leave).await;
        } else {
            let leave = tokio::time::sleep(REFUSED_FOR);
            self.protocol
                .serve(halves, self.refusing.clone(), leave)
                .await;
        }
    }
}
