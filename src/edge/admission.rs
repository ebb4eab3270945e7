//! At most so many calls at once, over all connections: a call over it is refused at once, never queued.
//!
//! A call holds its place until its answer is sent or its caller is gone, so that answers which nobody
//! reads are bounded too.

use std::{
    convert::Infallible,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use futures_util::future::Either;
use http::{Request, Response};
use http_body::{Frame, SizeHint};
use hyper::service::Service;
use pin_project_lite::pin_project;
use tonic::{Code, body::Body};

use super::refusal::retry_later;
use crate::telemetry::Metrics;

/// Calls end within milliseconds; a caller that waits this long finds room, if there is any to be had.
const RETRY_AFTER: Duration = Duration::from_millis(50);

/// The places that there are. Shared by all connections.
#[derive(Debug)]
pub(super) struct Places {
    /// Never over `calls_max`, but for the moment in which one too many is given back.
    taken: AtomicUsize,
    calls_max: usize,
    metrics: Arc<Metrics>,
}

impl Places {
    pub(super) fn new(calls_max: usize, metrics: Arc<Metrics>) -> Arc<Self> {
        Arc::new(Self {
            taken: AtomicUsize::new(0),
            calls_max,
            metrics,
        })
    }

    fn take(self: &Arc<Self>) -> Option<Place> {
        // Nothing but the number itself is told by it.
        if self.taken.fetch_add(1, Ordering::Relaxed) >= self.calls_max {
            self.taken.fetch_sub(1, Ordering::Relaxed);
            return None;
        }
        self.metrics.player_state_calls_in_flight.inc();
        Some(Place(Arc::clone(self)))
    }

    fn refusal(&self) -> Response<Body> {
        let refusals = &self.metrics.player_state_calls_refused_total;
        refusals.with_label_values(&["in_flight"]).inc();
        retry_later(
            Code::ResourceExhausted,
            format!(
                "{} calls are in flight, the limit (calls_in_flight_max): nothing of this call was done, send it again \
                 in {RETRY_AFTER:?}; counted in player_state_calls_refused_total{{reason=\"in_flight\"}}",
                self.calls_max
            ),
            RETRY_AFTER,
        )
    }
}

/// One call's place, given back when dropped.
struct Place(Arc<Places>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.taken.fetch_sub(1, Ordering::Relaxed);
        self.0.metrics.player_state_calls_in_flight.dec();
    }
}

/// The layer's service.
#[derive(Debug, Clone)]
pub(super) struct Admission<S> {
    pub(super) inner: S,
    pub(super) places: Arc<Places>,
}

impl<S> Service<Request<Body>> for Admission<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
{
    type Response = Response<Held>;
    type Error = Infallible;
    type Future =
        Either<std::future::Ready<Result<Response<Held>, Infallible>>, Admitted<S::Future>>;

    fn call(&self, request: Request<Body>) -> Self::Future {
        match self.places.take() {
            Some(place) => Either::Right(Admitted {
                inner: self.inner.call(request),
                place: Some(place),
            }),
            None => Either::Left(std::future::ready(Ok(self
                .places
                .refusal()
                .map(Held::from)))),
        }
    }
}

pin_project! {
    /// A call that has a place.
    pub(super) struct Admitted<F> {
        #[pin]
        inner: F,
        place: Option<Place>,
    }
}

impl<F> Future for Admitted<F>
where
    F: Future<Output = Result<Response<Body>, Infallible>>,
{
    type Output = Result<Response<Held>, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let Ok(response) = ready!(this.inner.poll(cx));
        let _place = this.place.take();
        Poll::Ready(Ok(response.map(|inner| Held { inner, _place })))
    }
}

/// An answer that keeps its call's place, if it had one, until it is sent.
pub(super) struct Held {
    inner: Body,
    _place: Option<Place>,
}

impl From<Body> for Held {
    fn from(inner: Body) -> Self {
        Self {
            inner,
            _place: None,
        }
    }
}

impl http_body::Body for Held {
    type Data = prost::bytes::Bytes;
    type Error = tonic::Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        Pin::new(&mut self.inner).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
