//! From SIGTERM on, new calls are refused with a text that says so; calls in hand go on.

use std::{
    convert::Infallible,
    future::{Ready, ready},
    sync::Arc,
    time::Duration,
};

use futures_util::future::Either;
use http::{Request, Response};
use hyper::service::Service;
use tokio_util::task::TaskTracker;
use tonic::{Code, body::Body};

use super::refusal::retry_later;
use crate::telemetry::Metrics;

/// Where a supervisor starts the process again, it is back about then.
const RETRY_AFTER: Duration = Duration::from_millis(500);

/// The layer's service.
#[derive(Debug, Clone)]
pub(super) struct Draining<S> {
    pub(super) inner: S,
    /// Closed when draining begins: asking that is one load, of a cancelled token it is a lock.
    pub(super) open: TaskTracker,
    pub(super) metrics: Arc<Metrics>,
}

impl<S, B> Service<Request<Body>> for Draining<S>
where
    S: Service<Request<Body>, Response = Response<B>, Error = Infallible>,
    B: From<Body>,
{
    type Response = Response<B>;
    type Error = Infallible;
    type Future = Either<Ready<Result<Response<B>, Infallible>>, S::Future>;

    fn call(&self, request: Request<Body>) -> Self::Future {
        if !self.open.is_closed() {
            return Either::Right(self.inner.call(request));
        }
        let refusals = &self.metrics.player_state_calls_refused_total;
        refusals.with_label_values(&["draining"]).inc();
        let refusal = retry_later(
            Code::Unavailable,
            "the process is ending: nothing of this call was done, send it again on a new connection".to_owned(),
            RETRY_AFTER,
        );
        Either::Left(ready(Ok(refusal.map(B::from))))
    }
}

#[cfg(test)]
mod tests {
    use hyper::service::service_fn;
    use tonic::Status;

    use super::*;

    #[tokio::test]
    async fn a_call_after_the_signal_is_refused_with_what_to_do() {
        let metrics = Arc::new(Metrics::new());
        let open = TaskTracker::new();
        let draining = Draining {
            inner: service_fn(|_| ready(Ok(Response::new(Body::empty())))),
            open: open.clone(),
            metrics: Arc::clone(&metrics),
        };
        let call = || draining.call(Request::new(Body::empty()));

        let Ok(before) = call().await;
        assert!(
            Status::from_header_map(before.headers()).is_none(),
            "refused before the signal"
        );
        open.close();
        let Ok(after) = call().await;
        let status = Status::from_header_map(after.headers()).expect("a refusal");
        assert_eq!(status.code(), Code::Unavailable);
        assert!(
            status
                .message()
                .contains("send it again on a new connection"),
            "{status}"
        );
        let refused = metrics
            .player_state_calls_refused_total
            .with_label_values(&["draining"]);
        assert_eq!(refused.get(), 1);
    }
}
