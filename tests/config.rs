//! What the program makes of its command line, its settings and its place: refusals with their exit codes.

mod common;

use std::{fs, os::unix::net::UnixListener};

use common::{Sidecar, Start};
use rustix::process::Signal;

fn run(args: &[&str]) -> (Option<i32>, String, String) {
    common::run(args, &[])
}

#[test]
fn an_unknown_flag_is_a_usage_error_with_the_nearest() {
    let (code, _, said) = run(&["serve", "--stream-max", "1"]);
    assert_eq!(code, Some(2));
    assert!(said.contains("--streams-max"), "{said}");
}

#[test]
fn bad_settings_are_told_all_at_once() {
    let env = [
        ("PLAYERSTATE_LOG_FORMT", "json"),
        ("PLAYERSTATE_DRAIN_MAX", "2h"),
    ];
    let (code, _, said) = common::run(
        &["serve", "--listen", "tcp:0.0.0.0:1", "--durability", "sync"],
        &env,
    );
    assert_eq!(code, Some(78));
    for part in [
        "PLAYERSTATE_LOG_FORMAT?",
        "1h",
        "not a loopback address",
        "--data-dir DIR",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
}

#[test]
fn nowhere_to_listen_is_refused_with_what_to_type() {
    let (code, _, said) = run(&["serve"]);
    assert_eq!(code, Some(78));
    assert!(said.contains("--listen unix:PATH"), "{said}");
}

#[test]
fn config_print_names_the_source_of_each_value() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let file = dir.path().join("settings.toml");
    fs::write(&file, "hunts_max = 7\nstreams_max = 7\n").expect("written");
    let file = file.display().to_string();
    let args = ["config", "print", "--config", &file, "--log-format=json"];
    let (code, printed, _) = common::run(&args, &[("PLAYERSTATE_STREAMS_MAX", "9")]);
    assert_eq!(code, Some(0));
    let line = |name: &str| {
        let line = printed
            .lines()
            .find(|line| line.starts_with(name))
            .expect(name);
        line.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    assert_eq!(
        line("hunts_max"),
        format!("hunts_max = 7 # hunts_max in {file}")
    );
    assert_eq!(
        line("streams_max"),
        "streams_max = 9 # PLAYERSTATE_STREAMS_MAX"
    );
    assert_eq!(line("log_format"), "log_format = \"json\" # --log-format");
    assert_eq!(line("drain_max"), "drain_max = \"2s\" # default");
}

#[test]
fn help_says_every_default() {
    let (code, help, _) = run(&["serve", "--help"]);
    assert_eq!(code, Some(0));
    let words = help.split_whitespace().collect::<Vec<_>>().join(" ");
    for row in player_state::config::ROWS {
        assert!(
            words.contains(&format!("--{} ", row.flag())),
            "{}",
            row.name
        );
        if !row.default.is_empty() {
            assert!(
                words.contains(&format!("default {}", row.default)),
                "{}",
                row.name
            );
        }
    }
}

#[test]
fn completions_are_made_for_every_shell() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let (code, script, _) = run(&["completions", shell]);
        assert_eq!(code, Some(0));
        assert!(script.contains("player-state"), "{shell}");
    }
}

#[test]
fn the_socket_of_a_live_process_is_left_alone_and_that_of_a_dead_one_replaced() {
    let mut first = Sidecar::start(&[]);
    let listen = format!("unix:{}", first.socket().display());
    let (code, _, said) = run(&["serve", "--listen", &listen]);
    assert_eq!(code, Some(75));
    assert!(
        said.contains(&format!("process {} (player-state)", first.pid())),
        "{said}"
    );

    first.signal(Signal::KILL);
    first.ended();
    assert!(
        first.socket().exists(),
        "a killed process leaves its socket behind"
    );
    let _second = Start::new().arg("--listen").arg(&listen).ready();
    let (code, _, said) = run(&["health", "--listen", &listen]);
    assert_eq!(code, Some(0), "{said}");
}

#[test]
fn a_socket_is_open_to_its_group_and_to_nobody_else() {
    use std::os::unix::fs::PermissionsExt as _;
    let sidecar = Sidecar::start(&[]);
    let mode = fs::metadata(sidecar.socket())
        .expect("a socket")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o660);
}

#[test]
fn a_place_that_cannot_be_listened_on_is_refused_with_the_reason() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let file = dir.path().join("file");
    fs::write(&file, "data").expect("written");
    let deep = dir.path().join("no/such/dir.sock");
    let long = dir.path().join("x".repeat(120));
    for (path, why) in [
        (&file, "no socket"),
        (&deep, "directory does not exist"),
        (&long, "107 at most"),
    ] {
        let (code, _, said) = run(&["serve", "--listen", &format!("unix:{}", path.display())]);
        assert_eq!(code, Some(78), "{said}");
        assert!(said.contains(why), "{said}");
    }
    assert_eq!(fs::read_to_string(&file).expect("still there"), "data");

    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let addr = taken.local_addr().expect("an address");
    let (code, _, said) = run(&["serve", "--listen", &format!("tcp:{addr}")]);
    assert_eq!(code, Some(75));
    assert!(said.contains("another process listens there"), "{said}");
}

#[test]
fn a_socket_that_was_taken_over_is_not_removed_by_its_first_owner() {
    let mut sidecar = Sidecar::start(&[]);
    fs::remove_file(sidecar.socket()).expect("removed");
    let _other = UnixListener::bind(sidecar.socket()).expect("bound");
    sidecar.terminate();
    assert_eq!(sidecar.ended().code(), Some(0));
    assert!(sidecar.socket().exists(), "it removed what was not its own");
}

#[test]
fn a_data_directory_is_held_by_one_process() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let dir = dir.path().display().to_string();
    let first = Sidecar::start(&["--data-dir", &dir]);
    let (code, _, said) = run(&["serve", "--listen", "tcp:127.0.0.1:0", "--data-dir", &dir]);
    assert_eq!(code, Some(75));
    assert!(said.contains(&format!("process {}", first.pid())), "{said}");
    drop(first);
    let _next = Sidecar::start(&["--data-dir", &dir]);
}

#[test]
fn a_ruleset_is_checked_without_starting_anything() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let good = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/go-compat/rulesets/classic.toml"
    );
    let (code, said, _) = run(&["rules", "check", good]);
    assert_eq!(code, Some(0));
    assert!(said.contains("good; "), "{said}");

    let bad = dir.path().join("bad.toml");
    fs::write(&bad, "[[power_up]]\nname = \"x\"\nwait = 1\n").expect("written");
    let bad = bad.display().to_string();
    for file in [bad.as_str(), "/no/such/file.toml"] {
        let (code, said, _) = run(&["rules", "check", file]);
        assert_eq!(code, Some(65));
        assert!(said.contains(file), "{said}");
    }
}
