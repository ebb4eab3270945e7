//! A handler that panics fails its own call, and nothing else.
//!
//! The caller learns that it happened, and nothing of what is inside; the log has the panic's text and
//! place (see `telemetry::logs`). Whether the hunt behind it can still be trusted is the shard's to say.

use std::{
    any::Any,
    convert::Infallible,
    panic::AssertUnwindSafe,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use futures_util::{FutureExt as _, future::CatchUnwind};
use http::{Request, Response};
use hyper::service::Service;
use pin_project_lite::pin_project;
use tonic::{Code, body::Body};

use super::refusal::refused;
use crate::telemetry::Metrics;

/// The layer's service.
#[derive(Debug, Clone)]
pub(super) struct Panic<S> {
    pub(super) inner: S,
    pub(super) metrics: Arc<Metrics>,
}

impl<S> Service<Request<Body>> for Panic<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Caught<S::Future>;

    fn call(&self, request: Request<Body>) -> Self::Future {
        Caught {
            // Nothing that the handler had is looked at again after a panic.
            inner: AssertUnwindSafe(self.inner.call(request)).catch_unwind(),
            metrics: Arc::clone(&self.metrics),
        }
    }
}

pin_project! {
    /// A call whose panic is caught.
    pub(super) struct Caught<F> {
        #[pin]
        inner: CatchUnwind<AssertUnwindSafe<F>>,
        metrics: Arc<Metrics>,
    }
}

impl<F> Future for Caught<F>
where
    F: Future<Output = Result<Response<Body>, Infallible>>,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let caught: Result<_, Box<dyn Any + Send>> = ready!(this.inner.poll(cx));
        Poll::Ready(caught.unwrap_or_else(|_| {
            this.metrics.player_state_panics_total.inc();
            Ok(refused(
                Code::Internal,
                "the engine failed on this call; its log says why (player_state_panics_total)",
            ))
        }))
    }
}
