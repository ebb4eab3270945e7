//! A backup of the journal of this process, for whoever asks from this machine: it holds every player's state, and
//! takes the disk and a part of a core, which is not for everybody who may look at metrics.
//!
//! One at a time, made by a thread of its own that no call waits for. A reader that goes away ends it, and so does one
//! that takes nothing for a while.

use std::{
    io::{self, Write},
    net::SocketAddr,
    sync::{Arc, OnceLock},
    thread,
    time::{Duration, Instant},
};

use axum::{
    body::Body,
    extract::State,
    http::StatusCode,
    response::{IntoResponse as _, Response},
};
use futures_util::stream;
use hyper::body::Bytes;
use tokio::{
    runtime::Handle,
    sync::{Semaphore, mpsc},
};

use super::Told;
use crate::journal::{Store, write_backup};

/// What is sent at once, in bytes.
const CHUNK_BYTES: usize = 64 << 10;

/// Chunks that wait for the reader.
const CHUNKS_AHEAD: usize = 4;

/// A reader that takes no chunk for so long is let go: what is dropped meanwhile stays on the disk.
const STALLED_MAX: Duration = Duration::from_secs(60);

/// After a chunk the thread rests so many times as long as it took: the other cores are the game's, and so is most of
/// this one.
const REST: u32 = 1;

/// The journal that backups are of.
pub struct Journal {
    store: OnceLock<Option<Arc<Store>>>,
    one: Arc<Semaphore>,
}

impl Default for Journal {
    fn default() -> Self {
        Self {
            store: OnceLock::new(),
            one: Arc::new(Semaphore::new(1)),
        }
    }
}

impl Journal {
    /// It is open and recovered; none if it is not on a disk. Said once.
    pub fn is(&self, store: Option<Arc<Store>>) {
        // A second would be told as the first: there is none.
        let _ = self.store.set(store);
    }
}

pub(super) async fn backup(
    State(told): State<Arc<Told>>,
    axum::Extension(peer): axum::Extension<SocketAddr>,
) -> Response {
    let refused = |status: StatusCode, why: &'static str| (status, why).into_response();
    if !peer.ip().to_canonical().is_loopback() {
        let why = "a backup is given to this machine alone: ask over its loopback address\n";
        return refused(StatusCode::FORBIDDEN, why);
    }
    let store = match told.journal.store.get() {
        None => {
            let why = "the journal is not recovered yet: ask again when /readyz is well\n";
            return refused(StatusCode::SERVICE_UNAVAILABLE, why);
        }
        Some(None) => {
            let why = "this process has no journal on disk: it was started without a data_dir\n";
            return refused(StatusCode::NOT_FOUND, why);
        }
        Some(Some(store)) => Arc::clone(store),
    };
    let Ok(one) = Arc::clone(&told.journal.one).try_acquire_owned() else {
        let why = "another backup is being made, and there is one at a time\n";
        return refused(StatusCode::CONFLICT, why);
    };
    let (sender, receiver) = mpsc::channel(CHUNKS_AHEAD);
    let chunks = Chunks {
        gathered: Vec::with_capacity(CHUNK_BYTES),
        began: Instant::now(),
        sender,
        runtime: Handle::current(),
    };
    let run = move || {
        send(&store, chunks);
        drop(one);
    };
    let begun = thread::Builder::new().name("backup".to_owned()).spawn(run);
    if let Err(err) = begun {
        tracing::error!(%err, "no thread for a backup");
        let why = "the system has no thread for it; try later\n";
        return refused(StatusCode::SERVICE_UNAVAILABLE, why);
    }
    let chunks = stream::unfold(receiver, |mut receiver| async {
        receiver.recv().await.map(|chunk| (chunk, receiver))
    });
    Body::from_stream(chunks).into_response()
}

fn send(store: &Store, mut chunks: Chunks) {
    let began = Instant::now();
    let mut parts = 0_u64;
    let written = store
        .contents()
        .map_err(Into::into)
        .and_then(|contents| write_backup(contents, &mut chunks, |_| parts += 1));
    match written {
        Ok(()) => tracing::info!(parts, took = ?began.elapsed(), "a backup was made"),
        Err(err) => {
            tracing::warn!(parts, %err, "a backup was not made to its end");
            // The reader sees the connection break, and not a backup that ends.
            let _ = chunks.send(Err(io::Error::other("the backup ended before its end")));
        }
    }
}

/// What was written and is not sent yet.
struct Chunks {
    gathered: Vec<u8>,
    /// When the chunk was begun.
    began: Instant,
    sender: mpsc::Sender<io::Result<Bytes>>,
    runtime: Handle,
}

impl Chunks {
    fn send(&self, chunk: io::Result<Bytes>) -> io::Result<()> {
        let sent = self.sender.send_timeout(chunk, STALLED_MAX);
        let sent = self.runtime.block_on(sent);
        sent.map_err(|err| match err {
            mpsc::error::SendTimeoutError::Timeout(_) => {
                io::Error::other(format!("its reader took nothing for {STALLED_MAX:?}"))
            }
            mpsc::error::SendTimeoutError::Closed(_) => io::Error::other("its reader went away"),
        })
    }
}

impl Write for Chunks {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.gathered.extend_from_slice(bytes);
        if self.gathered.len() >= CHUNK_BYTES {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.gathered.is_empty() {
            return Ok(());
        }
        fail::fail_point!("backup");
        let took = self.began.elapsed();
        let chunk = std::mem::replace(&mut self.gathered, Vec::with_capacity(CHUNK_BYTES));
        self.send(Ok(chunk.into()))?;
        thread::sleep(took * REST);
        self.began = Instant::now();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use axum::Extension;
    use http::Request;
    use tower::ServiceExt as _;

    use super::*;
    use crate::{admin::routes, readiness::Readiness, telemetry::Metrics};

    #[tokio::test]
    async fn another_machine_is_given_no_backup() {
        let metrics = Arc::new(Metrics::new());
        let (health, _) = tonic_health::server::health_reporter();
        let told = Arc::new(Told {
            readiness: Readiness::new(health, Arc::clone(&metrics)),
            metrics,
            journal: Journal::default(),
        });
        let asked_from = |peer: &str| {
            let peer: SocketAddr = peer.parse().expect("an address");
            let router = routes::router(Arc::clone(&told)).layer(Extension(peer));
            let request = Request::get(routes::BACKUP_PATH).body(Body::empty());
            router.oneshot(request.expect("a request"))
        };
        for (peer, status) in [
            ("192.0.2.1:9", StatusCode::FORBIDDEN),
            ("[2001:db8::1]:9", StatusCode::FORBIDDEN),
            ("127.0.0.1:9", StatusCode::SERVICE_UNAVAILABLE),
            ("[::ffff:127.0.0.1]:9", StatusCode::SERVICE_UNAVAILABLE),
        ] {
            let answer = asked_from(peer).await.expect("an answer");
            assert_eq!(answer.status(), status, "{peer}");
        }
    }
}
