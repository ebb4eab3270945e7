//! One hunt, played from records: by a replay of a file, and by recovery from the journal.

use std::{collections::HashMap, sync::Arc};

use crate::{
    engine::{
        self, ActivateError, Field, Hunt, HuntId, Outcome, RULES_VERSION, Ruleset, RulesetError,
        Settings, SettingsError, StampFell,
    },
    pb::{self, Applied, Command, HuntCreated, OwnerChanged, Record, record::Change},
    wire::{self, Refused},
};

/// Why a record cannot be played.
#[derive(Debug, thiserror::Error)]
pub enum PlayError {
    /// The first record is another.
    #[error("the file has to begin with a created record")]
    NotCreated,
    /// A later record is of no kind that comes later.
    #[error("only applied, ended and owner_changed records may follow the first")]
    NotPlayable,
    /// Rules that this engine does not know.
    #[error("created.rules_version: this engine plays rules version {RULES_VERSION}, not {0}")]
    RulesVersion(u32),
    /// The hunt's id is malformed.
    #[error("{}: must be 1..64 bytes of [A-Za-z0-9._:-]", _0.name())]
    HuntId(Field),
    /// There are no settings.
    #[error("created.settings: are missing")]
    NoSettings,
    /// A setting is out of its bounds.
    #[error("created.{0}")]
    Settings(#[from] SettingsError),
    /// The ruleset is none.
    #[error(transparent)]
    Ruleset(#[from] RulesetError),
    /// The ruleset is another one.
    #[error("created.ruleset_hash: is {given}, and the ruleset's is {real}")]
    RulesetHash {
        /// What the record says.
        given: String,
        /// What the bytes come to.
        real: String,
    },
    /// The hunt's time falls.
    #[error(transparent)]
    Stamp(#[from] StampFell),
    /// An owner that cannot follow the last.
    #[error(transparent)]
    Owner(#[from] ActivateError),
    /// A second end.
    #[error("the hunt ended before; it ends once")]
    EndedBefore,
}

/// Rulesets by their hash, each parsed once for all hunts that began with it.
#[derive(Clone, Default)]
pub(crate) struct KnownRulesets(HashMap<String, Arc<Ruleset>>);

impl KnownRulesets {
    /// The ruleset of these bytes; it is in `file`, for errors.
    pub(crate) fn parse(
        &mut self,
        file: &str,
        hash: &str,
        bytes: &[u8],
    ) -> Result<Arc<Ruleset>, RulesetError> {
        if let Some(known) = self.0.get(hash)
            && known.bytes() == bytes
        {
            return Ok(Arc::clone(known));
        }
        let ruleset = Arc::new(Ruleset::parse(file, bytes)?);
        self.0
            .insert(ruleset.hash().to_owned(), Arc::clone(&ruleset));
        Ok(ruleset)
    }
}

/// The hunt, and what was applied to it.
pub(crate) struct Game {
    hunt: Hunt,
    digest_every: u64,
    applied: u64,
    scratch: Outcome,
}

impl Game {
    /// Begins with the first record, and answers it in full. Later records of applied commands carry the digest
    /// at every sequence that is a multiple of `digest_every`.
    pub(crate) fn open(
        first: Record,
        digest_every: u64,
        rulesets: &mut KnownRulesets,
    ) -> Result<(Self, Record), PlayError> {
        let Some(Change::Created(created)) = first.change else {
            return Err(PlayError::NotCreated);
        };
        if ![0, RULES_VERSION].contains(&created.rules_version) {
            return Err(PlayError::RulesVersion(created.rules_version));
        }
        let id = HuntId::parse(&first.hunt_id).map_err(PlayError::HuntId)?;
        let (settings, ruleset) = setup(created, rulesets)?;
        let mut hunt = Hunt::create(id, settings, ruleset, first.epoch, first.at_ms)?;
        let digest = hunt.digest();
        let record = wire::created_record(&hunt, digest);
        Ok((Self::go_on(hunt, digest_every), record))
    }

    /// Goes on from a hunt as it is.
    pub(crate) fn go_on(hunt: Hunt, digest_every: u64) -> Self {
        Self {
            hunt,
            digest_every,
            applied: 0,
            scratch: Outcome::default(),
        }
    }

    /// Goes on by one record, and answers it as it was given, with what became of it.
    pub(crate) fn play(&mut self, given: Record) -> Result<Record, PlayError> {
        match given.change {
            Some(Change::Applied(Applied { command, .. })) => {
                self.command(given.hunt_id, given.at_ms, command)
            }
            Some(Change::Ended(_)) => self.end(given.at_ms),
            Some(Change::OwnerChanged(owner)) => self.change_owner(given.epoch, given.at_ms, owner),
            Some(Change::Created(_)) | None => Err(PlayError::NotPlayable),
        }
    }

    /// The hunt as it stands.
    pub(crate) fn hunt(&self) -> &Hunt {
        &self.hunt
    }

    pub(crate) fn into_hunt(self) -> Hunt {
        self.hunt
    }

    /// The digest of the hunt as it stands.
    pub(crate) fn digest(&mut self) -> u64 {
        self.hunt.digest()
    }

    /// How many commands were applied.
    pub(crate) fn applied(&self) -> u64 {
        self.applied
    }

    fn command(
        &mut self,
        hunt_id: String,
        at_ms: i64,
        command: Option<Command>,
    ) -> Result<Record, PlayError> {
        let last_at_ms = self.hunt.last_at_ms();
        if at_ms < last_at_ms {
            return Err(StampFell { at_ms, last_at_ms }.into());
        }
        // One that is absent is one of defaults: malformed, with that for an outcome.
        let given = command.is_some();
        let command = command.unwrap_or_default();
        let outcome = self.apply(at_ms, &command)?;
        if outcome.verdict() == pb::Verdict::Applied {
            self.applied += 1;
            let digest = self.rhythm_digest();
            return Ok(wire::applied_record(command, outcome, at_ms, digest));
        }
        // It has no place in the hunt's order.
        let applied = Applied {
            command: given.then_some(command),
            outcome: Some(outcome),
        };
        Ok(Record {
            hunt_id,
            at_ms,
            change: Some(Change::Applied(applied)),
            ..Record::default()
        })
    }

    /// As an engine does that has this hunt alone, and whose callers never run out of budget.
    fn apply(&mut self, at_ms: i64, command: &Command) -> Result<pb::Outcome, PlayError> {
        let request_id = command.request_id;
        let refused = |why| Ok(wire::refused(request_id, &Refused::Engine(why)));
        let checked = match wire::raw_command(command).check() {
            Ok(checked) => checked,
            Err(field) => return refused(engine::Refusal::Invalid(field)),
        };
        if checked.hunt_id() != self.hunt.id().as_str() {
            return refused(engine::Refusal::UnknownHunt);
        }
        // The file alone says when the end is recorded: a command that comes after the hunt's time is
        // answered so, and the hunt stays as it is.
        let open = self.is_due(at_ms).then(|| self.hunt.clone());
        let ended = self.hunt.apply(at_ms, &checked, &mut self.scratch)?;
        if let (Some(_), Some(open)) = (ended, open) {
            self.hunt = open;
        }
        Ok(wire::outcome(request_id, &self.scratch))
    }

    /// Whether the hunt's time is over at `at_ms`, and its end is not recorded.
    fn is_due(&self, at_ms: i64) -> bool {
        let since_start_ms = at_ms.saturating_sub(self.hunt.starts_at_ms());
        let duration_ms = self.hunt.settings().duration_ms;
        !self.hunt.has_ended() && u64::try_from(since_start_ms).is_ok_and(|ms| ms >= duration_ms)
    }

    fn end(&mut self, at_ms: i64) -> Result<Record, PlayError> {
        let ended = self.hunt.end(at_ms)?.ok_or(PlayError::EndedBefore)?;
        Ok(wire::ended_record(self.hunt.id(), &ended))
    }

    fn change_owner(
        &mut self,
        epoch: u64,
        at_ms: i64,
        to: OwnerChanged,
    ) -> Result<Record, PlayError> {
        let changed = self.hunt.activate(epoch, at_ms)?;
        let id = self.hunt.id();
        Ok(wire::owner_changed_record(id, changed, to.owner, to.missed))
    }

    fn rhythm_digest(&mut self) -> u64 {
        if self.hunt.sequence().is_multiple_of(self.digest_every) {
            self.hunt.digest()
        } else {
            0
        }
    }
}

fn setup(
    created: HuntCreated,
    rulesets: &mut KnownRulesets,
) -> Result<(Settings, Arc<Ruleset>), PlayError> {
    let settings = wire::settings(created.settings.ok_or(PlayError::NoSettings)?);
    let given = created.ruleset_hash;
    let ruleset = rulesets.parse("created.ruleset", &given, &created.ruleset)?;
    if !["", ruleset.hash()].contains(&given.as_str()) {
        let real = ruleset.hash().to_owned();
        return Err(PlayError::RulesetHash { given, real });
    }
    Ok((settings, ruleset))
}
