//! Every call of our services carries a deadline, and is answered when it is over.
//!
//! The layer puts a [`CallTime`] into the request, so that handlers can drop what is late before they
//! apply it. What is over is answered DEADLINE_EXCEEDED and its handler dropped; the server's own cap
//! stands above whatever the caller asked for. A handler changes state only between two awaits, so a
//! dropped one loses its answer and never half of its effect.

use std::{
    convert::Infallible,
    future::{Ready, ready},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use futures_util::future::Either;
use http::{HeaderMap, Request, Response};
use hyper::service::Service;
use pin_project_lite::pin_project;
use tokio::time::Sleep;
use tonic::{Code, body::Body};

use super::{
    methods::{self, Cap},
    refusal::refused,
};
use crate::{config::Settings, shard::CallTime, telemetry::Metrics};

/// The server's own caps, with the settings that they come from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Caps {
    command: Duration,
    long_poll: Duration,
}

impl Caps {
    pub(super) fn of(settings: &Settings) -> Self {
        Self {
            command: settings.deadline_max,
            long_poll: settings.feed_deadline_max,
        }
    }

    fn of_path(self, path: &str) -> Option<(Duration, &'static str)> {
        match methods::find(path)?.cap {
            Cap::Command => Some((self.command, "deadline_max")),
            Cap::LongPoll => Some((self.long_poll, "feed_deadline_max")),
            Cap::Free => None,
        }
    }
}

/// Why a call's deadline cannot be kept.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
enum BadDeadline {
    #[error(
        "the call carries no deadline: set one, at most {}, as context.WithTimeout(ctx, 250*time.Millisecond) in Go or \
         the deadline or timeout of the call elsewhere; on the wire it is the header grpc-timeout",
        humantime::format_duration(*.0)
    )]
    Missing(Duration),
    #[error("the header grpc-timeout stands {0} times: send one")]
    Repeated(usize),
    #[error("grpc-timeout {0:?}: wants 1 to 8 digits and one of H, M, S, m, u, n, as 250m")]
    Malformed(String),
}

impl BadDeadline {
    fn reason(&self) -> &'static str {
        match self {
            BadDeadline::Missing(_) => "deadline_missing",
            BadDeadline::Repeated(_) | BadDeadline::Malformed(_) => "deadline_malformed",
        }
    }
}

/// Reads `grpc-timeout`, as the gRPC protocol has it.
fn asked_for(headers: &HeaderMap, cap: Duration) -> Result<Duration, BadDeadline> {
    const SHOWN_MAX: usize = 32;
    let mut values = headers.get_all("grpc-timeout").iter();
    let value = values.next().ok_or(BadDeadline::Missing(cap))?;
    let others = values.count();
    if others > 0 {
        return Err(BadDeadline::Repeated(1 + others));
    }
    value.to_str().ok().and_then(parse).ok_or_else(|| {
        let shown = &value.as_bytes()[..value.len().min(SHOWN_MAX)];
        BadDeadline::Malformed(String::from_utf8_lossy(shown).into_owned())
    })
}

fn parse(text: &str) -> Option<Duration> {
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if digits.is_empty() || digits.len() > 8 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let number: u64 = digits.parse().ok()?;
    match unit {
        "H" => Some(Duration::from_secs(number * 3600)),
        "M" => Some(Duration::from_secs(number * 60)),
        "S" => Some(Duration::from_secs(number)),
        "m" => Some(Duration::from_millis(number)),
        "u" => Some(Duration::from_micros(number)),
        "n" => Some(Duration::from_nanos(number)),
        _ => None,
    }
}

/// The layer's service.
#[derive(Debug, Clone)]
pub(super) struct Deadline<S> {
    pub(super) inner: S,
    pub(super) caps: Caps,
    pub(super) metrics: Arc<Metrics>,
}

impl<S> Deadline<S> {
    fn refusal(&self, bad: &BadDeadline) -> Response<Body> {
        let refusals = &self.metrics.player_state_calls_refused_total;
        refusals.with_label_values(&[bad.reason()]).inc();
        refused(Code::InvalidArgument, bad.to_string())
    }
}

impl<S> Service<Request<Body>> for Deadline<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future =
        Either<Either<Ready<Result<Response<Body>, Infallible>>, S::Future>, Timed<S::Future>>;

    fn call(&self, mut request: Request<Body>) -> Self::Future {
        let arrived = Instant::now();
        let Some((cap, cap_name)) = self.caps.of_path(request.uri().path()) else {
            return Either::Left(Either::Right(self.inner.call(request)));
        };
        let asked = match asked_for(request.headers(), cap) {
            Ok(asked) => asked,
            Err(bad) => return Either::Left(Either::Left(ready(Ok(self.refusal(&bad))))),
        };
        let limit = Limit {
            asked,
            cap,
            cap_name,
        };
        if asked.is_zero() {
            return Either::Left(Either::Left(ready(Ok(limit.over()))));
        }
        let deadline = arrived + asked.min(cap);
        request
            .extensions_mut()
            .insert(CallTime { arrived, deadline });
        Either::Right(Timed {
            inner: self.inner.call(request),
            over: tokio::time::sleep_until(deadline.into()),
            limit,
        })
    }
}

/// What limits one call, for its answer's text.
struct Limit {
    asked: Duration,
    cap: Duration,
    cap_name: &'static str,
}

impl Limit {
    fn over(&self) -> Response<Body> {
        let why = if self.asked <= self.cap {
            format!("the call's deadline of {:?} is over", self.asked)
        } else {
            format!(
                "the server's cap of {:?} ({}) is over; the call asked for {:?}",
                self.cap, self.cap_name, self.asked
            )
        };
        refused(Code::DeadlineExceeded, why)
    }
}

pin_project! {
    /// A call under its deadline. The handler is polled first: an answer that is there is given, and a
    /// call that never waits never touches the timer.
    pub(super) struct Timed<F> {
        #[pin]
        inner: F,
        #[pin]
        over: Sleep,
        limit: Limit,
    }
}

impl<F> Future for Timed<F>
where
    F: Future<Output = Result<Response<Body>, Infallible>>,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        if let Poll::Ready(answer) = this.inner.poll(cx) {
            return Poll::Ready(answer);
        }
        this.over.poll(cx).map(|()| Ok(this.limit.over()))
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    const CAP: Duration = Duration::from_secs(2);

    fn header(value: &'static [u8]) -> HeaderMap {
        let value = HeaderValue::from_bytes(value).expect("a header");
        HeaderMap::from_iter([(http::header::HeaderName::from_static("grpc-timeout"), value)])
    }

    #[test]
    fn every_unit_of_the_protocol_is_read() {
        let cases: [(&[u8], Duration); 7] = [
            (b"1H", Duration::from_secs(3600)),
            (b"2M", Duration::from_secs(120)),
            (b"3S", Duration::from_secs(3)),
            (b"250m", Duration::from_millis(250)),
            (b"7u", Duration::from_micros(7)),
            (b"9n", Duration::from_nanos(9)),
            (b"99999999H", Duration::from_secs(99_999_999 * 3600)),
        ];
        for (text, expected) in cases {
            assert_eq!(asked_for(&header(text), CAP), Ok(expected));
        }
    }

    #[test]
    fn what_is_no_timeout_is_malformed() {
        for text in [
            &b""[..],
            b"m",
            b"250",
            b"+1S",
            b"-1S",
            b"1.5S",
            b" 1S",
            b"123456789m",
            b"1s",
            b"\xff\xfe",
        ] {
            let bad = asked_for(&header(text), CAP).expect_err("a refusal");
            assert_eq!(bad.reason(), "deadline_malformed", "{text:?}");
        }
        let mut twice = header(b"1S");
        twice.append("grpc-timeout", HeaderValue::from_static("2S"));
        assert_eq!(asked_for(&twice, CAP), Err(BadDeadline::Repeated(2)));
    }
}
