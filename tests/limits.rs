//! Every bound on calls and connections answers with its name, and what is under the bound goes on.

mod common;

use std::{
    io::{Read as _, Write as _},
    os::unix::net::UnixStream,
    time::{Duration, Instant},
};

use common::{Client, PATIENCE, Sidecar, Start, eventually};
use tonic::{Code, Status, body::Body};
use tonic_health::pb::health_client::HealthClient;
use tonic_types::StatusExt as _;
use tower::ServiceExt as _;

fn counted(sidecar: &Sidecar, series: &str, wanted: f64) {
    eventually(|| match sidecar.metric(series) {
        value if (value - wanted).abs() < 0.1 => Ok(()),
        value => Err(format!("{series} is {value}, not {wanted}")),
    });
}

/// Calls that stay in hand until the test lets them go.
async fn hold_calls(client: &Client, count: usize) -> Vec<tokio::task::JoinHandle<()>> {
    let hold = |client: Client| async move {
        // How it ends is not looked at: it is there to be in the way.
        let _ = client.read_records(30_000, &["30S"]).await;
    };
    (0..count)
        .map(|_| tokio::spawn(hold(client.clone())))
        .collect()
}

fn says_when_to_retry(status: &Status) {
    assert!(
        status.metadata().contains_key("grpc-retry-pushback-ms"),
        "{status:?}"
    );
    let delay = status
        .get_details_retry_info()
        .and_then(|info| info.retry_delay);
    assert!(delay.is_some_and(|delay| !delay.is_zero()), "{status:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_over_the_limit_in_flight_is_refused_at_once_and_taken_again_when_one_ended() {
    let sidecar = Sidecar::start(&["--calls-in-flight-max=3"]);
    let client = sidecar.connect().await;
    let held = hold_calls(&client, 3).await;
    counted(&sidecar, "player_state_calls_in_flight", 3.0);

    let began = Instant::now();
    let status = client
        .get_record("hunt", &["2S"])
        .await
        .expect_err("a refusal");
    assert!(began.elapsed() < Duration::from_secs(1), "it was queued");
    assert_eq!(status.code(), Code::ResourceExhausted);
    assert!(
        status
            .message()
            .contains("3 calls are in flight, the limit (calls_in_flight_max)"),
        "{}",
        status.message()
    );
    says_when_to_retry(&status);
    counted(
        &sidecar,
        "player_state_calls_refused_total{reason=\"in_flight\"}",
        1.0,
    );

    held[0].abort();
    counted(&sidecar, "player_state_calls_in_flight", 2.0);
    let status = client
        .get_record("hunt", &["2S"])
        .await
        .expect_err("no such hunt");
    assert_eq!(status.code(), Code::NotFound, "{status}");
}

#[tokio::test]
async fn a_message_over_the_cap_is_refused_with_limit_and_size() {
    let sidecar = Sidecar::start(&[]);
    let client = sidecar.connect().await;
    let status = client
        .get_record(&"x".repeat(300_000), &["2S"])
        .await
        .expect_err("a refusal");
    assert_eq!(status.code(), Code::ResourceExhausted, "{status}");
    for part in ["message_bytes_max", "found 3000", "limit is: 262144"] {
        assert!(
            status.message().contains(part),
            "{part}: {}",
            status.message()
        );
    }
    let request = tonic_health::pb::HealthCheckRequest {
        service: "x".repeat(300_000),
    };
    let mut health = HealthClient::with_origin(client.service(), common::origin());
    let status = health.check(request).await.expect_err("a refusal");
    assert_eq!(status.code(), Code::ResourceExhausted, "{status}");
    counted(
        &sidecar,
        "player_state_calls_refused_total{reason=\"message_bytes\"}",
        2.0,
    );
}

#[tokio::test]
async fn what_is_no_request_of_the_method_is_the_callers_mistake_and_names_the_schema() {
    let sidecar = Sidecar::start(&[]);
    let client = sidecar.connect().await;
    let cases: [(&[u8], &str); 4] = [
        (b"\xff\xff\xff\xff", "varint"),
        (b"\x08\x01", "GetRecordRequest.hunt_id"),
        (b"\x0a\x01\xff", "UTF-8"),
        (b"\x0a\x05h", "GetRecordRequest.hunt_id"),
    ];
    for (message, problem) in cases {
        let status = send(&client, "GetRecord", message).await;
        assert_eq!(status.code(), Code::InvalidArgument, "{status}");
        for part in [
            "does not decode as the request of",
            "EventFeedService/GetRecord",
            problem,
            player_state::pb::SCHEMA_SHA256,
        ] {
            assert!(
                status.message().contains(part),
                "{part}: {}",
                status.message()
            );
        }
    }
    counted(
        &sidecar,
        "player_state_calls_refused_total{reason=\"undecodable\"}",
        4.0,
    );
}

/// Sends bytes as the one message of a call of the feed.
async fn send(client: &Client, method: &str, message: &[u8]) -> Status {
    let length = u32::try_from(message.len()).expect("a short message");
    let frame = [&[0][..], &length.to_be_bytes(), message].concat();
    let path = format!("/treasurehunt.playerstate.v1.EventFeedService/{method}");
    let request = http::Request::post(format!("http://localhost{path}"))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .header("grpc-timeout", "2S")
        .body(Body::new(http_body_util::Full::from(frame)))
        .expect("a request");
    let answer = client.service().oneshot(request).await.expect("an answer");
    Status::from_header_map(answer.headers()).expect("a refusal")
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_over_the_limit_are_told_so_and_served_when_one_closed() {
    let sidecar = Sidecar::start(&["--connections-max=2", "--connections-refused-max=1"]);
    let first = sidecar.connect().await;
    let second = sidecar.connect().await;
    for client in [&first, &second] {
        let status = client
            .get_record("hunt", &["2S"])
            .await
            .expect_err("no such hunt");
        assert_eq!(status.code(), Code::NotFound, "{status}");
    }

    let third = sidecar.connect().await;
    let status = third
        .get_record("hunt", &["2S"])
        .await
        .expect_err("a refusal");
    assert_eq!(status.code(), Code::ResourceExhausted, "{status}");
    assert!(
        status
            .message()
            .contains("2 connections are open, the limit (connections_max)"),
        "{}",
        status.message()
    );
    says_when_to_retry(&status);
    counted(
        &sidecar,
        "player_state_connections_refused_total{how=\"refused\"}",
        1.0,
    );

    let mut fourth = UnixStream::connect(sidecar.socket()).expect("the backlog takes it");
    fourth.set_read_timeout(Some(PATIENCE)).expect("set");
    assert_eq!(fourth.read(&mut [0]).expect("closed, not reset"), 0);
    counted(
        &sidecar,
        "player_state_connections_refused_total{how=\"closed\"}",
        1.0,
    );

    drop(first);
    counted(
        &sidecar,
        "player_state_connections{transport=\"unix\"}",
        1.0,
    );
    let status = sidecar
        .connect()
        .await
        .get_record("hunt", &["2S"])
        .await
        .expect_err("no such hunt");
    assert_eq!(status.code(), Code::NotFound, "{status}");
}

/// dl_20: an accept loop that dies or spins when no descriptor is left.
#[tokio::test(flavor = "multi_thread")]
async fn dl_20_out_of_descriptors_is_waited_out_without_spinning() {
    let sidecar = Start::new().descriptors_max(64).ready();
    let crowd: Vec<_> = (0..200)
        .map(|_| UnixStream::connect(sidecar.socket()).expect("the backlog takes it"))
        .collect();
    eventually(
        || match sidecar.log().contains("connections cannot be accepted") {
            true => Ok(()),
            false => Err("accept did not fail: the limit is not in the way".to_owned()),
        },
    );
    let before = cpu_ticks(sidecar.pid());
    let watched = Duration::from_secs(1);
    tokio::time::sleep(watched).await;
    let spent = cpu_ticks(sidecar.pid()) - before;
    assert!(
        spent < 20,
        "{spent} % of a core while there was nothing to do"
    );

    drop(crowd);
    let freed = Instant::now();
    let status = loop {
        if let Ok(client) = sidecar.try_connect().await
            && let Err(status) = client.get_record("hunt", &["1S"]).await
            && status.code() == Code::NotFound
        {
            break status;
        }
        assert!(
            freed.elapsed() < Duration::from_secs(1),
            "not served again within a second"
        );
    };
    assert_eq!(status.code(), Code::NotFound);
    assert!(sidecar.metric("player_state_accept_errors_total{error=\"descriptors\"}") > 0.5);
}

/// The CPU that a process used, in hundredths of a second.
fn cpu_ticks(pid: u32) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("a process");
    let after_name = stat.rsplit(") ").next().expect("fields");
    let field = |index: usize| {
        after_name
            .split(' ')
            .nth(index)
            .and_then(|text| text.parse::<u64>().ok())
            .expect("ticks")
    };
    field(11) + field(12)
}

#[test]
fn what_does_not_speak_http2_is_told_or_closed_and_counted() {
    let sidecar = Sidecar::start(&["--handshake-max=200ms"]);
    let say = |bytes: &[u8]| {
        let mut stream = UnixStream::connect(sidecar.socket()).expect("a connection");
        stream.set_read_timeout(Some(PATIENCE)).expect("set");
        stream.write_all(bytes).expect("sent");
        let mut answer = String::new();
        // A reset in place of an end is as good.
        let _ = stream.read_to_string(&mut answer);
        answer
    };
    let answer = say(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n");
    assert!(
        answer.starts_with("HTTP/1.1 505 ") && answer.contains("speaks gRPC"),
        "{answer}"
    );
    assert_eq!(say(&[0x16, 0x03, 0x01, 0x02, 0x00, 0x01]), "");
    assert_eq!(say(b"\x00garbage"), "");
    assert_eq!(
        say(b"PRI * HTTP/2.0\r\n"),
        "",
        "half a preface is waited for, and not for ever"
    );
    for spoke in ["http1", "tls", "other", "silent"] {
        counted(
            &sidecar,
            &format!("player_state_connections_foreign_total{{spoke=\"{spoke}\"}}"),
            1.0,
        );
    }
    counted(
        &sidecar,
        "player_state_connections{transport=\"unix\"}",
        0.0,
    );
}

#[tokio::test]
async fn a_panic_fails_its_call_and_tells_the_log_and_not_the_caller() {
    let sidecar = Start::new()
        .env("FAILPOINTS", "handler_begins=1*panic(the secret)")
        .ready();
    let client = sidecar.connect().await;
    let status = client
        .get_record("hunt", &["2S"])
        .await
        .expect_err("a panic");
    assert_eq!(status.code(), Code::Internal, "{status}");
    assert!(!status.message().contains("secret"), "{status}");
    let status = client
        .get_record("hunt", &["2S"])
        .await
        .expect_err("no such hunt");
    assert_eq!(
        status.code(),
        Code::NotFound,
        "the connection goes on: {status}"
    );
    counted(&sidecar, "player_state_panics_total", 1.0);
    assert!(sidecar.log().contains("the secret"), "the log says why");
}

#[tokio::test]
async fn the_limits_of_a_connection_stand_in_its_settings() {
    let sidecar = Sidecar::start(&["--streams-max=7"]);
    let stream = tokio::net::UnixStream::connect(sidecar.socket())
        .await
        .expect("a connection");
    let (sender, connection) = h2::client::handshake(stream).await.expect("a handshake");
    let served = tokio::spawn(connection);
    let mut sender = sender.ready().await.expect("ready");
    let request = http::Request::post("http://localhost/grpc.health.v1.Health/Check")
        .body(())
        .expect("a request");
    let (answer, _) = sender.send_request(request, true).expect("sent");
    answer
        .await
        .expect("an answer, which comes after the settings");
    assert_eq!(sender.current_max_send_streams(), 7);
    served.abort();
}

#[tokio::test]
async fn headers_over_the_limit_are_refused() {
    let sidecar = Sidecar::start(&[]);
    let client = sidecar.connect().await;
    let large = "x".repeat(9000);
    let status = client
        .get_record("hunt", &["2S", &large])
        .await
        .expect_err("a refusal");
    assert_ne!(
        status.code(),
        Code::InvalidArgument,
        "it reached the deadline layer: {status}"
    );
    let status = client
        .get_record("hunt", &["2S"])
        .await
        .expect_err("no such hunt");
    assert_eq!(
        status.code(),
        Code::NotFound,
        "the connection goes on: {status}"
    );
}

#[tokio::test]
async fn a_method_that_is_not_served_is_unimplemented_and_makes_no_label() {
    let sidecar = Sidecar::start(&[]);
    let client = sidecar.connect().await;
    let mut grpc = tonic::client::Grpc::with_origin(client.service(), common::origin());
    grpc.ready().await.expect("ready");
    let path = http::uri::PathAndQuery::from_static("/no.such.Service/Method");
    let codec = tonic_prost::ProstCodec::<(), ()>::default();
    let status = grpc
        .unary(tonic::Request::new(()), path, codec)
        .await
        .expect_err("a refusal");
    assert_eq!(status.code(), Code::Unimplemented, "{status}");
    assert!(
        status.message().contains("does not serve the method"),
        "{status}"
    );
    counted(
        &sidecar,
        "rpc_server_call_duration_seconds_count{code=\"UNIMPLEMENTED\",method=\"unknown\"}",
        1.0,
    );
    assert!(
        !sidecar.get("/metrics").1.contains("no.such"),
        "a caller made a label up"
    );
}
