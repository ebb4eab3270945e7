//! The golden vectors of tests/vectors, which the Go engine reads too. Its tests also hold that the examples
//! quote docs/rules.md, and that they show all of it.

use std::{fmt::Debug, fs, path::PathBuf, sync::Arc};

use player_state::{
    engine::{Hunt, HuntId, Outcome, Refusal, Ruleset, SnapshotError, StampFell},
    pb,
    wire::{self, Refused},
};
use prost::Message;
use prost_reflect::{DescriptorPool, DynamicMessage};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use xxhash_rust::xxh64::xxh64;

/// One file of worked examples, for one heading of docs/rules.md.
#[derive(Deserialize)]
struct Section {
    section: String,
    /// The `HuntSnapshot` onto which each start is merged.
    stage: Value,
    examples: Vec<Example>,
}

#[derive(Deserialize)]
struct Example {
    name: String,
    /// Its lines; else classic.toml.
    ruleset: Option<Vec<String>>,
    /// The `HuntSettings` of a hunt to create.
    created: Option<Value>,
    /// Or a `HuntSnapshot` to restore.
    start: Option<Value>,
    steps: Vec<Step>,
    /// What changed, as a `HuntSnapshot`.
    after: Value,
    /// Of all of it.
    digest: String,
}

/// A command, or without one `EndHunt`.
#[derive(Deserialize)]
struct Step {
    now_ms: i64,
    command: Option<Value>,
    /// The stamp is refused.
    #[serde(default)]
    fell: bool,
    /// The record of the end, where it is recorded now.
    ended: Option<Value>,
    /// Of the command.
    outcome: Option<Value>,
}

#[test]
fn the_worked_examples_of_the_rules_come_out_as_written() {
    let schema = schema();
    let mut wrong = Vec::new();
    for section in files::<Section>("rules") {
        for example in &section.examples {
            let mut differ = |what: String| {
                wrong.push(format!("{}: {}: {what}", section.section, example.name));
            };
            example.play(&schema, &section.stage, &mut differ);
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

impl Example {
    fn play(&self, schema: &DescriptorPool, stage: &Value, differ: &mut impl FnMut(String)) {
        let mut hunt = self.begin(schema, stage);
        hunt.digest(); // from here on it is kept up
        let before = wire::hunt_snapshot(&hunt.snapshot());
        for (step, number) in self.steps.iter().zip(1..) {
            step.play(schema, &mut hunt, &mut |what| {
                differ(format!("step {number}: {what}"));
            });
            hunt.digest();
        }
        let after = wire::hunt_snapshot(&hunt.snapshot());
        let mut told = changes(&before, &after);
        if self.created.is_some() {
            told = pb::HuntSnapshot {
                treasures: after.treasures,
                caches: after.caches,
                players: after.players,
                ..told
            };
        }
        same(
            "after",
            &told,
            &message(schema, "HuntSnapshot", &self.after),
            differ,
        );
        same(
            "digest",
            &format!("0x{:016x}", hunt.digest()),
            &self.digest,
            differ,
        );
    }

    fn begin(&self, schema: &DescriptorPool, stage: &Value) -> Hunt {
        let ruleset = ruleset(self.ruleset.as_deref());
        let mut start: pb::HuntSnapshot = message(schema, "HuntSnapshot", stage);
        if let Some(settings) = &self.created {
            let settings = wire::settings(message(schema, "HuntSettings", settings));
            let id = HuntId::parse(&start.hunt_id).expect("valid");
            return Hunt::create(
                id,
                settings,
                Arc::new(ruleset),
                start.epoch,
                start.starts_at_ms,
            )
            .expect("within bounds");
        }
        let own: pb::HuntSnapshot = message(
            schema,
            "HuntSnapshot",
            self.start.as_ref().expect("a start"),
        );
        start
            .merge(&*own.encode_to_vec())
            .expect("of our own making");
        start.ruleset_hash = ruleset.hash().to_owned();
        restore(start, ruleset).unwrap_or_else(|error| panic!("{}: {error}", self.name))
    }
}

type Answer = (Option<pb::Outcome>, Option<pb::Record>);

impl Step {
    fn play(&self, schema: &DescriptorPool, hunt: &mut Hunt, differ: &mut impl FnMut(String)) {
        let before = hunt.snapshot();
        let answer = self.ask(schema, hunt);
        same("fell", &answer.is_err(), &self.fell, differ);
        let (outcome, ended) = answer.unwrap_or_default();
        let want = self
            .ended
            .as_ref()
            .map(|json| message(schema, "Record", json));
        same("ended", &ended, &want, differ);
        let want = self
            .outcome
            .as_ref()
            .map(|json| message(schema, "Outcome", json));
        same("outcome", &outcome, &want, differ);
        let is_applied = outcome.is_some_and(|outcome| outcome.verdict() == pb::Verdict::Applied);
        if !is_applied && ended.is_none() && hunt.snapshot() != before {
            differ("it was not applied, and changed the hunt".to_owned());
        }
    }

    /// Does what an owner does that has this hunt alone.
    fn ask(&self, schema: &DescriptorPool, hunt: &mut Hunt) -> Result<Answer, StampFell> {
        let at_ms = hunt.starts_at_ms() + self.now_ms;
        let Some(command) = &self.command else {
            let ended = hunt.end(at_ms)?;
            return Ok((
                None,
                ended.map(|ended| wire::ended_record(hunt.id(), &ended)),
            ));
        };
        let command: pb::Command = message(schema, "Command", command);
        let refused = |why| wire::refused(command.request_id, &Refused::Engine(why));
        let checked = match wire::raw_command(&command).check() {
            Ok(checked) if checked.hunt_id() == hunt.id().as_str() => checked,
            Ok(_) => return Ok((Some(refused(Refusal::UnknownHunt)), None)),
            Err(field) => return Ok((Some(refused(Refusal::Invalid(field))), None)),
        };
        let mut outcome = Outcome::default();
        let ended = hunt.apply(at_ms, &checked, &mut outcome)?;
        let record = ended.map(|ended| wire::ended_record(hunt.id(), &ended));
        Ok((Some(wire::outcome(command.request_id, &outcome)), record))
    }
}

/// What an example tells of a snapshot: the head's numbers, and the players that are not as before.
fn changes(before: &pb::HuntSnapshot, after: &pb::HuntSnapshot) -> pb::HuntSnapshot {
    let changed = after
        .players
        .iter()
        .filter(|player| !before.players.contains(player));
    pb::HuntSnapshot {
        sequence: after.sequence,
        last_at_ms: after.last_at_ms,
        random_state: after.random_state,
        ended: after.ended,
        players: changed.cloned().collect(),
        ..pb::HuntSnapshot::default()
    }
}

fn same<T: PartialEq + Debug>(what: &str, got: &T, want: &T, differ: &mut impl FnMut(String)) {
    if got != want {
        differ(format!("{what}:\n got {got:?}\nwant {want:?}"));
    }
}

#[derive(Deserialize)]
struct PlacementFile {
    vectors: Vec<Placement>,
}

/// A hunt id, its murmur3_32 with seed 0, and its bucket: docs/design.md §7.
#[derive(Deserialize)]
struct Placement {
    id: String,
    murmur3_32: u32,
    bucket: u64,
}

#[test]
fn a_hunt_is_placed_by_the_same_hash_in_any_language() {
    let file: PlacementFile = read("tests/vectors/murmur3.json".into());
    assert!(!file.vectors.is_empty());
    for Placement {
        id,
        murmur3_32,
        bucket,
    } in file.vectors
    {
        let hash = murmur3::murmur3_32(&mut id.as_bytes(), 0).expect("memory can be read");
        assert_eq!(hash, murmur3_32, "{id:?}");
        assert_eq!((u64::from(hash) * 100_000) >> 32, bucket, "{id:?}");
    }
}

#[derive(Deserialize)]
struct AcceptedFile {
    accepted: Vec<Accepted>,
}

#[derive(Deserialize)]
struct Accepted {
    name: String,
    /// Its lines; else classic.toml.
    ruleset: Option<Vec<String>>,
    snapshot: Value,
    digest: String,
    /// Of the canonical bytes.
    sha256: String,
}

#[test]
fn a_snapshot_comes_back_as_the_same_bytes() {
    let schema = schema();
    let file: AcceptedFile = read("tests/vectors/snapshots/accepted.json".into());
    assert!(!file.accepted.is_empty());
    for case in file.accepted {
        let given: pb::HuntSnapshot = message(&schema, "HuntSnapshot", &case.snapshot);
        let mut hunt = restore(given.clone(), ruleset(case.ruleset.as_deref()))
            .unwrap_or_else(|error| panic!("{}: {error}", case.name));
        let back = wire::hunt_snapshot(&hunt.snapshot());
        assert_eq!(back, given, "{}", case.name);
        let sha256 = Sha256::digest(back.encode_to_vec());
        assert_eq!(format!("{sha256:x}"), case.sha256, "{}", case.name);
        assert_eq!(
            format!("0x{:016x}", hunt.digest()),
            case.digest,
            "{}",
            case.name
        );
    }
}

#[derive(Deserialize)]
struct RefusedFile {
    /// A good one.
    snapshot: Map<String, Value>,
    refused: Vec<RefusedCase>,
}

#[derive(Deserialize)]
struct RefusedCase {
    name: String,
    /// In the error.
    names: String,
    /// Whole fields.
    change: Map<String, Value>,
}

#[test]
fn a_snapshot_that_no_hunt_can_have_come_to_is_refused_and_named() {
    let schema = schema();
    let file: RefusedFile = read("tests/vectors/snapshots/refused.json".into());
    let restore_changed = |change: Map<String, Value>| {
        let mut changed = file.snapshot.clone();
        changed.extend(change);
        let changed = message(&schema, "HuntSnapshot", &Value::Object(changed));
        restore(changed, ruleset(None)).map(|_| ())
    };
    assert_eq!(restore_changed(Map::new()), Ok(()), "the good one");
    assert!(!file.refused.is_empty());
    let mut wrong = Vec::new();
    for case in file.refused {
        match restore_changed(case.change) {
            Err(error) if error.to_string().contains(&case.names) => {}
            other => wrong.push(format!(
                "{}: {other:?}, want one that names {}",
                case.name, case.names
            )),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn restore(snapshot: pb::HuntSnapshot, ruleset: Ruleset) -> Result<Hunt, SnapshotError> {
    Hunt::restore(&wire::snapshot(snapshot)?, Arc::new(ruleset))
}

/// None stand for classic.toml.
fn ruleset(lines: Option<&[String]>) -> Ruleset {
    lines.map_or_else(Ruleset::classic, |lines| {
        let text = lines.join("\n") + "\n";
        Ruleset::parse("example.toml", text.as_bytes()).expect("a ruleset")
    })
}

#[derive(Deserialize)]
struct Hashes {
    vectors: Vec<Hash>,
}

#[derive(Deserialize)]
struct Hash {
    text: String,
    /// As text: JSON's numbers are not exact.
    seed: String,
    xxh64: String,
}

#[test]
fn xxh64_is_the_one_of_the_golden_vectors() {
    let hashes: Hashes = read("tests/vectors/xxh64.json".into());
    assert!(!hashes.vectors.is_empty());
    for Hash {
        text,
        seed,
        xxh64: want,
    } in hashes.vectors
    {
        let hash = xxh64(text.as_bytes(), seed.parse().expect("a number"));
        assert_eq!(format!("0x{hash:016x}"), want, "{text:?} under {seed}");
    }
}

/// All files of a folder of vectors.
fn files<T: DeserializeOwned>(folder: &str) -> Vec<T> {
    let path = PathBuf::from("tests/vectors").join(folder);
    let entries = fs::read_dir(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let files: Vec<_> = entries
        .map(|entry| read(entry.expect("readable").path()))
        .collect();
    assert!(!files.is_empty(), "no vectors in {}", path.display());
    files
}

fn read<T: DeserializeOwned>(path: PathBuf) -> T {
    let text = fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_slice(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn schema() -> DescriptorPool {
    DescriptorPool::decode(pb::DESCRIPTORS).expect("the schema")
}

/// A message out of protobuf's JSON.
fn message<M: Message + Default>(schema: &DescriptorPool, name: &str, json: &Value) -> M {
    let name = format!("treasurehunt.playerstate.v1.{name}");
    let kind = schema
        .get_message_by_name(&name)
        .expect("a message of the schema");
    let read =
        DynamicMessage::deserialize(kind, json).unwrap_or_else(|error| panic!("{error} in {json}"));
    read.transcode_to().expect("the same message")
}
