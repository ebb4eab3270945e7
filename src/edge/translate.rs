//! What tonic answers by itself, before or after a handler, said in our terms.
//!
//! - A message over the cap, which tonic measures on the way in before a byte is buffered and on the way
//!   out: RESOURCE_EXHAUSTED in place of OUT_OF_RANGE, which no handler of ours uses.
//! - A message that is not the method's request: INVALID_ARGUMENT in place of INTERNAL, for it is the
//!   caller that has to change something. Broken framing stays INTERNAL, as the gRPC protocol has it.
//! - A method that is not served: UNIMPLEMENTED, with a text.

use std::{
    convert::Infallible,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use http::{HeaderMap, Request, Response};
use http_body_util::BodyExt as _;
use hyper::service::Service;
use pin_project_lite::pin_project;
use tonic::{Code, Status, body::Body};

use super::{
    measure::code_in,
    methods::{self, Method, OUR_SERVICES},
};
use crate::{pb::SCHEMA_SHA256, telemetry::Metrics};

/// How tonic begins the text of a message that prost could not decode.
const UNDECODABLE: &str = "failed to decode Protobuf message: ";

/// The layer's service.
#[derive(Debug, Clone)]
pub(super) struct Translate<S> {
    pub(super) inner: S,
    pub(super) metrics: Arc<Metrics>,
}

impl<S> Service<Request<Body>> for Translate<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Translated<S::Future>;

    fn call(&self, request: Request<Body>) -> Self::Future {
        let translator = Translator {
            method: methods::find(request.uri().path()),
            metrics: Arc::clone(&self.metrics),
        };
        Translated {
            inner: self.inner.call(request),
            translator,
        }
    }
}

pin_project! {
    /// A call whose answer is translated.
    pub(super) struct Translated<F> {
        #[pin]
        inner: F,
        translator: Translator,
    }
}

impl<F> Future for Translated<F>
where
    F: Future<Output = Result<Response<Body>, Infallible>>,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let Ok(mut response) = ready!(this.inner.poll(cx));
        this.translator.translate(response.headers_mut());
        if this.translator.method.is_some_and(Method::takes_commands) {
            return Poll::Ready(Ok(response));
        }
        // An answer that turned out too large says so after its headers.
        let translator = this.translator.clone();
        Poll::Ready(Ok(response.map(|body| {
            Body::new(body.map_frame(move |mut frame| {
                if let Some(trailers) = frame.trailers_mut() {
                    translator.translate(trailers);
                }
                frame
            }))
        })))
    }
}

/// Knows of one call what its texts need.
#[derive(Debug, Clone)]
struct Translator {
    method: Option<&'static Method>,
    metrics: Arc<Metrics>,
}

impl Translator {
    fn translate(&self, headers: &mut HeaderMap) {
        // Nearly every answer is a good one: only what may be tonic's own is read.
        if !matches!(
            code_in(headers),
            Some(Code::OutOfRange | Code::Internal | Code::Unimplemented)
        ) {
            return;
        }
        let theirs = Status::from_header_map(headers);
        if let Some(ours) = theirs.and_then(|status| self.ours(&status)) {
            // A text of ours is a header at all times; were it not, tonic's own answer stands.
            let _ = ours.add_header(headers);
        }
    }

    fn ours(&self, theirs: &Status) -> Option<Status> {
        let (code, text) = (theirs.code(), theirs.message());
        if code == Code::OutOfRange {
            return Some(self.over_the_cap(text));
        }
        if code == Code::Internal {
            let problem = text.strip_prefix(UNDECODABLE)?;
            return Some(self.undecodable(problem));
        }
        (code == Code::Unimplemented && text.is_empty()).then(not_served)
    }

    fn over_the_cap(&self, sizes: &str) -> Status {
        self.count("message_bytes");
        Status::resource_exhausted(format!(
            "message_bytes_max: {}; send or ask for less in one call",
            sizes.trim_start_matches("Error, ")
        ))
    }

    /// `problem` names the field, where there is one.
    fn undecodable(&self, problem: &str) -> Status {
        self.count("undecodable");
        let method = self.method.map_or("the method", Method::label);
        Status::invalid_argument(format!(
            "the message does not decode as the request of {method}: {problem}; nothing of this call was done, send \
             what the schema says (served here: the one with SHA-256 {SCHEMA_SHA256})"
        ))
    }

    fn count(&self, reason: &str) {
        let refusals = &self.metrics.player_state_calls_refused_total;
        refusals.with_label_values(&[reason]).inc();
    }
}

fn not_served() -> Status {
    let ours = OUR_SERVICES.join(", ");
    Status::unimplemented(format!(
        "this engine does not serve the method: it serves {ours}, health and reflection, which lists them"
    ))
}
