//! The admin port tells how the process is, whatever the calls do.

mod common;

use std::{io::Write as _, net::TcpStream, time::Duration};

use common::{Sidecar, Start};

#[test]
fn every_page_says_what_it_is_for() {
    let sidecar = Sidecar::start(&[]);
    assert_eq!(sidecar.get("/livez"), (200, "live\n".to_owned()));
    assert_eq!(sidecar.get("/readyz"), (200, "ready\n".to_owned()));
    let (code, version) = sidecar.get("/version");
    assert_eq!(code, 200);
    let version: toml::Value = serde_json::from_str(&version).expect("JSON");
    assert_eq!(version["build"].as_str(), Some(player_state::BUILD));
    assert_eq!(
        version["schema_sha256"].as_str(),
        Some(player_state::pb::SCHEMA_SHA256)
    );
    assert_eq!(version["rules_version"].as_integer(), Some(1));
    assert_eq!(sidecar.get("/nothing").0, 404);
}

#[test]
fn metrics_tell_of_the_process_and_of_every_row_that_has_no_label() {
    let sidecar = Sidecar::start(&[]);
    let (code, text) = sidecar.get("/metrics");
    assert_eq!(code, 200);
    assert!(text.contains("process_resident_memory_bytes"), "{text}");
    for row in player_state::telemetry::metrics::ROWS
        .iter()
        .filter(|row| row.labels.is_empty())
    {
        assert!(
            text.contains(&format!("# TYPE {} {}", row.name, row.kind)),
            "{}",
            row.name
        );
    }
    assert!((sidecar.metric("player_state_ready") - 1.0).abs() < 0.1);
}

#[tokio::test(flavor = "multi_thread")]
async fn it_answers_while_every_worker_is_blocked() {
    let start = Start::new()
        .env("FAILPOINTS", "handler_begins=sleep(3000)")
        .arg("--workers=1");
    let sidecar = start.ready();
    let client = sidecar.connect().await;
    let blocked = tokio::spawn(async move { client.get_record("hunt", &["1S"]).await });
    common::eventually(|| match sidecar.metric("player_state_calls_in_flight") {
        count if count > 0.5 => Ok(()),
        _ => Err("the call has not begun".to_owned()),
    });
    let began = std::time::Instant::now();
    assert_eq!(sidecar.get("/livez").0, 200);
    assert!(
        began.elapsed() < Duration::from_millis(500),
        "{:?}",
        began.elapsed()
    );
    blocked.abort();
}

#[test]
fn connections_over_its_limit_wait_and_silent_ones_do_not_keep_them_out_for_ever() {
    let sidecar = Sidecar::start(&["--admin-connections-max=2", "--admin-idle-max=200ms"]);
    let admin = sidecar.logged("admin");
    let mut silent: Vec<_> = (0..2)
        .map(|_| TcpStream::connect(&admin).expect("a connection"))
        .collect();
    silent[0].write_all(b"GET /livez HT").expect("sent");
    assert_eq!(sidecar.get("/livez").0, 200);
}
