//! Answers that the edge gives in place of a handler.

use std::time::Duration;

use http::Response;
use tonic::{Code, Status, body::Body, metadata::MetadataValue};
use tonic_types::{ErrorDetails, StatusExt as _};

/// A refusal of a call that may be sent again: the status, a `RetryInfo` for programs, and the trailer
/// that grpc-go's own retry obeys.
pub(super) fn retry_later(code: Code, message: String, wait: Duration) -> Response<Body> {
    let details = ErrorDetails::with_retry_info(Some(wait));
    let mut status = Status::with_error_details(code, message, details);
    let wait_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
    status
        .metadata_mut()
        .insert("grpc-retry-pushback-ms", MetadataValue::from(wait_ms));
    status.into_http()
}

/// A refusal of a call that will be refused again as it is.
pub(super) fn refused(code: Code, message: impl Into<String>) -> Response<Body> {
    Status::new(code, message).into_http()
}
