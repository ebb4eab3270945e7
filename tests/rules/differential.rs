//! The same hunts in the Go engine: `legacy-engine replay`, which `LEGACY_ENGINE` names.
//!
//! The Go side draws hunts of its own and asks this engine (go-compat/services/differential). Here the
//! hunts are those of the properties, so that what holds in one engine is known to hold in both.

use std::{
    cell::Cell,
    env,
    io::Write as _,
    process::{Command, Stdio},
};

use player_state::{
    engine::{RawAction, RawCommand, Ruleset},
    pb::{self, Applied, HuntCreated, Record, command::Action, record::Change},
    replay, wire,
};
use proptest::prelude::*;
use prost::Message as _;

use crate::generated::{Played, hunts, play};

/// A played hunt as a replay file: what was asked, and when.
fn script(played: &Played) -> Vec<Record> {
    let begun = &played.begun;
    let created = HuntCreated {
        settings: Some(wire::hunt_settings(&begun.settings)),
        ruleset: Ruleset::classic().bytes().to_vec(),
        ..HuntCreated::default()
    };
    let first = Record {
        hunt_id: begun.hunt_id.to_string(),
        epoch: begun.epoch,
        at_ms: begun.starts_at_ms,
        change: Some(Change::Created(created)),
        ..Record::default()
    };
    let rest = played.asked.iter().map(|asked| Record {
        hunt_id: begun.hunt_id.to_string(),
        at_ms: asked.at_ms,
        change: Some(Change::Applied(Applied {
            command: Some(message(&asked.command)),
            outcome: None,
        })),
        ..Record::default()
    });
    std::iter::once(first).chain(rest).collect()
}

fn message(command: &RawCommand<'_>) -> pb::Command {
    let action = command.action.map(|action| match action {
        RawAction::Join => Action::Join(pb::Join {}),
        RawAction::Leave => Action::Leave(pb::Leave {}),
        RawAction::Move { x, y } => Action::Move(pb::Move { x, y }),
        RawAction::Dig => Action::Dig(pb::Dig {}),
        RawAction::PickUp => Action::PickUp(pb::PickUp {}),
        RawAction::UsePowerUp { power_up, target } => Action::UsePowerUp(pb::UsePowerUp {
            power_up: power_up.to_owned(),
            target_player_id: target,
        }),
    });
    pb::Command {
        hunt_id: command.hunt_id.to_owned(),
        player_id: command.player_id,
        request_id: command.request_id,
        expected_version: command.expected_version,
        epoch: command.epoch,
        action,
        ..pb::Command::default()
    }
}

fn in_go(engine: &str, file: &[u8]) -> Vec<u8> {
    let mut child = Command::new(engine)
        .args(["replay", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap_or_else(|err| panic!("{engine}: {err}"));
    // On a thread of its own: the program answers while it reads.
    let mut stdin = child.stdin.take().expect("piped");
    let given = file.to_vec();
    let feeding = std::thread::spawn(move || stdin.write_all(&given));
    let output = child.wait_with_output().expect("a child of ours");
    assert!(output.status.success(), "{engine}: {}", output.status);
    feeding.join().expect("no panic").expect("all was read");
    output.stdout
}

/// Where a mismatch is kept. Shrinking overwrites it: what is left is the shortest.
fn keep(file: &[u8]) -> String {
    let path = env::temp_dir().join(format!("mismatch-{}.replay", std::process::id()));
    std::fs::write(&path, file).expect("a file in the temporary directory");
    path.display().to_string()
}

/// `COMMANDS` says how many are compared at least; by default 10^5.
#[test]
#[ignore = "needs the Go engine: make test-differential builds it and says where it is"]
fn both_engines_answer_the_same() {
    let engine = env::var("LEGACY_ENGINE").expect("LEGACY_ENGINE names the legacy-engine program");
    let commands = env::var("COMMANDS").map_or(100_000, |text| text.parse().expect("a number"));
    // A hunt has up to 400 commands, any number as likely as another; a few hunts more make sure of the sum.
    let config = ProptestConfig {
        cases: commands / 200 * 5 / 4,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    let compared = Cell::new(0);
    proptest!(config, |((seed, steps) in hunts())| {
        let played = play(seed & !1, &steps); // an even hunt begins as a created record says
        compared.set(compared.get() + played.asked.len());
        let file: Vec<u8> = script(&played).iter().flat_map(Record::encode_length_delimited_to_vec).collect();
        let mut here = Vec::new();
        replay::run(&*file, &mut here).expect("a good file");
        let there = in_go(&engine, &file);
        prop_assert!(here == there, "the engines differ after {} commands; both run {}", steps.len(), keep(&file));
    });
    let compared = compared.get();
    eprintln!("{compared} commands compared");
    assert!(
        compared >= commands as usize,
        "{compared} commands were compared, and {commands} are asked for"
    );
}
