//! At most so many calls at once, over all connections: a call over it is refused at once, never queued.
//!
//! A call holds its place until its answer is sent or its caller is gone, so that answers which nobody
//! reads are bounded too.

use std::{
    convert::Infallible,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use futures_util::future::Either;
use http::{Request, Response};
use http_body::{Frame, SizeHint};
use pin_project_lite::pin_project;
use prometheus::IntGauge;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tonic::{Code, body::Body};
use tower::Service;

use super::refusal::retry_later;
use crate::telemetry::Metrics;

/// Calls end within milliseconds; a caller that waits this long finds room, if there is any to be had.
const RETRY_AFTER: Duration = Duration::from_millis(50);

/// The places that there are. Shared by all connections.
#[derive(Debug, Clone)]
pub(super) struct Places {
    free: Arc<Semaphore>,
    calls_max: usize,
    metrics: Arc<Metrics>,
}

impl Places {
    pub(super) fn new(calls_max: usize, metrics: Arc<Metrics>) -> Self {
        Self {
            free: Arc::new(Semaphore::new(calls_max)),
            calls_max,
            metrics,
        }
    }

    fn take(&self) -> Option<Place> {
        let permit = Arc::clone(&self.free).try_acquire_owned().ok()?;
        let taken = self.metrics.player_state_calls_in_flight.clone();
        taken.inc();
        Some(Place {
            _permit: permit,
            taken,
        })
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
struct Place {
    _permit: OwnedSemaphorePermit,
    taken: IntGauge,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.taken.dec();
    }
}

/// The layer's service.
#[derive(Debug, Clone)]
pub(super) struct Admission<S> {
    pub(super) inner: S,
    pub(super) places: Places,
}

impl<S> Service<Request<Body>> for Admission<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future =
        Either<std::future::Ready<Result<Response<Body>, Infallible>>, Admitted<S::Future>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        match self.places.take() {
            Some(place) => Either::Right(Admitted {
                inner: self.inner.call(request),
                place: Some(place),
            }),
            None => Either::Left(std::future::ready(Ok(self.places.refusal()))),
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
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let Ok(response) = ready!(this.inner.poll(cx));
        let place = this.place.take();
        Poll::Ready(Ok(response.map(|inner| {
            Body::new(Held {
                inner,
                _place: place,
            })
        })))
    }
}

/// An answer that keeps its call's place until it is sent.
struct Held {
    inner: Body,
    _place: Option<Place>,
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
