//! The threads that serve connections: one a core, each with a runtime of its own.
//!
//! A connection stays on its thread, so that nothing of a call crosses cores but the hunt's own lock: on two
//! cores, with their load beside them, that is 14 µs of CPU a call, against 19 µs on a work-stealing runtime
//! (four turns each). Batches cost the same on both.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use tokio::{
    net::{TcpStream, UnixStream},
    runtime,
    sync::mpsc,
};
use tokio_util::task::{TaskTracker, task_tracker::TaskTrackerToken};

use super::{connections::Slot, listen::Socket, stack::Service};
use crate::exit::Exit;

/// A connection on its way to its thread.
pub(super) struct Arrival {
    pub(super) socket: Socket,
    pub(super) slot: Slot,
    /// Held until the connection is closed, so that the end of the process can wait for it.
    pub(super) _open: TaskTrackerToken,
}

/// All threads. They end when this is dropped and their connections are closed, or with the process.
pub(super) struct Workers(Vec<Worker>);

struct Worker {
    arrivals: mpsc::Sender<Arrival>,
    connections: Arc<AtomicUsize>,
}

impl Workers {
    /// Starts the threads. `connections_max` is how many there can be at all, refused ones included.
    ///
    /// # Errors
    /// If the system has no more threads or descriptors.
    pub(super) fn start(
        count: usize,
        connections_max: usize,
        service: &Arc<Service>,
    ) -> Result<Self, Exit> {
        (0..count)
            .map(|index| Worker::start(index, connections_max, Arc::clone(service)))
            .collect::<io::Result<_>>()
            .map(Self)
            .map_err(|err| Exit::runtime(format!("a worker thread cannot be started: {err}")))
    }

    /// Gives a connection to the thread that has the fewest.
    pub(super) fn hand_over(&self, arrival: Arrival) {
        let load = |worker: &&Worker| worker.connections.load(Ordering::Relaxed);
        let Some(idlest) = self.0.iter().min_by_key(load) else {
            return;
        };
        // There are as many places as slots, so this fails only where the thread died; the connection then
        // closes, and its client comes again.
        match idlest.arrivals.try_send(arrival) {
            Ok(()) => {
                idlest.connections.fetch_add(1, Ordering::Relaxed);
            }
            Err(_) => tracing::error!("a worker thread is gone: a connection was closed"),
        }
    }
}

impl Worker {
    fn start(index: usize, connections_max: usize, service: Arc<Service>) -> io::Result<Self> {
        let (arrivals, receiver) = mpsc::channel(connections_max);
        let connections = Arc::new(AtomicUsize::new(0));
        let open = Arc::clone(&connections);
        let runtime = runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        std::thread::Builder::new()
            .name(format!("worker-{index}"))
            .spawn(move || runtime.block_on(work(receiver, open, service)))?;
        Ok(Self {
            arrivals,
            connections,
        })
    }
}

async fn work(
    mut arrivals: mpsc::Receiver<Arrival>,
    open: Arc<AtomicUsize>,
    service: Arc<Service>,
) {
    let connections = TaskTracker::new();
    while let Some(arrival) = arrivals.recv().await {
        let (open, service) = (Arc::clone(&open), Arc::clone(&service));
        connections.spawn(async move {
            if let Err(err) = converse(arrival, &service).await {
                tracing::warn!(%err, "a connection could not be served");
            }
            open.fetch_sub(1, Ordering::Relaxed);
        });
    }
    connections.close();
    connections.wait().await;
}

/// Makes the socket this thread's own, and serves it.
async fn converse(arrival: Arrival, service: &Service) -> io::Result<()> {
    match arrival.socket {
        Socket::Unix(socket) => {
            let halves = UnixStream::from_std(socket)?.into_split();
            service.converse(halves, &arrival.slot).await;
        }
        Socket::Tcp(socket) => {
            let halves = TcpStream::from_std(socket)?.into_split();
            service.converse(halves, &arrival.slot).await;
        }
    }
    Ok(())
}
