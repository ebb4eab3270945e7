//! How a handler learns when its call came and when its answer must be out.

use tonic::Request;

use super::errors::Failure;
use crate::shard::CallTime;

/// The time of a request of our services. Every one has passed the deadline layer; one that has not
/// is a mistake in how the server was put together.
pub(super) fn call_time<T>(request: &Request<T>) -> Result<CallTime, Failure> {
    request.extensions().get().copied().ok_or_else(|| {
        tracing::error!("a request came without its CallTime: the deadline layer is missing");
        Failure::Internal
    })
}
