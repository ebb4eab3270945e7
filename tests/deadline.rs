//! Every call is answered within its deadline, and one without a deadline is not taken.

mod common;

use std::time::{Duration, Instant};

use common::{Sidecar, Start, eventually};
use tonic::Code;

const EXPIRED: &str = "rpc_server_call_duration_seconds_count{code=\"DEADLINE_EXCEEDED\",method=\"treasurehunt.playerstate.v1.EventFeedService/GetRecord\"}";
const CANCELLED: &str = "rpc_server_call_duration_seconds_count{code=\"CANCELLED\",method=\"treasurehunt.playerstate.v1.EventFeedService/GetRecord\"}";

/// A deadline is kept if the answer is out this long after it (RELIABILITY: the promise).
const LATE_MAX: Duration = Duration::from_millis(100);

#[tokio::test]
async fn a_call_without_a_deadline_is_refused_with_what_to_add() {
    let sidecar = Sidecar::start(&[]);
    let status = sidecar
        .connect()
        .await
        .get_record("hunt", &[])
        .await
        .expect_err("a refusal");
    assert_eq!(status.code(), Code::InvalidArgument);
    assert!(
        status.message().contains("context.WithTimeout"),
        "{}",
        status.message()
    );
    assert!(
        (sidecar.metric("player_state_calls_refused_total{reason=\"deadline_missing\"}") - 1.0)
            .abs()
            < 0.1
    );
}

#[tokio::test]
async fn a_malformed_or_doubled_deadline_is_refused() {
    let sidecar = Sidecar::start(&[]);
    let client = sidecar.connect().await;
    for (timeouts, says) in [
        (&["soon"][..], "\"soon\""),
        (&["123456789m"], "1 to 8 digits"),
        (&["1S", "2S"], "2 times"),
    ] {
        let status = client
            .get_record("hunt", timeouts)
            .await
            .expect_err("a refusal");
        assert_eq!(status.code(), Code::InvalidArgument);
        assert!(status.message().contains(says), "{}", status.message());
    }
}

#[tokio::test]
async fn an_expired_call_is_answered_deadline_exceeded_and_counted_so() {
    let sidecar = Start::new()
        .env("FAILPOINTS", "handler_hangs=return")
        .ready();
    let client = sidecar.connect().await;
    let began = Instant::now();
    let status = client
        .get_record("hunt", &["150m"])
        .await
        .expect_err("no answer in time");
    let took = began.elapsed();
    assert_eq!(status.code(), Code::DeadlineExceeded, "{status}");
    assert!(
        took >= Duration::from_millis(150) && took < Duration::from_millis(150) + LATE_MAX,
        "{took:?}"
    );
    assert!((sidecar.metric(EXPIRED) - 1.0).abs() < 0.1);
}

#[tokio::test]
async fn a_deadline_that_is_over_on_arrival_never_reaches_a_handler() {
    let sidecar = Start::new()
        .env("FAILPOINTS", "handler_begins=panic")
        .ready();
    let status = sidecar
        .connect()
        .await
        .get_record("hunt", &["0m"])
        .await
        .expect_err("a refusal");
    assert_eq!(status.code(), Code::DeadlineExceeded, "{status}");
}

#[tokio::test]
async fn the_servers_cap_stands_above_the_callers_deadline() {
    let start = Start::new()
        .env("FAILPOINTS", "handler_hangs=return")
        .arg("--deadline-max=100ms");
    let sidecar = start.arg("--feed-deadline-max=200ms").ready();
    let client = sidecar.connect().await;
    let began = Instant::now();
    let command = client
        .get_record("hunt", &["60S"])
        .await
        .expect_err("no answer in time");
    let feed = client
        .read_records(0, &["60S"])
        .await
        .expect_err("no answer in time");
    for (status, says) in [
        (command, "100ms (deadline_max)"),
        (feed, "200ms (feed_deadline_max)"),
    ] {
        assert_eq!(status.code(), Code::DeadlineExceeded, "{status}");
        assert!(status.message().contains(says), "{}", status.message());
    }
    let caps = Duration::from_millis(100 + 200);
    assert!(
        began.elapsed() < caps + 2 * LATE_MAX,
        "{:?}",
        began.elapsed()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_who_leaves_is_counted_as_cancelled() {
    let sidecar = Start::new()
        .env("FAILPOINTS", "handler_hangs=return")
        .ready();
    let client = sidecar.connect().await;
    let left = tokio::time::timeout(
        Duration::from_millis(50),
        client.get_record("hunt", &["2S"]),
    )
    .await;
    assert!(left.is_err(), "it was answered");
    eventually(|| match sidecar.metric(CANCELLED) {
        count if count > 0.5 => Ok(()),
        count => Err(format!("{count} cancelled")),
    });
    assert!(
        sidecar.metric("player_state_calls_in_flight") < 0.5,
        "the call's place was not given back"
    );
}

#[tokio::test]
async fn health_and_reflection_need_no_deadline() {
    use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};
    use tonic_reflection::pb::v1::{
        ServerReflectionRequest, server_reflection_client::ServerReflectionClient,
        server_reflection_request::MessageRequest, server_reflection_response::MessageResponse,
    };

    let sidecar = Sidecar::start(&[]);
    let client = sidecar.connect().await;
    let mut health = HealthClient::with_origin(client.service(), common::origin());
    health
        .check(HealthCheckRequest::default())
        .await
        .expect("an answer");

    let list = ServerReflectionRequest {
        host: String::new(),
        message_request: Some(MessageRequest::ListServices(String::new())),
    };
    let mut reflection = ServerReflectionClient::with_origin(client.service(), common::origin());
    let answers = reflection
        .server_reflection_info(tokio_stream::once(list))
        .await
        .expect("a stream");
    let answer = answers
        .into_inner()
        .message()
        .await
        .expect("an answer")
        .expect("one");
    let Some(MessageResponse::ListServicesResponse(services)) = answer.message_response else {
        panic!("not a list: {answer:?}");
    };
    let names: Vec<_> = services
        .service
        .into_iter()
        .map(|service| service.name)
        .collect();
    for service in ["PlayerStateService", "EventFeedService", "OwnershipService"] {
        let name = format!("treasurehunt.playerstate.v1.{service}");
        assert!(names.contains(&name), "{name}: {names:?}");
    }
}
