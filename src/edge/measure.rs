//! Every call is counted once, with its method, its code and its time: refused ones too, and one whose
//! caller left before the end of the answer as CANCELLED, never as OK.

use std::{
    convert::Infallible,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::{Duration, Instant},
};

use http::{HeaderMap, Request, Response};
use http_body::{Frame, SizeHint};
use hyper::service::Service;
use pin_project_lite::pin_project;
use prometheus::Histogram;
use tonic::{Code, Status, body::Body};

use super::methods::{self, METHODS, Method};
use crate::telemetry::Metrics;

/// The label of a method that is not served.
const UNKNOWN: &str = "unknown";

/// Where calls are counted. The instruments of good calls, which nearly all are, are looked up once.
#[derive(Debug)]
pub(super) struct Durations {
    metrics: Arc<Metrics>,
    /// By the method's row in the table.
    good: Vec<Histogram>,
}

impl Durations {
    pub(super) fn new(metrics: Arc<Metrics>) -> Self {
        let labels = METHODS.iter().map(Method::label);
        let good = labels.map(|method| of(&metrics, method, Code::Ok));
        Self {
            good: good.collect(),
            metrics,
        }
    }

    fn observe(&self, row: Option<usize>, code: Code, took: Duration) {
        let seconds = took.as_secs_f64();
        match row.and_then(|row| self.good.get(row)) {
            Some(good) if code == Code::Ok => good.observe(seconds),
            Some(_) | None => {
                let method = row.map_or(UNKNOWN, |row| METHODS[row].label());
                of(&self.metrics, method, code).observe(seconds);
            }
        }
    }
}

fn of(metrics: &Metrics, method: &str, code: Code) -> Histogram {
    let durations = &metrics.rpc_server_call_duration_seconds;
    durations.with_label_values(&[method, name(code)])
}

/// A call that is under way; counts itself when it ends, or when it is dropped.
struct Count {
    durations: Arc<Durations>,
    row: Option<usize>,
    began: Instant,
    counted: bool,
}

impl Count {
    fn end(&mut self, code: Code) {
        if !std::mem::replace(&mut self.counted, true) {
            self.durations.observe(self.row, code, self.began.elapsed());
        }
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
    pub(super) durations: Arc<Durations>,
}

impl<S, B> Service<Request<Body>> for Measure<S>
where
    S: Service<Request<Body>, Response = Response<B>, Error = Infallible>,
{
    type Response = Response<Measured<B>>;
    type Error = Infallible;
    type Future = Measuring<S::Future>;

    fn call(&self, request: Request<Body>) -> Self::Future {
        let count = Count {
            durations: Arc::clone(&self.durations),
            row: methods::row(request.uri().path()),
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

impl<F, B> Future for Measuring<F>
where
    F: Future<Output = Result<Response<B>, Infallible>>,
{
    type Output = Result<Response<Measured<B>>, Infallible>;

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
pub(super) struct Measured<B> {
    inner: B,
    count: Option<Count>,
}

impl<B> Measured<B> {
    fn end(&mut self, code: Code) {
        if let Some(count) = &mut self.count {
            count.end(code);
        }
    }
}

impl<B: http_body::Body<Error = Status> + Unpin> http_body::Body for Measured<B> {
    type Data = B::Data;
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
