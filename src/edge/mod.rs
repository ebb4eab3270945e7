//! Between the sockets and the services: listeners, connections, and the layers that every call passes.
//!
//! Owns the bounds on connections and calls, the deadlines, and what a caller is told when one of them
//! says no. It knows nothing of hunts, calls nobody, and waits for nobody but the peer of a connection.
//!
//! What must stay true:
//! - a call over a bound is refused at once with limit and name, never queued;
//! - an expired call is answered DEADLINE_EXCEEDED, and its handler is dropped;
//! - whatever a peer sends or does not send, the other connections go on.
//!
//! The way of a call: `listen` → `accept` → `connections` (a slot) → `workers` (a thread) →
//! `connection` (HTTP/2) → `stack` (the layers, in their order) → the services.

mod accept;
mod admission;
mod connection;
mod connections;
mod deadline;
mod draining;
#[cfg(feature = "failpoints")]
mod faults;
mod listen;
mod measure;
pub mod methods;
mod panic;
mod refusal;
mod stack;
mod trace;
mod translate;
mod workers;

use std::sync::Arc;

use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub(crate) use self::listen::in_use;
use self::{
    accept::Accept, connections::Slots, listen::Listener, stack::Service, workers::Workers,
};
use crate::{config::Settings, exit::Exit, rpc::Routes, telemetry::Metrics};

/// Listeners that are bound and not served yet: clients wait in the backlog.
pub struct Bound(Vec<Listener>);

/// Binds all listeners. To be called inside a runtime, before anything else of the process makes files.
///
/// # Errors
/// 78 if there is none or one cannot be used, 75 if another process listens there.
pub fn bind(settings: &Settings) -> Result<Bound, Exit> {
    if settings.listen.is_empty() {
        return Err(Exit::settings(
            "listen: there is no place to listen on; type --listen unix:PATH or --listen tcp:127.0.0.1:PORT",
        ));
    }
    let listeners = settings
        .listen
        .iter()
        .map(|listen| Listener::bind(listen, settings));
    listeners.collect::<Result<_, _>>().map(Bound)
}

/// Connections that are being served.
pub struct Serving {
    open: TaskTracker,
    draining: CancellationToken,
}

impl Bound {
    /// Starts the worker threads and accepts connections, which are served with `routes`.
    ///
    /// # Errors
    /// 1 if a thread cannot be started.
    pub fn serve(
        self,
        routes: Routes,
        settings: &Settings,
        metrics: &Arc<Metrics>,
    ) -> Result<Serving, Exit> {
        let draining = CancellationToken::new();
        let open = TaskTracker::new();
        let service = Arc::new(Service::new(routes, settings, metrics, &draining, &open));
        let connections_max = settings.connections_max + settings.connections_refused_max;
        let accept = Arc::new(Accept {
            workers: Workers::start(threads(settings), connections_max, &service)?,
            slots: Slots::new(settings, Arc::clone(metrics)),
            open: open.clone(),
            draining: draining.clone(),
            metrics: Arc::clone(metrics),
        });
        for listener in self.0 {
            tracing::info!(listen = listener.place(), "listening");
            tokio::spawn(Arc::clone(&accept).run(listener));
        }
        Ok(Serving { open, draining })
    }
}

impl Serving {
    /// Refuses new calls from here on, closes the listeners and the idle connections.
    pub fn drain(&self) {
        self.draining.cancel();
        self.open.close();
    }

    /// Completes when the last connection is closed. Without [`Serving::drain`] that is never.
    pub async fn ended(&self) {
        self.open.wait().await;
    }

    /// How many connections are open.
    pub fn connections(&self) -> usize {
        self.open.len()
    }
}

fn threads(settings: &Settings) -> usize {
    match settings.workers {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        workers => workers,
    }
}
