//! Faults that tests plant between the layers and the handlers; compiled in with the feature `failpoints` alone.
//!
//! `FAILPOINTS='handler_begins=panic'` or `'handler_hangs=return'` breaks every call of our services;
//! `1*return` only the first.

use std::{convert::Infallible, future::Future, pin::Pin};

use http::{Request, Response};
use hyper::service::Service;
use tonic::body::Body;

use super::methods::{self, Method};

/// The layer's service.
#[derive(Debug, Clone)]
pub(super) struct Faults<S> {
    pub(super) inner: S,
}

impl<S> Service<Request<Body>> for Faults<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
    S::Future: Send + 'static,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn call(&self, request: Request<Body>) -> Self::Future {
        let ours = methods::find(request.uri().path()).is_some_and(Method::is_ours);
        let handler = self.inner.call(request);
        Box::pin(async move {
            if ours {
                fail::fail_point!("handler_begins");
                if hangs() {
                    std::future::pending::<()>().await;
                }
            }
            handler.await
        })
    }
}

fn hangs() -> bool {
    fail::fail_point!("handler_hangs", |_| true);
    false
}
