//! A span for every call of our services, a child of its caller's: `traceparent` in the metadata says
//! whose. The span is a DEBUG one: without an exporter and at the usual log level it costs nothing.

use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll, ready},
};

use http::{HeaderMap, Request, Response};
use hyper::service::Service;
use opentelemetry::propagation::{Extractor, TextMapPropagator as _};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use pin_project_lite::pin_project;
use tonic::{Code, body::Body};
use tracing::{Span, field::Empty};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

use super::{
    measure::{code_in, name},
    methods::{self, Method},
};

/// The layer's service.
#[derive(Debug, Clone)]
pub(super) struct Trace<S> {
    pub(super) inner: S,
}

impl<S, B> Service<Request<Body>> for Trace<S>
where
    S: Service<Request<Body>, Response = Response<B>, Error = Infallible>,
{
    type Response = Response<B>;
    type Error = Infallible;
    type Future = Traced<S::Future>;

    fn call(&self, request: Request<Body>) -> Self::Future {
        let span = match methods::find(request.uri().path()) {
            Some(method) if method.is_ours() => span(method, request.headers()),
            Some(_) | None => Span::none(),
        };
        let inner = span.in_scope(|| self.inner.call(request));
        Traced { inner, span }
    }
}

fn span(method: &Method, headers: &HeaderMap) -> Span {
    let span = tracing::debug_span!(
        "call",
        otel.name = method.label(),
        otel.kind = "server",
        otel.status_code = Empty,
        rpc.system.name = "grpc",
        rpc.method = method.label(),
        rpc.response.status_code = Empty,
    );
    if !span.is_disabled() {
        let caller = TraceContextPropagator::new().extract(&Metadata(headers));
        // It fails where no exporter is: then the span is for the log alone, and has no parent to name.
        let _ = span.set_parent(caller);
    }
    span
}

struct Metadata<'a>(&'a HeaderMap);

impl Extractor for Metadata<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key)?.to_str().ok()
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(http::HeaderName::as_str).collect()
    }
}

pin_project! {
    /// A call in its span.
    pub(super) struct Traced<F> {
        #[pin]
        inner: F,
        span: Span,
    }
}

impl<F, B> Future for Traced<F>
where
    F: Future<Output = Result<Response<B>, Infallible>>,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let entered = this.span.enter();
        let Ok(response) = ready!(this.inner.poll(cx));
        drop(entered);
        // A unary answer without a code in its headers is a good one.
        let code = code_in(response.headers()).unwrap_or(Code::Ok);
        this.span.record("rpc.response.status_code", name(code));
        if matches!(
            code,
            Code::Unknown
                | Code::DeadlineExceeded
                | Code::Unimplemented
                | Code::Internal
                | Code::Unavailable
                | Code::DataLoss
        ) {
            this.span.record("otel.status_code", "ERROR");
        }
        Poll::Ready(Ok(response))
    }
}
