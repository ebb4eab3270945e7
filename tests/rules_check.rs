//! `rules check` says of ruleset files what `serve` would, and all of it; `rules schema` is for editors.

mod common;

use std::{
    fs,
    io::Write as _,
    process::{Output, Stdio},
};

use common::{program, run};

const GOOD: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/go-compat/rulesets/classic.toml"
);
const BAD: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/tests/vectors/rulesets/refused/all_at_once.toml"
);

#[test]
fn every_file_is_looked_at_and_every_fault_is_a_line() {
    let (code, said, _) = run(&["rules", "check", GOOD], &[]);
    assert_eq!(code, Some(0), "{said}");
    assert!(
        said.starts_with(&format!("{GOOD}: good; 13 power-ups: shield, ")),
        "{said}"
    );

    let (code, said, why) = run(&["rules", "check", BAD, GOOD, "/no/such/file.toml"], &[]);
    assert_eq!(code, Some(65));
    let lines: Vec<_> = said.lines().collect();
    assert_eq!(lines.len(), 10, "{said}");
    assert!(
        lines[2].starts_with(&format!(
            "{BAD}:3: power_up[0].name: is \"A\", and must be "
        )),
        "{said}"
    );
    assert!(lines[8].contains(": good; "), "{said}");
    assert!(
        lines[9].starts_with("/no/such/file.toml:1: cannot be read: "),
        "{said}"
    );
    assert_eq!(
        why,
        "player-state: 2 of 3 would not be taken as a ruleset\n"
    );
}

#[test]
fn machines_read_it_as_json() {
    let (code, said, _) = run(&["rules", "check", "-o", "json", GOOD, BAD], &[]);
    assert_eq!(code, Some(65));
    let files: serde_json::Value = serde_json::from_str(&said).expect("JSON");
    assert_eq!(files[0]["good"], true);
    assert_eq!(files[0]["power_ups"][12], "antidote");
    assert_eq!(files[0]["sha256"].as_str().map(str::len), Some(64));
    assert_eq!(files[1]["file"], BAD);
    assert_eq!(files[1]["faults"][0]["line"], 1);
    assert_eq!(files[1]["faults"][0]["key"], "color");
    assert!(files[1]["faults"][0]["problem"].is_string());
}

/// Feeds standard input.
fn fed(bytes: &[u8]) -> Output {
    let mut command = program();
    command.args(["rules", "check", "-"]);
    let child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = child.spawn().expect("the program starts");
    // It stops reading at its limit.
    let _ = child.stdin.take().expect("its input").write_all(bytes);
    child.wait_with_output().expect("it ends")
}

#[test]
fn standard_input_is_read_to_its_limit() {
    let output = fed(&fs::read(GOOD).expect("classic"));
    assert!(output.status.success(), "{output:?}");
    let long = vec![b'#'; (1 << 20) + 1];
    let output = fed(&long);
    assert_eq!(output.status.code(), Some(65));
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        "-:1: has more than 65536 bytes, which is the limit of a ruleset\n"
    );
}

#[test]
fn the_schema_is_printed() {
    let (code, said, _) = run(&["rules", "schema"], &[]);
    assert_eq!(code, Some(0));
    assert_eq!(said, player_state::rules::schema());
}
