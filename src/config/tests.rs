use std::{ffi::OsString, io::Write as _};

use clap::{Command, FromArgMatches as _};

use super::*;

fn flags(args: &[&str]) -> Flags {
    let command = <Flags as clap::Args>::augment_args(Command::new("serve").no_binary_name(true));
    Flags::from_arg_matches(&command.get_matches_from(args)).expect("flags")
}

fn file(text: &str) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().expect("a temporary file");
    file.write_all(text.as_bytes()).expect("written");
    file
}

fn merged(args: &[&str], env: &[(&str, &str)], config: &str) -> Result<Resolved, String> {
    let file = file(config);
    let env = env
        .iter()
        .map(|(name, value)| (OsString::from(name), OsString::from(value)));
    resolve_from(&flags(args), env, Some(file.path())).map_err(|exit| exit.to_string())
}

fn refusal(args: &[&str], env: &[(&str, &str)], config: &str) -> String {
    merged(args, env, config).expect_err("a refusal")
}

#[test]
fn a_flag_wins_over_the_environment_over_the_file_over_the_default() {
    let env = [
        ("PLAYERSTATE_STREAMS_MAX", "20"),
        ("PLAYERSTATE_CONNECTIONS_MAX", "20"),
    ];
    let config = "streams_max = 30\nconnections_max = 30\nhunts_max = 30";
    let resolved = merged(&["--streams-max=10"], &env, config).expect("settings");
    let s = &resolved.settings;
    assert_eq!(
        (s.streams_max, s.connections_max, s.hunts_max, s.workers),
        (10, 20, 30, 0)
    );
}

#[test]
fn the_whole_default_is_within_its_bounds() {
    let resolved = merged(&[], &[], "").expect("the defaults");
    assert!(
        resolved
            .sources
            .iter()
            .all(|source| *source == Source::Default)
    );
    for row in ROWS.iter().filter(|row| row.is_limit()) {
        let mut settings = Settings::defaults();
        (row.set)(&mut settings, &[row.default.to_owned()]).expect(row.name);
    }
}

#[test]
fn what_is_printed_can_be_read_back() {
    let args = [
        "--listen=unix:/run/a.sock",
        "--listen=tcp:127.0.0.1:0",
        "--message-bytes-max=200000",
    ];
    let args = [args.as_slice(), &["--batch-outcome-bytes-max=100000"]].concat();
    let first = merged(&args, &[], "").expect("settings");
    let printed = print(&first, None);
    let second = merged(&[], &[], &printed).expect("the printed settings");
    let values = |resolved: &Resolved| {
        ROWS.iter()
            .map(|row| (row.get)(&resolved.settings))
            .collect::<Vec<_>>()
    };
    assert_eq!(values(&first), values(&second), "{printed}");
}

#[test]
fn an_unknown_name_is_refused_with_the_nearest() {
    let said = refusal(
        &[],
        &[("PLAYERSTATE_STREAM_MAX", "1")],
        "conections_max = 1",
    );
    assert!(
        said.contains("did you mean PLAYERSTATE_STREAMS_MAX?"),
        "{said}"
    );
    assert!(said.contains("did you mean connections_max?"), "{said}");
}

#[test]
fn an_unknown_name_that_only_begins_like_all_of_them_gets_no_guess() {
    let said = refusal(&[], &[("PLAYERSTATE_CONFIG", "x")], "");
    assert!(!said.contains("did you mean"), "{said}");
}

#[test]
fn a_value_out_of_bounds_is_refused_with_limit_and_value() {
    let said = refusal(
        &["--connections-max=0"],
        &[("PLAYERSTATE_DEADLINE_MAX", "2m")],
        "",
    );
    assert!(
        said.contains("--connections-max = 0: is below its least value, 1"),
        "{said}"
    );
    assert!(
        said.contains("PLAYERSTATE_DEADLINE_MAX = 2m: is above its greatest value, 1m"),
        "{said}"
    );
}

#[test]
fn what_is_not_of_its_kind_is_refused_with_an_example() {
    let said = refusal(
        &["--drain-max=2"],
        &[("PLAYERSTATE_FEED_BYTES_MAX", "lots")],
        "streams_max = 1.5",
    );
    for part in [
        "as 2s or 250ms",
        "as 262144 or 256KiB",
        "wants a string, a whole number",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
}

#[test]
fn a_public_address_is_refused_with_the_reason() {
    let said = refusal(&["--listen=tcp:0.0.0.0:7000"], &[], "");
    assert!(said.contains("not a loopback address"), "{said}");
}

#[test]
fn a_durability_that_cannot_be_kept_is_refused_with_what_to_type() {
    for durability in ["sync", "interval"] {
        let said = refusal(&["--durability", durability], &[], "");
        assert!(said.contains("--data-dir DIR"), "{said}");
    }
}

#[test]
fn a_message_that_would_not_fit_its_window_is_refused() {
    let said = refusal(&["--message-bytes-max=1MiB"], &[], "");
    assert!(
        said.contains("must be below stream_window_bytes, which is 1MiB"),
        "{said}"
    );
}

#[test]
fn a_file_that_is_no_toml_is_refused_with_the_line() {
    let said = refusal(&[], &[], "streams_max = 1\nlisten = [");
    assert!(said.contains("line 2"), "{said}");
}
