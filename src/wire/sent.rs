//! Commands as they come in, and outcomes as they go out, without prost's messages in between.
//!
//! A command in a batch is worth a fraction of a microsecond, of which a message of owned strings is a good part.
//! So commands are read where they lie in the request, outcomes are written from the engine's own, and a record
//! takes the outcome's bytes as they are. What is read is what prost reads, what is written is what prost writes:
//! tests/wire.rs holds both against it. (docs/decisions/commands-by-hand.md)

use prost::{
    DecodeError, Message as _,
    bytes::{Buf as _, Bytes},
    encoding::decode_varint,
};

use super::{
    command::raw_command,
    outcome::{effect_kind, impact_result, rejection},
    refusal::{Refused, refused},
};
use crate::{
    engine::{self, Fields, Impact, RawAction, RawCommand, Verdict},
    pb,
};

/// An encoded message whose form was not looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Encoded(pub Bytes);

/// A command as it was sent. Borrows from the request.
#[derive(Clone, Copy, Debug)]
pub struct Sent<'a> {
    /// The command itself, unchecked.
    pub command: RawCommand<'a>,
    /// Milliseconds from the call's arrival; 0 is the call's own deadline.
    pub budget_ms: u32,
}

/// The commands of a request that holds them in its field 1.
pub enum Commands<'a> {
    /// Read where they lie.
    InPlace(Vec<Sent<'a>>),
    /// What is unusual is read by prost: fields that this schema does not know, or one twice.
    Copied(Vec<pb::Command>),
}

impl<'a> Commands<'a> {
    /// Those of an `ApplyBatchRequest`.
    ///
    /// # Errors
    /// It is none: then none of its commands may be applied.
    pub fn of_batch(request: &'a Encoded) -> Result<Self, DecodeError> {
        match in_place(&request.0) {
            Some(sent) => Ok(Self::InPlace(sent)),
            None => pb::ApplyBatchRequest::decode(&*request.0).map(|it| Self::Copied(it.commands)),
        }
    }

    /// That of an `ApplyRequest`: exactly one. One that is absent is one without a single field.
    ///
    /// # Errors
    /// It is no `ApplyRequest`.
    pub fn of_one(request: &'a Encoded) -> Result<Self, DecodeError> {
        match in_place(&request.0) {
            Some(sent) if sent.len() == 1 => Ok(Self::InPlace(sent)),
            Some(_) | None => pb::ApplyRequest::decode(&*request.0)
                .map(|it| Self::Copied(vec![it.command.unwrap_or_default()])),
        }
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::InPlace(sent) => sent.len(),
            Self::Copied(commands) => commands.len(),
        }
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// One after the other, in their order.
    pub fn iter(&self) -> impl Iterator<Item = Sent<'_>> {
        let (in_place, copied) = match self {
            Self::InPlace(sent) => (&sent[..], &[][..]),
            Self::Copied(commands) => (&[][..], &commands[..]),
        };
        let copied = copied.iter().map(|command| Sent {
            command: raw_command(command),
            budget_ms: command.budget_ms,
        });
        in_place.iter().copied().chain(copied)
    }
}

/// Keys of fields: the number in the schema, and the wire type.
mod key {
    pub(super) const COMMANDS: u64 = 1 << 3 | 2;

    pub(super) const HUNT_ID: u64 = 1 << 3 | 2;
    pub(super) const PLAYER_ID: u64 = 2 << 3 | 1;
    pub(super) const REQUEST_ID: u64 = 3 << 3 | 1;
    pub(super) const EXPECTED_VERSION: u64 = 4 << 3;
    pub(super) const BUDGET_MS: u64 = 5 << 3;
    pub(super) const EPOCH: u64 = 6 << 3;
    pub(super) const JOIN: u64 = 10 << 3 | 2;
    pub(super) const LEAVE: u64 = 11 << 3 | 2;
    pub(super) const MOVE: u64 = 12 << 3 | 2;
    pub(super) const DIG: u64 = 13 << 3 | 2;
    pub(super) const PICK_UP: u64 = 14 << 3 | 2;
    pub(super) const USE_POWER_UP: u64 = 15 << 3 | 2;

    pub(super) const MOVE_X: u64 = 1 << 3;
    pub(super) const MOVE_Y: u64 = 2 << 3;
    pub(super) const POWER_UP: u64 = 1 << 3 | 2;
    pub(super) const TARGET: u64 = 2 << 3 | 1;
}

/// The schema's bound.
const BATCH_COMMANDS_MAX: usize = 1024;

/// The commands, or `None` for whatever is not plainly a list of commands.
fn in_place(mut request: &[u8]) -> Option<Vec<Sent<'_>>> {
    let whole = request.len();
    let mut all = Vec::new();
    while !request.is_empty() {
        if decode_varint(&mut request).ok()? != key::COMMANDS {
            return None;
        }
        all.push(command(sized(&mut request)?)?);
        if all.len() == 1 {
            // The others are about as long; where they are not, the list grows.
            let others = request.len().div_ceil(whole - request.len());
            all.reserve(others.min(BATCH_COMMANDS_MAX));
        }
    }
    Some(all)
}

fn command(mut fields: &[u8]) -> Option<Sent<'_>> {
    let mut sent = Sent {
        command: RawCommand {
            hunt_id: "",
            player_id: 0,
            request_id: 0,
            expected_version: 0,
            epoch: 0,
            action: None,
        },
        budget_ms: 0,
    };
    let command = &mut sent.command;
    // The last of a number counts.
    while !fields.is_empty() {
        let field = decode_varint(&mut fields).ok()?;
        match field {
            key::HUNT_ID => command.hunt_id = text(&mut fields)?,
            key::PLAYER_ID => command.player_id = fields.try_get_u64_le().ok()?,
            key::REQUEST_ID => command.request_id = fields.try_get_u64_le().ok()?,
            key::EXPECTED_VERSION => command.expected_version = number(&mut fields)?,
            key::BUDGET_MS => sent.budget_ms = number(&mut fields)?,
            key::EPOCH => command.epoch = decode_varint(&mut fields).ok()?,
            // Two actions are merged if they are of one kind: prost knows how.
            _ if command.action.is_some() => return None,
            _ => command.action = Some(action(field, sized(&mut fields)?)?),
        }
    }
    Some(sent)
}

fn action(field: u64, mut fields: &[u8]) -> Option<RawAction<'_>> {
    let without_fields = |action| fields.is_empty().then_some(action);
    match field {
        key::JOIN => without_fields(RawAction::Join),
        key::LEAVE => without_fields(RawAction::Leave),
        key::DIG => without_fields(RawAction::Dig),
        key::PICK_UP => without_fields(RawAction::PickUp),
        key::MOVE => {
            let (mut x, mut y) = (0, 0);
            while !fields.is_empty() {
                match decode_varint(&mut fields).ok()? {
                    key::MOVE_X => x = number(&mut fields)?,
                    key::MOVE_Y => y = number(&mut fields)?,
                    _ => return None,
                }
            }
            Some(RawAction::Move { x, y })
        }
        key::USE_POWER_UP => {
            let (mut power_up, mut target) = ("", 0);
            while !fields.is_empty() {
                match decode_varint(&mut fields).ok()? {
                    key::POWER_UP => power_up = text(&mut fields)?,
                    key::TARGET => target = fields.try_get_u64_le().ok()?,
                    _ => return None,
                }
            }
            Some(RawAction::UsePowerUp { power_up, target })
        }
        _ => None,
    }
}

/// A `uint32`: what is longer loses its upper bits, as with prost.
fn number(fields: &mut &[u8]) -> Option<u32> {
    decode_varint(fields).ok().map(|number| number as u32)
}

fn text<'a>(fields: &mut &'a [u8]) -> Option<&'a str> {
    std::str::from_utf8(sized(fields)?).ok()
}

fn sized<'a>(fields: &mut &'a [u8]) -> Option<&'a [u8]> {
    let len = usize::try_from(decode_varint(fields).ok()?).ok()?;
    fields.split_off(..len)
}

/// Appends the command as a record keeps it: without what only concerned its call. It must have passed its check.
pub fn put_command(bytes: &mut Vec<u8>, command: &RawCommand<'_>) {
    let mut fields = Fields::of(bytes);
    fields.text(1, command.hunt_id);
    fields.fixed64(2, command.player_id);
    fields.fixed64(3, command.request_id);
    fields.number(4, command.expected_version.into());
    match command.action {
        None => {}
        Some(RawAction::Join) => fields.message(10, &[]),
        Some(RawAction::Leave) => fields.message(11, &[]),
        Some(RawAction::Move { x, y }) => {
            fields.nested(12, |step| {
                step.number(1, x.into());
                step.number(2, y.into());
            });
        }
        Some(RawAction::Dig) => fields.message(13, &[]),
        Some(RawAction::PickUp) => fields.message(14, &[]),
        Some(RawAction::UsePowerUp { power_up, target }) => {
            fields.nested(15, |usage| {
                usage.text(1, power_up);
                usage.fixed64(2, target);
            });
        }
    }
}

/// Appends the answer to the command `request_id`.
pub fn put_outcome(bytes: &mut Vec<u8>, request_id: u64, outcome: &engine::Outcome) {
    let (verdict, rejection, epoch, sequence) = match outcome.verdict {
        Verdict::Applied { epoch, sequence } => (pb::Verdict::Applied, 0, epoch, sequence),
        Verdict::Duplicate { sequence } => (pb::Verdict::Duplicate, 0, 0, sequence),
        Verdict::Rejected(why) => (pb::Verdict::Rejected, rejection(why) as u64, 0, 0),
        Verdict::Expired => (pb::Verdict::Expired, 0, 0, 0),
        Verdict::Refused(why) => {
            let refused = refused(request_id, &Refused::Engine(why)).encode_to_vec();
            return bytes.extend_from_slice(&refused);
        }
    };
    let mut fields = Fields::of(bytes);
    fields.fixed64(1, request_id);
    fields.number(2, verdict as u64);
    fields.number(3, rejection);
    fields.number(5, epoch);
    fields.number(6, sequence);
    if let Some(player) = outcome.player {
        fields.nested(7, |summary| {
            summary.number(1, player.x.into());
            summary.number(2, player.y.into());
            summary.number(3, player.score);
            summary.number(4, player.version.into());
        });
    }
    for impact in &outcome.impacts {
        fields.nested(8, |fields| put_impact(fields, impact));
    }
    for treasure in &outcome.treasures {
        fields.nested(9, |fields| {
            fields.number(1, treasure.x.into());
            fields.number(2, treasure.y.into());
            fields.number(3, treasure.value.into());
        });
    }
    fields.text(10, outcome.picked_up.as_deref().unwrap_or_default());
}

fn put_impact(fields: &mut Fields<'_>, impact: &Impact) {
    fields.fixed64(1, impact.player.get());
    fields.number(2, effect_kind(impact.effect) as u64);
    fields.number(3, impact_result(impact.result) as u64);
    let zigzag = impact.score_change << 1 ^ impact.score_change >> 63;
    fields.number(4, zigzag as u64);
    fields.number(5, impact.x.into());
    fields.number(6, impact.y.into());
    fields.number(7, impact.magnitude.into());
    fields.number(8, impact.until_ms.into());
}

/// What the record of an applied command holds.
#[derive(Clone, Copy, Debug)]
pub struct AppliedRecord<'a> {
    /// The hunt.
    pub hunt_id: &'a str,
    /// Its owner's epoch.
    pub epoch: u64,
    /// Its place in the hunt's order.
    pub sequence: u64,
    /// Unix milliseconds.
    pub at_ms: i64,
    /// As [`put_command`] wrote it.
    pub command: &'a [u8],
    /// As [`put_outcome`] wrote it.
    pub outcome: &'a [u8],
    /// Of the state after it; 0 is none.
    pub digest: u64,
}

impl AppliedRecord<'_> {
    /// Appends the record.
    pub fn put(&self, bytes: &mut Vec<u8>) {
        let applied =
            Fields::message_len(self.command.len()) + Fields::message_len(self.outcome.len());
        let mut fields = Fields::of(bytes);
        fields.text(1, self.hunt_id);
        fields.number(2, self.epoch);
        fields.number(3, self.sequence);
        fields.signed(4, self.at_ms);
        fields.head(6, applied);
        fields.message(1, self.command);
        fields.message(2, self.outcome);
        fields.fixed64(9, self.digest);
    }
}
