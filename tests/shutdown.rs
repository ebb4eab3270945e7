//! SIGTERM: not ready, no new calls, calls in hand end within the limit, exit code 0.

mod common;

use std::time::{Duration, Instant};

use common::{Sidecar, Start, eventually};
use rustix::process::Signal;

/// How long the end may take: `drain_max` and what the system needs.
const END_MAX: Duration = Duration::from_millis(2500);

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_process_ends_at_once_and_takes_its_socket_along() {
    let mut sidecar = Sidecar::start(&[]);
    let idle = sidecar.connect().await;
    idle.get_record("hunt", &["1S"])
        .await
        .expect_err("no such hunt");
    let began = Instant::now();
    sidecar.terminate();
    assert_eq!(sidecar.ended().code(), Some(0));
    assert!(
        began.elapsed() < Duration::from_secs(1),
        "an idle connection was waited for"
    );
    assert!(!sidecar.socket().exists());
}

#[test]
fn a_connection_that_never_spoke_does_not_hold_up_the_end() {
    let mut sidecar = Sidecar::start(&[]);
    let _silent = std::os::unix::net::UnixStream::connect(sidecar.socket()).expect("connected");
    eventually(
        || match sidecar.metric("player_state_connections{transport=\"unix\"}") {
            count if count > 0.5 => Ok(()),
            _ => Err("it is not accepted yet".to_owned()),
        },
    );
    let began = Instant::now();
    sidecar.terminate();
    assert_eq!(sidecar.ended().code(), Some(0));
    assert!(
        began.elapsed() < Duration::from_secs(1),
        "a connection without a call was waited for"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_waits_is_answered_before_the_end() {
    let mut sidecar = Sidecar::start(&[]);
    let client = sidecar.connect().await;
    let waiting = tokio::spawn(async move { client.read_records(30_000, &["30S"]).await });
    eventually(|| match sidecar.metric("player_state_calls_in_flight") {
        count if count > 0.5 => Ok(()),
        _ => Err("the call has not begun".to_owned()),
    });
    let began = Instant::now();
    sidecar.terminate();
    let answer = waiting.await.expect("no panic").expect("an answer");
    assert!(answer.records.is_empty());
    assert_eq!(sidecar.ended().code(), Some(0));
    assert!(
        began.elapsed() < Duration::from_secs(1),
        "it waited for more than its calls"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stuck_handler_is_cut_off_and_the_process_says_why_it_is_not_ready() {
    let mut sidecar = Start::new()
        .env("FAILPOINTS", "handler_hangs=return")
        .ready();
    let client = sidecar.connect().await;
    let stuck = tokio::spawn(async move { client.read_records(0, &["30S"]).await });
    eventually(|| match sidecar.metric("player_state_calls_in_flight") {
        count if count > 0.5 => Ok(()),
        _ => Err("the call has not begun".to_owned()),
    });
    let began = Instant::now();
    sidecar.terminate();
    eventually(|| match sidecar.get("/readyz") {
        (503, why) if why.contains("draining") => Ok(()),
        (code, text) => Err(format!("{code}: {text}")),
    });
    assert_eq!(sidecar.get("/livez").0, 200, "it lives to the end");
    assert_eq!(sidecar.ended().code(), Some(0));
    assert!(began.elapsed() < END_MAX, "{:?}", began.elapsed());
    stuck.await.expect("no panic").expect_err("it was cut off");
    assert!(sidecar.log().contains("calls that did not end are cut off"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_health_watch_is_told_and_does_not_hold_up_the_end() {
    use tonic_health::pb::{
        HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
    };

    let mut sidecar = Sidecar::start(&[]);
    let client = sidecar.connect().await;
    let mut health = HealthClient::with_origin(client.service(), common::origin());
    let mut watch = health
        .watch(HealthCheckRequest::default())
        .await
        .expect("a stream")
        .into_inner();
    let first = watch.message().await.expect("a message").expect("one");
    assert_eq!(first.status(), ServingStatus::Serving);
    let began = Instant::now();
    sidecar.terminate();
    let second = watch.message().await.expect("a message").expect("one");
    assert_eq!(second.status(), ServingStatus::NotServing);
    assert_eq!(sidecar.ended().code(), Some(0));
    assert!(
        began.elapsed() < Duration::from_secs(1),
        "the watch held it up"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_signal_ends_it_at_once() {
    let start = Start::new()
        .env("FAILPOINTS", "handler_hangs=return")
        .arg("--drain-max=1m");
    let mut sidecar = start.ready();
    let client = sidecar.connect().await;
    let _stuck = tokio::spawn(async move { client.read_records(0, &["30S"]).await });
    eventually(|| match sidecar.metric("player_state_calls_in_flight") {
        count if count > 0.5 => Ok(()),
        _ => Err("the call has not begun".to_owned()),
    });
    sidecar.terminate();
    sidecar.logged("signal");
    sidecar.signal(Signal::INT);
    assert_eq!(sidecar.ended().code(), Some(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_probe_follows_readiness() {
    let mut sidecar = Sidecar::start(&[]);
    let listen = format!("unix:{}", sidecar.socket().display());
    let probe = || common::run(&["health", "--listen", &listen], &[]);
    assert_eq!(probe().0, Some(0));
    sidecar.terminate();
    sidecar.ended();
    let (code, _, why) = probe();
    assert_eq!(code, Some(69));
    assert!(why.contains(&listen), "{why}");
}

#[test]
fn a_sweep_that_panics_ends_the_process_instead_of_leaving_hunts_open() {
    let mut sidecar = Start::new().env("FAILPOINTS", "sweep=2*off->panic").ready();
    assert_eq!(sidecar.ended().code(), Some(1));
    assert!(
        sidecar
            .log()
            .contains("the sweep, which ends hunts by time, panicked"),
        "{}",
        sidecar.log()
    );
}

#[test]
fn checkpoints_that_panic_end_the_process_instead_of_letting_the_journal_grow() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut sidecar = Start::new()
        .arg(&format!("--data-dir={}", dir.path().display()))
        .env("FAILPOINTS", "checkpoints=2*off->panic")
        .ready();
    assert_eq!(sidecar.ended().code(), Some(1));
    let log = sidecar.log();
    assert!(
        log.contains("the checkpoints, which keep snapshots of hunts, panicked"),
        "{log}"
    );
}
