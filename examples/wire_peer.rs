//! The Rust side of the wire tests (go-compat/wiretest): answers each frame on standard input with one on
//! standard output, until there are no more.
//!
//! A frame is four bytes of length, big-endian, and a `google.protobuf.Any`: a message's name and bytes. What
//! cannot be answered is answered `refused`, with the reason as text.
//! - `wire_peer codec` reads the message with prost and answers as prost writes it.
//! - `wire_peer engine` takes a `FollowRequest`: restores the hunt `from` its snapshot (or creates it from the
//!   first record), plays the `records`, and answers with the hunt's snapshot and the records as they
//!   became, each with the digest after it.

use std::{
    env,
    error::Error,
    io::{self, Read, Write},
    process::ExitCode,
    sync::Arc,
};

use player_state::{
    engine::{Hunt, HuntId, Outcome, Refusal, Ruleset, StampFell},
    pb::{self, Applied, Command, FollowRequest, Record, record::Change},
    wire::{self, Refused},
};
use prost::Message;
use prost_types::Any;

/// Well over the largest snapshot that a test sends.
const FRAME_BYTES_MAX: usize = 16 << 20;

type Answer = Result<Vec<u8>, Box<dyn Error>>;

fn main() -> ExitCode {
    let answer = match env::args().nth(1).as_deref() {
        Some("codec") => reencode,
        Some("engine") => follow,
        _ => {
            eprintln!("usage: wire_peer codec|engine, with frames on standard input");
            return ExitCode::from(64);
        }
    };
    match serve(io::stdin().lock(), io::stdout().lock(), answer) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("wire_peer: {error}");
            ExitCode::FAILURE
        }
    }
}

fn serve(
    mut input: impl Read,
    mut output: impl Write,
    answer: fn(&str, &[u8]) -> Answer,
) -> Result<(), Box<dyn Error>> {
    while let Some(asked) = read(&mut input)? {
        let name = asked.type_url.rsplit('.').next().unwrap_or_default();
        let answered = match answer(name, &asked.value) {
            Ok(value) => Any { value, ..asked },
            Err(why) => Any {
                type_url: "refused".to_owned(),
                value: why.to_string().into_bytes(),
            },
        };
        let bytes = answered.encode_to_vec();
        output.write_all(&u32::try_from(bytes.len())?.to_be_bytes())?;
        output.write_all(&bytes)?;
        output.flush()?;
    }
    Ok(())
}

/// `None` at the end of the input.
fn read(input: &mut impl Read) -> Result<Option<Any>, Box<dyn Error>> {
    let mut length = [0; 4];
    match input.read_exact(&mut length) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        read => read?,
    }
    let length = u32::from_be_bytes(length) as usize;
    if length > FRAME_BYTES_MAX {
        return Err(format!("a frame of {length} bytes, over {FRAME_BYTES_MAX}").into());
    }
    let mut bytes = vec![0; length];
    input.read_exact(&mut bytes)?;
    Ok(Some(Any::decode(&*bytes)?))
}

/// prost has no list of a schema's messages. One that is forgotten here is refused by name, which the
/// tests, who walk the schema, do not take.
macro_rules! reencode_one_of {
    ($name:ident, $bytes:ident: $($message:ident)*) => {
        match $name {
            $(stringify!($message) => Ok(pb::$message::decode($bytes)?.encode_to_vec()),)*
            _ => Err(format!("{} is not listed in examples/wire_peer.rs", $name).into()),
        }
    };
}

fn reencode(name: &str, bytes: &[u8]) -> Answer {
    reencode_one_of!(name, bytes:
        Command Join Leave Move Dig PickUp UsePowerUp
        Outcome Refusal Impact PlayerSummary Treasure
        ApplyRequest ApplyResponse ApplyBatchRequest ApplyBatchResponse
        HuntSettings CreateHuntRequest CreateHuntResponse EndHuntRequest EndHuntResponse
        GetHuntRequest GetHuntResponse Standing
        GetPlayerRequest GetPlayerResponse Held ActiveEffect
        Record HuntCreated Applied HuntEnded OwnerChanged
        ReadRecordsRequest ReadRecordsResponse GetRecordRequest GetRecordResponse
        Fence HelloRequest HelloResponse ListHuntsRequest ListHuntsResponse HuntStatus
        ProbeRequest ProbeResponse GetSnapshotRequest GetSnapshotResponse
        OfferRequest OfferResponse SealRequest SealResponse StageRequest StageResponse
        ActivateRequest ActivateResponse ReopenRequest ReopenResponse
        DiscardRequest DiscardResponse RetireRequest RetireResponse
        FollowRequest FollowResponse
        HuntSnapshot Cache PlayerSnapshot TimedEffect Remembered
    )
}

fn follow(_name: &str, bytes: &[u8]) -> Answer {
    let asked = FollowRequest::decode(bytes)?;
    let ruleset = Arc::new(Ruleset::parse("ruleset", &asked.ruleset)?);
    let mut records = asked.records.into_iter();
    let mut played = Vec::new();
    let mut hunt = if let Some(from) = asked.from {
        Hunt::restore(&wire::snapshot(from)?, ruleset)?
    } else {
        let mut hunt = create(records.next(), ruleset)?;
        let digest = hunt.digest();
        played.push(wire::created_record(&hunt, digest));
        hunt
    };
    for record in records {
        let Some(Change::Applied(applied)) = record.change else {
            return Err("only applied records can be played".into());
        };
        played.push(play(
            &mut hunt,
            record.at_ms,
            applied.command.unwrap_or_default(),
        )?);
    }
    let answered = FollowRequest {
        from: Some(wire::hunt_snapshot(&hunt.snapshot())),
        records: played,
        ..FollowRequest::default()
    };
    Ok(answered.encode_to_vec())
}

fn create(first: Option<Record>, ruleset: Arc<Ruleset>) -> Result<Hunt, Box<dyn Error>> {
    let first = first.unwrap_or_default();
    let Some(Change::Created(created)) = first.change else {
        return Err("there is neither a snapshot nor a created record".into());
    };
    let id = HuntId::parse(&first.hunt_id).map_err(|field| field.name())?;
    let settings = wire::settings(created.settings.unwrap_or_default());
    Ok(Hunt::create(
        id,
        settings,
        ruleset,
        first.epoch,
        first.at_ms,
    )?)
}

/// The record of one command that was applied, and of any other its outcome alone: with the sequence and the
/// digest at which the hunt is after it.
fn play(hunt: &mut Hunt, at_ms: i64, command: Command) -> Result<Record, Box<dyn Error>> {
    let outcome = apply(hunt, at_ms, &command)?;
    let digest = hunt.digest();
    if outcome.verdict() == pb::Verdict::Applied {
        return Ok(wire::applied_record(command, outcome, at_ms, digest));
    }
    Ok(Record {
        hunt_id: hunt.id().as_str().to_owned(),
        epoch: hunt.epoch(),
        sequence: hunt.sequence(),
        at_ms,
        digest,
        change: Some(Change::Applied(Applied {
            command: None,
            outcome: Some(outcome),
        })),
    })
}

fn apply(hunt: &mut Hunt, at_ms: i64, command: &Command) -> Result<pb::Outcome, StampFell> {
    let request_id = command.request_id;
    let checked = match wire::raw_command(command).check() {
        Ok(checked) => checked,
        Err(field) => {
            let why = Refused::Engine(Refusal::Invalid(field));
            return Ok(wire::refused(request_id, &why));
        }
    };
    if checked.hunt_id() != hunt.id().as_str() {
        let why = Refused::Engine(Refusal::UnknownHunt);
        return Ok(wire::refused(request_id, &why));
    }
    let mut outcome = Outcome::default();
    // An end by time that comes before the command is told by the sequence.
    let _ended = hunt.apply(at_ms, &checked, &mut outcome)?;
    Ok(wire::outcome(request_id, &outcome))
}
