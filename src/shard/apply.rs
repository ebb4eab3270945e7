//! Commands: from what came in to outcome and record.
//!
//! Synchronous from end to end. A call that is cancelled is cancelled before it or after it, and so
//! loses its answer at most.

use std::{cell::RefCell, time::Instant};

use prost::Message as _;

use super::{CallTime, Panicked, Shard, tally::Tally};
use crate::{
    engine::{self, Fields, HuntGuard, NotServed, Now, Verdict},
    journal::{APPLIED_BYTES_MAX, EntryRef, NoRoom, Room},
    pb,
    wire::{self, AppliedRecord, Commands, Encoded, Refused, Sent},
};

/// What an outcome takes in an answer, as a rule: more only costs a longer list.
const OUTCOME_BYTES: usize = 48;

/// Why a command went no further. Nothing of it was journaled.
enum Stop {
    Refused(Refused),
    Expired,
    Panicked,
}

/// What the commands of a call came to.
#[must_use = "answers leave when what they tell is kept: settle them"]
pub struct Answers {
    /// A message that has the outcomes in its field 1: the answer to a batch, and of one outcome that to one command.
    bytes: Vec<u8>,
    tally: Tally,
}

/// What a thread uses again for every command, so that nothing is allocated for one.
#[derive(Default)]
struct Work {
    outcome: engine::Outcome,
    /// The command and the record, encoded.
    command: Vec<u8>,
    record: Vec<u8>,
}

thread_local! {
    static WORK: RefCell<Work> = RefCell::default();
}

impl Shard {
    /// Takes the command of a call to its outcome.
    pub fn apply(&self, time: CallTime, commands: &Commands<'_>) -> Result<Answers, Panicked> {
        let mut answers = Answers::with_room(commands.len());
        WORK.with_borrow_mut(|work| {
            let mut all = commands.iter().zip(self.clock.read().times());
            all.try_for_each(|(sent, at)| self.apply_with(time, at, &sent, work, &mut answers))
        })?;
        Ok(answers)
    }

    /// Takes commands to their outcomes, in order. When the outcomes fill an answer, the rest is
    /// refused unapplied.
    pub fn apply_all(&self, time: CallTime, commands: &Commands<'_>) -> Answers {
        let mut answers = Answers::with_room(commands.len());
        let outcome_bytes_max = self.limits.batch_outcome_bytes_max;
        WORK.with_borrow_mut(|work| {
            for (sent, at) in commands.iter().zip(self.clock.read().times()) {
                let request_id = sent.command.request_id;
                if answers.bytes.len() >= outcome_bytes_max {
                    answers.refuse(request_id, &Refused::BatchFull { outcome_bytes_max });
                } else if self
                    .apply_with(time, at, &sent, work, &mut answers)
                    .is_err()
                {
                    let quarantined = Refused::Engine(engine::Refusal::Quarantined);
                    answers.refuse(request_id, &quarantined);
                }
            }
        });
        answers
    }

    /// Waits until what the answers tell is kept; where that is not known in time, they say so
    /// instead. Then counts them.
    pub async fn settle(&self, time: CallTime, mut answers: Answers) -> Encoded {
        if !self.kept(time.wait_until()).await {
            answers.doubt();
        }
        self.counters.add(&answers.tally);
        Encoded(answers.bytes.into())
    }

    fn apply_with(
        &self,
        time: CallTime,
        at: (Instant, Now),
        sent: &Sent<'_>,
        work: &mut Work,
        answers: &mut Answers,
    ) -> Result<(), Panicked> {
        let request_id = sent.command.request_id;
        match self.try_apply(time, at, sent, work, answers) {
            Ok(()) => {}
            Err(Stop::Refused(why)) => answers.refuse(request_id, &why),
            Err(Stop::Expired) => {
                answers.put(&wire::bare_outcome(request_id, pb::Verdict::Expired));
            }
            Err(Stop::Panicked) => return Err(Panicked),
        }
        Ok(())
    }

    /// Puts the outcome to the answers, and answers why there is none.
    fn try_apply(
        &self,
        time: CallTime,
        (instant, now): (Instant, Now),
        sent: &Sent<'_>,
        work: &mut Work,
        answers: &mut Answers,
    ) -> Result<(), Stop> {
        let found = self.hunts.get(sent.command.hunt_id);
        let checked = match &found {
            Some(found) => sent.command.check_for(found.id()),
            None => sent.command.check(),
        };
        let checked = checked.map_err(engine::Refusal::Invalid)?;
        if time.is_over(instant, sent.budget_ms) {
            return Err(Stop::Expired);
        }
        let found = found.ok_or(engine::Refusal::UnknownHunt)?;
        let room = self.journal.reserve(APPLIED_BYTES_MAX)?;
        let hunt = found.lock()?;
        let outcome = &mut work.outcome;
        let (hunt, (ended, digest)) = self.guarded(found.id(), hunt, |hunt| {
            let ended = hunt.apply(now, &checked, outcome);
            // A panic here leaves a change that no record tells of.
            fail::fail_point!("apply");
            (ended, applied_digest(hunt, outcome))
        })?;
        let answer = match work.outcome.verdict {
            Verdict::Refused(why) => Err(why),
            Verdict::Applied { .. }
            | Verdict::Duplicate { .. }
            | Verdict::Rejected(_)
            | Verdict::Expired => Ok(answers.push(sent.command.request_id, &work.outcome)),
        };
        if let Some(ended) = ended {
            // Also where the command is refused: it may be the first that comes after the hunt's time.
            self.append_end(room, &hunt, &ended);
        } else {
            let answer = answer.unwrap_or_default();
            self.append_applied(room, &hunt, digest, sent, answer, work);
        }
        answer?;
        Ok(())
    }

    /// Writes a command down, if it was applied.
    fn append_applied(
        &self,
        room: Room,
        hunt: &HuntGuard<'_>,
        digest: u64,
        sent: &Sent<'_>,
        answer: &[u8],
        work: &mut Work,
    ) {
        if let Verdict::Applied { epoch, sequence } = work.outcome.verdict {
            work.command.clear();
            wire::put_command(&mut work.command, &sent.command);
            let record = AppliedRecord {
                hunt_id: hunt.id().as_str(),
                epoch,
                sequence,
                at_ms: hunt.last_at_ms(),
                command: &work.command,
                outcome: answer,
                digest,
            };
            work.record.clear();
            record.put(&mut work.record);
            let entry = EntryRef {
                hunt: hunt.id(),
                sequence,
                is_move: sent.command.is_move(),
                record: &work.record,
            };
            self.journal.append(room, entry);
        }
    }
}

impl Answers {
    fn with_room(outcomes: usize) -> Self {
        Self {
            bytes: Vec::with_capacity(outcomes * OUTCOME_BYTES),
            tally: Tally::default(),
        }
    }

    /// Puts an outcome in, and shows its bytes.
    fn push(&mut self, request_id: u64, outcome: &engine::Outcome) -> &[u8] {
        self.tally.count(verdict(outcome.verdict));
        let begin = Fields::of(&mut self.bytes).nested(1, |fields| {
            wire::put_outcome(fields.bytes(), request_id, outcome);
        });
        &self.bytes[begin..]
    }

    fn refuse(&mut self, request_id: u64, why: &Refused) {
        self.put(&wire::refused(request_id, why));
    }

    fn put(&mut self, outcome: &pb::Outcome) {
        Fields::of(&mut self.bytes).message(1, &outcome.encode_to_vec());
        self.tally.count_outcome(outcome);
    }

    /// Says of each outcome that it is not known to be kept.
    fn doubt(&mut self) {
        // It decodes: it was written here.
        let told = pb::ApplyBatchResponse::decode(&*self.bytes).unwrap_or_default();
        *self = Self::with_room(told.outcomes.len());
        for mut outcome in told.outcomes {
            not_kept(&mut outcome);
            self.put(&outcome);
        }
    }
}

fn verdict(verdict: Verdict) -> pb::Verdict {
    match verdict {
        Verdict::Applied { .. } => pb::Verdict::Applied,
        Verdict::Duplicate { .. } => pb::Verdict::Duplicate,
        Verdict::Rejected(_) => pb::Verdict::Rejected,
        Verdict::Refused(_) => pb::Verdict::Refused,
        Verdict::Expired => pb::Verdict::Expired,
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
