//! Commands: from what came in to outcome and record.
//!
//! Synchronous from end to end. A call that is cancelled is cancelled before it or after it, and so
//! loses its answer at most.

use std::time::Instant;

use super::{CallTime, Panicked, Shard};
use crate::{
    engine::{self, Ended, HuntGuard, NotServed, Verdict},
    journal::{APPLIED_BYTES_MAX, NoRoom, Room},
    pb,
    wire::{self, Refused},
};

/// Why a command went no further. Nothing of it was journaled.
enum Stop {
    Refused(Refused),
    Expired,
    Panicked,
}

impl Shard {
    /// Takes one command to its outcome.
    pub fn apply(&self, time: CallTime, command: pb::Command) -> Result<pb::Outcome, Panicked> {
        self.apply_with(time, command, &mut engine::Outcome::default())
    }

    /// Takes commands to their outcomes, in order. When the outcomes fill an answer, the rest is
    /// refused unapplied.
    pub fn apply_all(&self, time: CallTime, commands: Vec<pb::Command>) -> Vec<pb::Outcome> {
        let mut scratch = engine::Outcome::default();
        let mut outcomes = Vec::with_capacity(commands.len());
        let mut bytes = 0;
        for command in commands {
            let request_id = command.request_id;
            let outcome = if bytes >= self.limits.batch_outcome_bytes_max {
                self.batch_full(request_id)
            } else {
                self.apply_with(time, command, &mut scratch)
                    .unwrap_or_else(|Panicked| quarantined(request_id))
            };
            bytes += framed_bytes(&outcome);
            outcomes.push(outcome);
        }
        outcomes
    }

    /// Waits until what the outcomes tell is kept; where that is not known in time, they say so
    /// instead. Then counts them.
    pub async fn settle(&self, time: CallTime, outcomes: &mut [pb::Outcome]) {
        if !self.kept(time.wait_until()).await {
            outcomes.iter_mut().for_each(not_kept);
        }
        self.counters.add(outcomes);
    }

    fn apply_with(
        &self,
        time: CallTime,
        command: pb::Command,
        scratch: &mut engine::Outcome,
    ) -> Result<pb::Outcome, Panicked> {
        let request_id = command.request_id;
        match self.try_apply(time, command, scratch) {
            Ok(outcome) => Ok(outcome),
            Err(Stop::Refused(why)) => Ok(wire::refused(request_id, &why)),
            Err(Stop::Expired) => Ok(wire::bare_outcome(request_id, pb::Verdict::Expired)),
            Err(Stop::Panicked) => Err(Panicked),
        }
    }

    fn try_apply(
        &self,
        time: CallTime,
        command: pb::Command,
        scratch: &mut engine::Outcome,
    ) -> Result<pb::Outcome, Stop> {
        let checked = wire::raw_command(&command)
            .check()
            .map_err(engine::Refusal::Invalid)?;
        let instant = Instant::now();
        if time.is_over(instant, command.budget_ms) {
            return Err(Stop::Expired);
        }
        let now = self.clock.at(instant);
        let found = self.hunts.get(checked.hunt_id());
        let found = found.ok_or(engine::Refusal::UnknownHunt)?;
        let room = self.journal.reserve(APPLIED_BYTES_MAX)?;
        let hunt = found.lock()?;
        let (hunt, (ended, digest)) = self.guarded(hunt, |hunt| {
            let ended = hunt.apply(now, &checked, scratch);
            // A panic here leaves a change that no record tells of.
            fail::fail_point!("apply");
            (ended, applied_digest(hunt, scratch))
        })?;
        let outcome = wire::outcome(command.request_id, scratch);
        self.journal_command(room, &hunt, ended.as_ref(), digest, command, &outcome);
        Ok(outcome)
    }

    /// Writes down what a command changed: itself, or that it came after the hunt's time, or nothing.
    fn journal_command(
        &self,
        room: Room,
        hunt: &HuntGuard<'_>,
        ended: Option<&Ended>,
        digest: u64,
        command: pb::Command,
        outcome: &pb::Outcome,
    ) {
        if let Some(ended) = ended {
            self.append_end(room, hunt, ended);
        } else if outcome.verdict() == pb::Verdict::Applied {
            let is_move = wire::is_move(&command);
            let at_ms = hunt.last_at_ms();
            let record = wire::applied_record(command, outcome.clone(), at_ms, digest);
            self.append(room, hunt, &record, is_move);
        }
    }

    fn batch_full(&self, request_id: u64) -> pb::Outcome {
        let outcome_bytes_max = self.limits.batch_outcome_bytes_max;
        wire::refused(request_id, &Refused::BatchFull { outcome_bytes_max })
    }
}

fn applied_digest(hunt: &mut HuntGuard<'_>, outcome: &engine::Outcome) -> u64 {
    match outcome.verdict {
        Verdict::Applied { .. } => hunt.applied_digest(),
        Verdict::Duplicate { .. }
        | Verdict::Rejected(_)
        | Verdict::Refused(_)
        | Verdict::Expired => 0,
    }
}

fn quarantined(request_id: u64) -> pb::Outcome {
    wire::refused(request_id, &Refused::Engine(engine::Refusal::Quarantined))
}

/// What is true of a command whose answer rests on something that may not be kept: one that was
/// applied, now or before, is unknown; one that was not has simply run out of time.
fn not_kept(outcome: &mut pb::Outcome) {
    let verdict = match outcome.verdict() {
        pb::Verdict::Applied | pb::Verdict::Duplicate => pb::Verdict::Unknown,
        pb::Verdict::Rejected => pb::Verdict::Expired,
        pb::Verdict::Unspecified
        | pb::Verdict::Refused
        | pb::Verdict::Expired
        | pb::Verdict::Unknown => return,
    };
    *outcome = wire::bare_outcome(outcome.request_id, verdict);
}

/// What an outcome takes in an answer, with its tag and length.
fn framed_bytes(outcome: &pb::Outcome) -> usize {
    let bytes = prost::Message::encoded_len(outcome);
    1 + prost::length_delimiter_len(bytes) + bytes
}

impl From<Refused> for Stop {
    fn from(why: Refused) -> Self {
        Self::Refused(why)
    }
}

impl From<engine::Refusal> for Stop {
    fn from(why: engine::Refusal) -> Self {
        Self::Refused(Refused::Engine(why))
    }
}

impl From<NoRoom> for Stop {
    fn from(why: NoRoom) -> Self {
        Self::Refused(Refused::NoRoom(why))
    }
}

impl From<NotServed> for Stop {
    fn from(why: NotServed) -> Self {
        Self::from(match why {
            NotServed::Quarantined => engine::Refusal::Quarantined,
            NotServed::NotActive { epoch } => engine::Refusal::NotActive { epoch },
        })
    }
}

impl From<Panicked> for Stop {
    fn from(Panicked: Panicked) -> Self {
        Self::Panicked
    }
}
