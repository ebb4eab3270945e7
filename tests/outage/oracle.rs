//! Judges from outside whether a bridge still moves.

use std::time::Duration;

use tokio::time::timeout;

/// What a cheap call may take.
pub(crate) const DEADLINE: Duration = Duration::from_millis(250);

/// What its answer may be late, on whatever machine.
const GRACE: Duration = Duration::from_millis(100);

/// The answer, if it came within the deadline and 100 ms; none if nothing moved.
pub(crate) async fn moves<T>(call: impl Future<Output = T>) -> Option<T> {
    timeout(DEADLINE + GRACE, call).await.ok()
}
