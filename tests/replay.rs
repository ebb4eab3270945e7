//! `player-state replay`: what a file of stamped commands becomes, and what is said of a wrong one.
//! That the Go engine writes the same bytes is tested where both are at hand (go-compat/services/e2e).

use player_state::{
    engine::Ruleset,
    pb::{
        Applied, Command, Dig, HuntCreated, HuntEnded, HuntSettings, Join, Record, Rejection,
        Verdict, command::Action, record::Change, refusal::Reason,
    },
    replay::{ReplayError, Summary, run},
};
use prost::Message as _;

mod common;

const STARTS_AT_MS: i64 = 1_000_000;

fn created() -> Record {
    let settings = HuntSettings {
        seed: 1,
        width: 4,
        height: 4,
        treasures: 4,
        caches: 4,
        max_players: 200,
        duration_ms: 1000,
        ruleset: String::new(),
    };
    let created = HuntCreated {
        settings: Some(settings),
        ruleset: Ruleset::classic().bytes().to_vec(),
        ..HuntCreated::default()
    };
    Record {
        hunt_id: "h".to_owned(),
        epoch: 3,
        at_ms: STARTS_AT_MS,
        change: Some(Change::Created(created)),
        ..Record::default()
    }
}

fn applied(after_ms: i64, command: Command) -> Record {
    let applied = Applied {
        command: Some(command),
        outcome: None,
    };
    Record {
        hunt_id: "h".to_owned(),
        at_ms: STARTS_AT_MS + after_ms,
        change: Some(Change::Applied(applied)),
        ..Record::default()
    }
}

fn ended(after_ms: i64) -> Record {
    Record {
        change: Some(Change::Ended(HuntEnded::default())),
        ..applied(after_ms, Command::default())
    }
}

fn join(player_id: u64) -> Command {
    Command {
        hunt_id: "h".to_owned(),
        player_id,
        request_id: 1,
        action: Some(Action::Join(Join {})),
        ..Command::default()
    }
}

fn file(records: &[Record]) -> Vec<u8> {
    records
        .iter()
        .flat_map(Record::encode_length_delimited_to_vec)
        .collect()
}

fn played(records: &[Record]) -> (Vec<Record>, Result<Summary, ReplayError>) {
    let mut out = Vec::new();
    let summary = run(&*file(records), &mut out);
    let mut records = Vec::new();
    let mut rest = &*out;
    while !rest.is_empty() {
        records.push(Record::decode_length_delimited(&mut rest).expect("a record"));
    }
    (records, summary)
}

fn outcome(record: &Record) -> player_state::pb::Outcome {
    let Some(Change::Applied(applied)) = &record.change else {
        panic!("{record:?}");
    };
    applied.outcome.clone().expect("an outcome")
}

#[test]
fn each_record_comes_back_with_what_became_of_it() {
    let dig = Command {
        action: Some(Action::Dig(Dig {})),
        budget_ms: 7,
        ..join(8)
    };
    let elsewhere = Command {
        hunt_id: "elsewhere".to_owned(),
        ..join(8)
    };
    let given = [
        created(),
        applied(1, join(7)),
        applied(2, dig.clone()),
        applied(3, Command::default()),
        applied(3, elsewhere),
        applied(1000, join(9)),
        ended(1500),
    ];
    let (records, summary) = played(&given);
    let summary = summary.expect("a good file");
    let places: Vec<_> = records
        .iter()
        .map(|record| (record.epoch, record.sequence))
        .collect();
    assert_eq!(
        places,
        [(3, 1), (3, 2), (0, 0), (0, 0), (0, 0), (0, 0), (3, 3)]
    );
    assert_eq!(outcome(&records[1]).verdict(), Verdict::Applied);
    assert_eq!(outcome(&records[2]).rejection(), Rejection::NotJoined);
    let Some(Change::Applied(unapplied)) = &records[2].change else {
        panic!("{records:?}");
    };
    assert_eq!(unapplied.command, Some(dig), "as it was given");
    let reason = |record| outcome(record).refusal.expect("a refusal").reason();
    assert_eq!(reason(&records[3]), Reason::Invalid);
    assert_eq!(reason(&records[4]), Reason::UnknownHunt);
    assert_eq!(outcome(&records[5]).rejection(), Rejection::HuntEnded);
    assert_eq!(records[6].at_ms, STARTS_AT_MS + 1000, "ended by time");

    assert_eq!((summary.records, summary.applied), (7, 1));
    assert_eq!(summary.digest, records[6].digest.to_string());
}

#[test]
fn a_digest_stands_at_the_first_every_100th_sequence_and_the_last() {
    let mut given = vec![created()];
    given.extend((1..=150).map(|player| applied(1, join(player))));
    given.push(applied(2, join(1)));
    let (records, summary) = played(&given);
    summary.expect("a good file");
    let with_digest = records
        .iter()
        .enumerate()
        .filter(|(_, record)| record.digest != 0);
    let numbers: Vec<_> = with_digest.map(|(n, _)| n + 1).collect();
    assert_eq!(
        numbers,
        [1, 100, 152],
        "the last is a duplicate, and carries it all the same"
    );
}

#[test]
fn a_wrong_file_is_refused_with_the_number_of_the_record() {
    let no_ruleset = Record {
        change: Some(Change::Created(HuntCreated {
            settings: Some(HuntSettings::default()),
            ..HuntCreated::default()
        })),
        ..created()
    };
    for (records, says) in [
        (vec![], "record 1: the file is empty"),
        (vec![applied(1, join(1))], "record 1: the file has to begin"),
        (vec![no_ruleset], "record 1: created.ruleset"),
        (
            vec![created(), created()],
            "record 2: only applied, ended and owner_changed",
        ),
        (
            vec![created(), applied(5, join(1)), applied(4, join(2))],
            "record 3: at_ms",
        ),
        (
            vec![created(), ended(1), ended(2)],
            "record 3: the hunt ended before",
        ),
    ] {
        let (_, summary) = played(&records);
        let said = summary.expect_err("a refusal").to_string();
        assert!(said.starts_with(says), "{said}");
    }
}

#[test]
fn a_file_cut_at_any_byte_is_played_to_its_last_whole_record_or_refused() {
    let records = [created(), applied(1, join(1)), applied(2, join(2))];
    let whole = file(&records);
    let ends: Vec<_> = (1..=records.len())
        .map(|n| file(&records[..n]).len())
        .collect();
    for cut in 0..whole.len() {
        let mut out = Vec::new();
        match run(&whole[..cut], &mut out) {
            Ok(summary) => assert_eq!(ends[summary.records as usize - 1], cut),
            Err(error) => assert!(!ends.contains(&cut), "{cut}: {error}"),
        }
    }
}

#[test]
fn the_program_writes_records_and_a_summary_and_ends_with_65_on_bad_data() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("hunt.replay");
    std::fs::write(&path, file(&[created(), applied(1, join(1))])).expect("written");
    let replay = |path: &std::path::Path| common::program().arg("replay").arg(path).output();

    let good = replay(&path).expect("the program runs");
    assert!(good.status.success());
    let said = String::from_utf8(good.stderr).expect("text");
    assert!(
        said.starts_with("{\"records\":2,\"applied\":1,\"digest\":\""),
        "{said}"
    );

    std::fs::write(&path, file(&[created(), ended(1), ended(1)])).expect("written");
    let bad = replay(&path).expect("the program runs");
    assert_eq!(bad.status.code(), Some(65));
    let said = String::from_utf8(bad.stderr).expect("text");
    assert!(said.contains("hunt.replay: record 3:"), "{said}");
    let missing = replay(&dir.path().join("missing")).expect("the program runs");
    assert_eq!(missing.status.code(), Some(65));
}
