//! Every call is counted once, with its method, its code and its time: refused ones too, and one whose
//! caller left before the end of the answer as CANCELLED, never as OK.

use std::{
    convert::Infallible,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Instant,
};

use http::{HeaderMap, Request, Response};
use http_body::{Frame, SizeHint};
use pin_project_lite::pin_project;
use tonic::{Code, Status, body::Body};
use tower::Service;

use super::methods::{self, Method};
use crate::telemetry::Metrics;

/// The label of a method that is not served.
const UNKNOWN: &str = "unknown";

/// A call that is under way; counts itself when it ends, or when it is dropped.
struct Count {
    metrics: Arc<Metrics>,
    method: &'static str,
    began: Instant,
    counted: bool,
}

impl Count {
    fn end(&mut self, code: Code) {
        if std::mem::replace(&mut self.counted, true) {
            return;
        }
        self.metrics
            .rpc_server_call_duration_seconds
            .with_label_values(&[self.method, name(code)])
            .observe(self.began.elapsed().as_secs_f64());
    }
}

impl Drop for Count {
    fn drop(&mut self) {
        self.end(Code::Cancelled);
    }
}

/// The layer's service.
#[derive(Debug, Clone)]
pub(super) struct Measure<S> {
    pub(super) inner: S,
    pub(super) metrics: Arc<Metrics>,
}

impl<S> Service<Request<Body>> for Measure<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
{
    type Response = Response<Measured>;
    type Error = Infallible;
    type Future = Measuring<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let count = Count {
            metrics: Arc::clone(&self.metrics),
            method: methods::find(request.uri().path()).map_or(UNKNOWN, Method::label),
            began: Instant::now(),
            counted: false,
        };
        Measuring {
            inner: self.inner.call(request),
            count: Some(count),
        }
    }
}

pin_project! {
    /// A call that is not answered yet.
    pub(super) struct Measuring<F> {
        #[pin]
        inner: F,
        count: Option<Count>,
    }
}

impl<F> Future for Measuring<F>
where
    F: Future<Output = Result<Response<Body>, Infallible>>,
{
    type Output = Result<Response<Measured>, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let Ok(response) = ready!(this.inner.poll(cx));
        let mut count = this.count.take();
        if let (Some(count), Some(code)) = (&mut count, code_in(response.headers())) {
            count.end(code);
        }
        Poll::Ready(Ok(response.map(|inner| Measured { inner, count })))
    }
}

/// An answer that is being sent: its code stands in its last frame.
pub(super) struct Measured {
    inner: Body,
    count: Option<Count>,
}

impl Measured {
    fn end(&mut self, code: Code) {
        if let Some(count) = &mut self.count {
            count.end(code);
        }
    }
}

impl http_body::Body for Measured {
    type Data = prost::bytes::Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Status>>> {
        let frame = ready!(Pin::new(&mut self.inner).poll_frame(cx));
        match &frame {
            Some(Ok(frame)) => {
                if let Some(code) = frame.trailers_ref().and_then(code_in) {
                    self.end(code);
                }
            }
            Some(Err(status)) => self.end(status.code()),
            None => self.end(Code::Ok),
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

/// The code that headers or trailers carry, if they do.
pub(super) fn code_in(headers: &HeaderMap) -> Option<Code> {
    let code = headers.get(Status::GRPC_STATUS)?;
    Some(Code::from_bytes(code.as_bytes()))
}

/// The code's name in the gRPC specification.
pub(super) fn name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}
