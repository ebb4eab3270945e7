//! One connection, from its first byte to its last: HTTP/2 or a word on what to speak, then hyper.
//!
//! hyper is used directly, and not tonic's own server, because that one neither bounds the time to the
//! first frame nor leaves the answer to an expired deadline to us.

use std::{convert::Infallible, sync::Arc, time::Duration};

use http::{Request, Response};
use hyper::{
    body::Incoming,
    server::conn::http2,
    service::{Service, service_fn},
};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tonic::body::Body;

use crate::{config::Settings, telemetry::Metrics};

/// How connections are spoken to. One for the whole process.
#[derive(Debug)]
pub(super) struct Protocol {
    http2: http2::Builder<TokioExecutor>,
    handshake_max: Duration,
    metrics: Arc<Metrics>,
}

impl Protocol {
    pub(super) fn new(settings: &Settings, metrics: Arc<Metrics>) -> Self {
        // The table's bounds keep all of these within 32 bits.
        let small = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        let mut http2 = http2::Builder::new(TokioExecutor::new());
        http2
            .timer(TokioTimer::new())
            .max_concurrent_streams(small(settings.streams_max))
            .max_header_list_size(small(settings.header_bytes_max.0))
            // Fixed: the adaptive window is slower, and a fixed one can be compared with the message cap.
            .initial_stream_window_size(small(settings.stream_window_bytes.0))
            .initial_connection_window_size(small(settings.connection_window_bytes.0))
            // h2 would close a connection at 20 calls abandoned before they are looked at, which a burst of
            // expired deadlines reaches; the bound is ours to raise because the streams are bounded too.
            .max_pending_accept_reset_streams(settings.resets_pending_max)
            .max_local_error_reset_streams(settings.resets_local_max)
            .keep_alive_interval(settings.keepalive_interval)
            .keep_alive_timeout(settings.keepalive_timeout);
        Self {
            http2,
            handshake_max: settings.handshake_max,
            metrics,
        }
    }

    /// Serves a connection until it closes. When `leave` completes, calls in hand are finished and no new
    /// ones are taken.
    pub(super) async fn serve<R, W, S, B>(
        &self,
        (mut read, mut write): (R, W),
        service: S,
        leave: impl Future<Output = ()>,
    ) where
        R: AsyncRead + Send + Unpin + 'static,
        W: AsyncWrite + Send + Unpin + 'static,
        S: Service<Request<Body>, Response = Response<B>, Error = Infallible>,
        S::Future: Send + 'static,
        B: http_body::Body + Send + 'static,
        B::Data: Send,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let mut leave = std::pin::pin!(leave);
        let hello = tokio::select! {
            hello = tokio::time::timeout(self.handshake_max, listen_for_preface(&mut read)) => hello,
            // Nothing was asked yet.
            () = leave.as_mut() => return,
        };
        if let Err(foreign) = hello.unwrap_or(Err(Foreign::Silent)) {
            self.turn_away(&foreign, &mut write).await;
            return;
        }
        let io = tokio::io::join(PREFACE.chain(read), write);
        let service = service_fn(|request: Request<Incoming>| service.call(request.map(Body::new)));
        let mut connection = std::pin::pin!(self.http2.serve_connection(TokioIo::new(io), service));
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            () = leave => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(err) = ended {
            tracing::debug!(%err, "a connection broke");
        }
    }

    async fn turn_away(&self, foreign: &Foreign, write: &mut (impl AsyncWrite + Unpin)) {
        let spoke = foreign.label();
        self.metrics
            .player_state_connections_foreign_total
            .with_label_values(&[spoke])
            .inc();
        tracing::debug!(
            spoke,
            "a connection that is not HTTP/2 without TLS was closed"
        );
        if *foreign == Foreign::Http1 {
            // The peer may be gone already: it is a kindness, not an answer.
            let _ = write.write_all(HTTP1_ANSWER).await;
            let _ = write.shutdown().await;
        }
    }
}

/// What an HTTP/2 connection begins with.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

const HTTP1_ANSWER: &[u8] = b"HTTP/1.1 505 HTTP Version Not Supported\r\n\
    content-type: text/plain\r\nconnection: close\r\ncontent-length: 88\r\n\r\n\
    this port speaks gRPC (HTTP/2 without TLS); /metrics and the like are on the admin port\n";

/// What spoke, if not HTTP/2 without TLS.
#[derive(Debug, PartialEq, Eq)]
enum Foreign {
    Http1,
    Tls,
    /// Nothing, or not enough of it in time.
    Silent,
    Other,
}

impl Foreign {
    fn label(&self) -> &'static str {
        match self {
            Foreign::Http1 => "http1",
            Foreign::Tls => "tls",
            Foreign::Silent => "silent",
            Foreign::Other => "other",
        }
    }
}

async fn listen_for_preface(read: &mut (impl AsyncRead + Unpin)) -> Result<(), Foreign> {
    const TLS_HANDSHAKE: u8 = 0x16;
    let mut heard = [0; PREFACE.len()];
    let mut length = 0;
    while length < heard.len() {
        match read.read(&mut heard[length..]).await {
            Ok(0) | Err(_) => return Err(Foreign::Silent),
            Ok(more) => length += more,
        }
        if !PREFACE.starts_with(&heard[..length]) {
            return Err(match heard[0] {
                TLS_HANDSHAKE => Foreign::Tls,
                b'A'..=b'Z' => Foreign::Http1,
                _ => Foreign::Other,
            });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_to_http1_has_the_length_that_it_says() {
        let text = String::from_utf8_lossy(HTTP1_ANSWER);
        let (head, body) = text.split_once("\r\n\r\n").expect("a head and a body");
        assert!(
            head.contains(&format!("content-length: {}\r\n", body.len()))
                || head.ends_with(&format!("content-length: {}", body.len())),
            "{}",
            body.len()
        );
    }
}
