//! From SIGTERM on, new calls are refused with a text that says so; calls in hand go on.

use std::{
    convert::Infallible,
    future::{Ready, ready},
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use futures_util::future::Either;
use http::{Request, Response};
use tokio_util::sync::CancellationToken;
use tonic::{Code, body::Body};
use tower::Service;

use super::refusal::retry_later;
use crate::telemetry::Metrics;

/// Where a supervisor starts the process again, it is back about then.
const RETRY_AFTER: Duration = Duration::from_millis(500);

/// The layer's service.
#[derive(Debug, Clone)]
pub(super) struct Draining<S> {
    pub(super) inner: S,
    pub(super) begun: CancellationToken,
    pub(super) metrics: Arc<Metrics>,
}

impl<S> Service<Request<Body>> for Draining<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Either<Ready<Result<Response<Body>, Infallible>>, S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        if !self.begun.is_cancelled() {
            return Either::Right(self.inner.call(request));
        }
        let refusals = &self.metrics.player_state_calls_refused_total;
        refusals.with_label_values(&["draining"]).inc();
        Either::Left(ready(Ok(retry_later(
            Code::Unavailable,
            "the process is ending: nothing of this call was done, send it again on a new connection".to_owned(),
            RETRY_AFTER,
        ))))
    }
}

#[cfg(test)]
mod tests {
    use tonic::Status;
    use tower::{ServiceExt as _, service_fn};

    use super::*;

    #[tokio::test]
    async fn a_call_after_the_signal_is_refused_with_what_to_do() {
        let metrics = Arc::new(Metrics::new());
        let begun = CancellationToken::new();
        let draining = Draining {
            inner: service_fn(|_| ready(Ok(Response::new(Body::empty())))),
            begun: begun.clone(),
            metrics: Arc::clone(&metrics),
        };
        let call = || draining.clone().oneshot(Request::new(Body::empty()));

        let Ok(before) = call().await;
        assert!(
            Status::from_header_map(before.headers()).is_none(),
            "refused before the signal"
        );
        begun.cancel();
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
