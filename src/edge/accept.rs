//! The accept loop, one a listener: it never ends before draining, whatever accept says, and never spins.

use std::{io, sync::Arc, time::Duration};

use rustix::io::Errno;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    connections::Slots,
    listen::Listener,
    workers::{Arrival, Workers},
};
use crate::telemetry::Metrics;

/// What the loops of all listeners share.
pub(super) struct Accept {
    pub(super) workers: Workers,
    pub(super) slots: Slots,
    pub(super) open: TaskTracker,
    pub(super) draining: CancellationToken,
    pub(super) metrics: Arc<Metrics>,
}

impl Accept {
    /// Accepts until draining begins; then the listener is closed.
    pub(super) async fn run(self: Arc<Self>, listener: Listener) {
        let place = listener.place();
        let mut pause = Pause::default();
        while let Some(accepted) = self.draining.run_until_cancelled(listener.accept()).await {
            match accepted {
                Ok(socket) => {
                    pause.reset();
                    if let Some(slot) = self.slots.take(listener.transport()) {
                        self.workers.hand_over(Arrival {
                            socket,
                            slot,
                            _open: self.open.token(),
                        });
                    }
                }
                Err(err) => {
                    let kind = if out_of_descriptors(&err) {
                        "descriptors"
                    } else {
                        "other"
                    };
                    self.metrics
                        .player_state_accept_errors_total
                        .with_label_values(&[kind])
                        .inc();
                    if pause.is_first() {
                        tracing::error!(%place, %err, "connections cannot be accepted; trying again until they can");
                    }
                    tokio::time::sleep(pause.longer()).await;
                }
            }
        }
    }
}

fn out_of_descriptors(err: &io::Error) -> bool {
    matches!(Errno::from_io_error(err), Some(Errno::MFILE | Errno::NFILE))
}

/// How long to wait after an error: twice as long each time, from 5 to 200 ms.
#[derive(Debug, Default)]
struct Pause(Option<Duration>);

impl Pause {
    const FIRST: Duration = Duration::from_millis(5);
    const LONGEST: Duration = Duration::from_millis(200);

    fn is_first(&self) -> bool {
        self.0.is_none()
    }

    fn longer(&mut self) -> Duration {
        let next = self
            .0
            .map_or(Self::FIRST, |last| (last * 2).min(Self::LONGEST));
        *self.0.insert(next)
    }

    fn reset(&mut self) {
        self.0 = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_grows_to_its_longest_and_begins_anew_after_a_success() {
        let mut pause = Pause::default();
        let pauses: Vec<_> = (0..8).map(|_| pause.longer().as_millis()).collect();
        assert_eq!(pauses, [5, 10, 20, 40, 80, 160, 200, 200]);
        pause.reset();
        assert!(pause.is_first());
        assert_eq!(pause.longer(), Pause::FIRST);
    }
}
