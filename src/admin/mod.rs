//! The admin port: `/livez`, `/readyz`, `/metrics`, `/version`, `/journal/backup`, over HTTP/1.1. It only tells.
//!
//! It runs on the main thread, apart from the threads that serve calls, so that it answers while they
//! are busy or stuck.

mod backup;
mod routes;

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use axum::{Extension, Router};
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
};

pub use self::{
    backup::Journal,
    routes::{BACKUP_PATH, Told},
};
use crate::exit::Exit;

/// After an error of accept.
const PAUSE: Duration = Duration::from_millis(200);

/// The port, bound and not served yet.
pub struct Bound(TcpListener);

/// Binds the port. To be called inside a runtime.
///
/// # Errors
/// 78 if the address cannot be used, 75 if another process listens there.
pub async fn bind(addr: SocketAddr) -> Result<Bound, Exit> {
    let bound = async {
        let listener = TcpListener::bind(addr).await?;
        tracing::info!(admin = %listener.local_addr()?, "listening");
        Ok(Bound(listener))
    };
    bound
        .await
        .map_err(|err: io::Error| crate::edge::in_use(&format!("admin {addr}"), &err))
}

impl Bound {
    /// Serves until the process ends, within `admin_connections_max` and `admin_idle_max`.
    pub async fn serve(self, told: Arc<Told>, connections_max: usize, idle_max: Duration) {
        let router = routes::router(told);
        let places = Arc::new(Semaphore::new(connections_max));
        // The semaphore is never closed.
        while let Ok(place) = Arc::clone(&places).acquire_owned().await {
            match self.0.accept().await {
                Ok((stream, peer)) => {
                    let router = router.clone().layer(Extension(peer));
                    tokio::spawn(answer(stream, router, idle_max, place));
                }
                Err(err) => {
                    tracing::warn!(%err, "the admin port cannot accept a connection");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }
}

async fn answer(
    stream: TcpStream,
    router: Router,
    idle_max: Duration,
    _place: OwnedSemaphorePermit,
) {
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(idle_max)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router))
        .await;
    if let Err(err) = served {
        tracing::debug!(%err, "an admin connection broke");
    }
}
