//! An aggregator on a thread of its own, which can be stopped in its tracks: while it is, nobody serves
//! its connection either, and the kernel's buffers are all that takes an answer.

use std::{sync::mpsc, thread};

use tokio::sync::oneshot;

use super::{
    common::{PATIENCE, Sidecar, game::Game},
    read,
};

/// The aggregator, as its test holds it.
pub(crate) struct Frozen {
    freeze: oneshot::Sender<mpsc::Receiver<u64>>,
    frozen: mpsc::Receiver<()>,
    thread: thread::JoinHandle<Vec<u64>>,
}

/// The same, stopped.
pub(crate) struct Stopped {
    thaw: mpsc::Sender<u64>,
    thread: thread::JoinHandle<Vec<u64>>,
}

impl Frozen {
    /// Reads the first record, and then has so many reads under way.
    pub(crate) fn start(sidecar: &Sidecar, reads: usize) -> Self {
        let socket = sidecar.socket();
        let (freeze, stop) = oneshot::channel();
        let (stopped, frozen) = mpsc::channel();
        let thread = thread::spawn(move || {
            // One thread: what blocks it stops the connection's task too.
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            let aggregator = Aggregator {
                reads,
                stop,
                stopped,
            };
            runtime.expect("a runtime").block_on(async {
                let client = super::common::Client::on(&socket).await;
                aggregator
                    .run(Game::new(client.expect("a connection")))
                    .await
            })
        });
        Self {
            freeze,
            frozen,
            thread,
        }
    }

    /// Stops it, and returns when it stands still.
    pub(crate) fn freeze(self) -> Stopped {
        let (thaw, thawed) = mpsc::channel();
        self.freeze.send(thawed).expect("it runs");
        self.frozen.recv_timeout(PATIENCE).expect("it stops");
        Stopped {
            thaw,
            thread: self.thread,
        }
    }
}

impl Stopped {
    /// Lets it go on until it has counted so many records, and gives their sequences as it read them.
    pub(crate) fn thaw(self, records: u64) -> Vec<u64> {
        self.thaw.send(records).expect("it waits");
        self.thread.join().expect("no panic")
    }
}

struct Aggregator {
    reads: usize,
    stop: oneshot::Receiver<mpsc::Receiver<u64>>,
    stopped: mpsc::Sender<()>,
}

impl Aggregator {
    async fn run(self, game: Game) -> Vec<u64> {
        let first = game.read(read(Vec::new())).await.expect("a page");
        let mut cursor = first.cursor;
        let mut sequences: Vec<_> = first.records.iter().map(|record| record.sequence).collect();
        for _ in 0..self.reads {
            let (game, cursor) = (game.clone(), cursor.clone());
            tokio::spawn(async move { game.read(read(cursor)).await });
        }
        let thawed = self.stop.await.expect("told to stop");
        self.stopped.send(()).expect("somebody waits");
        let records = thawed.recv().expect("thawed"); // blocks the thread: this is the frost

        while (sequences.len() as u64) < records {
            let page = game.read(read(cursor)).await.expect("a page");
            assert!(!page.gap, "nothing was dropped");
            cursor = page.cursor;
            sequences.extend(page.records.iter().map(|record| record.sequence));
        }
        sequences
    }
}
