//! A hunt: created once, changed by [`Hunt::apply`] and [`Hunt::end`] alone, each change one record.
//!
//! A hunt knows no clock: every change is handed the stamp of its record. What must stay true: the stamp of
//! a record is never under that of the one before; a command that was not applied changes nothing at all.

use std::{fmt, sync::Arc};

use super::{
    Command, Ended, HuntId, Outcome, OwnerChanged, Refusal, Rejection, Settings, SettingsError,
    Standing, Verdict, canonical, command::Action, player::Recall, players::Seat, ruleset::Ruleset,
    world::World,
};

/// A record of an applied command carries the digest when its sequence is a multiple of this.
pub const DIGEST_EVERY: u64 = 256;
/// Standings in the record of a hunt's end.
pub const STANDINGS_MAX: usize = 100;

/// One hunt. It is not shared: [`HuntLock`](super::HuntLock) is.
#[derive(Clone, Debug)]
pub struct Hunt {
    pub(super) head: Head,
    pub(super) world: World,
}

/// What a hunt is, but for its world.
#[derive(Clone, Debug)]
pub(super) struct Head {
    pub(super) id: HuntId,
    pub(super) settings: Settings,
    pub(super) ruleset: Arc<Ruleset>,
    pub(super) epoch: u64,
    pub(super) sequence: u64,
    pub(super) starts_at_ms: i64,
    pub(super) last_at_ms: i64,
    pub(super) ended: bool,
}

impl Hunt {
    /// Draws a new hunt: its record 1. `starts_at_ms` is in Unix milliseconds; `ruleset` is the one that
    /// `settings.ruleset` names.
    pub fn create(
        id: HuntId,
        settings: Settings,
        ruleset: Arc<Ruleset>,
        epoch: u64,
        starts_at_ms: i64,
    ) -> Result<Self, SettingsError> {
        settings.check()?;
        let world = World::draw(&settings, &ruleset);
        let head = Head {
            id,
            settings,
            ruleset,
            epoch,
            sequence: 1,
            starts_at_ms,
            last_at_ms: starts_at_ms,
            ended: false,
        };
        Ok(Self { head, world })
    }

    /// Takes one command to its `outcome`, at the stamp of its record, in Unix milliseconds.
    ///
    /// Where the hunt's time is over and nobody has ended it yet, it ends now: the record of that comes
    /// back, to be journaled before the outcome is answered. So a call makes one record at most: the end's,
    /// or that of an applied command.
    ///
    /// The form of the command was checked when it was made. That the command is for this hunt, and still
    /// within its budget, is for the caller to see to.
    ///
    /// # Errors
    /// A stamp under that of the last record, which changes nothing.
    #[must_use = "an end is to be journaled, and a fallen stamp is to be told"]
    pub fn apply(
        &mut self,
        at_ms: i64,
        command: &Command<'_>,
        outcome: &mut Outcome,
    ) -> Result<Option<Ended>, StampFell> {
        self.check_stamp(at_ms)?;
        Ok(self.apply_stamped(at_ms, command, outcome))
    }

    /// [`apply`](Self::apply) at a stamp that is known not to fall.
    pub(super) fn apply_stamped(
        &mut self,
        at_ms: i64,
        command: &Command<'_>,
        outcome: &mut Outcome,
    ) -> Option<Ended> {
        outcome.reset();
        if !self.is_current(command) {
            let current = self.head.epoch;
            outcome.verdict = Verdict::Refused(Refusal::StaleEpoch { current });
            return None;
        }
        let ended = self.end_if_due(at_ms);
        let seat = self.world.players.find(command.player);
        let recall = seat.map_or(Recall::New, |seat| {
            self.world.players.recall(seat, command.request)
        });
        let (verdict, seat) = match recall {
            Recall::AppliedAt { sequence } => (Verdict::Duplicate { sequence }, seat),
            Recall::TooOld => (Verdict::Refused(Refusal::RequestTooOld), None),
            Recall::New => match self.play(at_ms, seat, command, outcome) {
                Ok(seat) => (self.commit(at_ms, seat, command), Some(seat)),
                Err(rejection) => (Verdict::Rejected(rejection), seat),
            },
        };
        outcome.verdict = verdict;
        outcome.player = seat.map(|seat| self.world.players.summary(seat));
        ended
    }

    /// Whether the command is one of the owner's epoch, or does not care.
    fn is_current(&self, command: &Command<'_>) -> bool {
        command.epoch == 0 || command.epoch == self.head.epoch
    }

    /// Whether the command would make a player known who is not yet.
    pub(super) fn is_newcomer(&self, command: &Command<'_>) -> bool {
        matches!(command.action, Action::Join)
            && self.is_current(command)
            && self.world.players.find(command.player).is_none()
    }

    fn play(
        &mut self,
        at_ms: i64,
        seat: Option<Seat>,
        command: &Command<'_>,
        outcome: &mut Outcome,
    ) -> Result<Seat, Rejection> {
        if self.head.ended {
            return Err(Rejection::HuntEnded);
        }
        match command.action {
            Action::Join => {
                self.check_version(seat, command)?;
                self.world.join(command.player, seat)
            }
            Action::Act(act) => {
                let is_present = |seat: &Seat| self.world.players.record(*seat).is_present();
                let seat = seat.filter(is_present).ok_or(Rejection::NotJoined)?;
                self.check_version(Some(seat), command)?;
                let now_ms = self.head.now_ms(at_ms);
                self.world
                    .act(&self.head.ruleset, now_ms, seat, act, outcome)?;
                Ok(seat)
            }
        }
    }

    fn check_version(&self, seat: Option<Seat>, command: &Command<'_>) -> Result<(), Rejection> {
        let version = seat.map_or(0, |seat| self.world.players.record(seat).version);
        let is_expected = command.expected_version == 0 || command.expected_version == version;
        if is_expected && version != u32::MAX {
            Ok(())
        } else {
            Err(Rejection::VersionMismatch)
        }
    }

    fn commit(&mut self, at_ms: i64, seat: Seat, command: &Command<'_>) -> Verdict {
        let sequence = self.advance(at_ms);
        self.world.players.commit(seat, command.request, sequence);
        Verdict::Applied {
            epoch: self.head.epoch,
            sequence,
        }
    }

    /// Ends the hunt; at its time, if that has passed. `None` if it has ended already.
    ///
    /// # Errors
    /// A stamp under that of the last record, which changes nothing.
    #[must_use = "an end is to be journaled, and a fallen stamp is to be told"]
    pub fn end(&mut self, at_ms: i64) -> Result<Option<Ended>, StampFell> {
        self.check_stamp(at_ms)?;
        Ok(self.end_stamped(at_ms))
    }

    /// [`end`](Self::end) at a stamp that is known not to fall.
    pub(super) fn end_stamped(&mut self, at_ms: i64) -> Option<Ended> {
        if self.head.ended {
            return None;
        }
        self.head.ended = true;
        let at_ms = at_ms.min(self.head.full_time_ms());
        let sequence = self.advance(at_ms);
        Some(Ended {
            epoch: self.head.epoch,
            sequence,
            at_ms,
            digest: self.digest(),
            standings: self.standings(STANDINGS_MAX),
            players: self.ever_joined(),
        })
    }

    pub(super) fn end_if_due(&mut self, at_ms: i64) -> Option<Ended> {
        if at_ms < self.head.full_time_ms() {
            None
        } else {
            self.end_stamped(at_ms)
        }
    }

    /// Passes the hunt to an owner at a higher epoch: a record of its own, the first of that epoch.
    ///
    /// A hunt's time ends with the hunt, so the record's stamp is never past its full time, nor past its
    /// end: what was not ended in time can still be, at its full time, and an end stays when it was.
    ///
    /// # Errors
    /// An epoch that is not above the hunt's, or a stamp under that of the last record. Nothing changes.
    pub fn activate(&mut self, epoch: u64, at_ms: i64) -> Result<OwnerChanged, ActivateError> {
        let current = self.head.epoch;
        if epoch <= current {
            return Err(ActivateError::Epoch {
                asked: epoch,
                current,
            });
        }
        self.check_stamp(at_ms).map_err(ActivateError::Stamp)?;
        let last_at_ms = self.head.last_at_ms;
        let time_ends_ms = if self.head.ended {
            last_at_ms
        } else {
            self.head.full_time_ms()
        };
        let at_ms = at_ms.min(time_ends_ms).max(last_at_ms);
        let sequence = self.advance(at_ms);
        self.head.epoch = epoch;
        Ok(OwnerChanged {
            epoch,
            sequence,
            at_ms,
            digest: self.digest(),
        })
    }

    fn advance(&mut self, at_ms: i64) -> u64 {
        self.head.sequence += 1;
        self.head.last_at_ms = at_ms;
        self.head.sequence
    }

    fn check_stamp(&self, at_ms: i64) -> Result<(), StampFell> {
        let last_at_ms = self.head.last_at_ms;
        if at_ms < last_at_ms {
            Err(StampFell { at_ms, last_at_ms })
        } else {
            Ok(())
        }
    }

    /// The digest of the state. Its cost is that of the players who changed since it was last asked for.
    pub fn digest(&mut self) -> u64 {
        let head = canonical::head_hash(&self.head, self.world.random.state());
        head.wrapping_add(self.world.hash_sum())
    }

    /// The digest for the record of the command just applied: that of every 256th sequence, else 0, which
    /// is to say none.
    pub fn applied_digest(&mut self) -> u64 {
        if self.head.sequence.is_multiple_of(DIGEST_EVERY) {
            self.digest()
        } else {
            0
        }
    }

    #[must_use]
    pub fn id(&self) -> &HuntId {
        &self.head.id
    }

    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.head.settings
    }

    /// The ruleset that the hunt began with.
    #[must_use]
    pub fn ruleset(&self) -> &Arc<Ruleset> {
        &self.head.ruleset
    }

    /// The owner's epoch.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.head.epoch
    }

    /// The sequence of the last record, from 1.
    #[must_use]
    pub fn sequence(&self) -> u64 {
        self.head.sequence
    }

    /// Unix milliseconds.
    #[must_use]
    pub fn starts_at_ms(&self) -> i64 {
        self.head.starts_at_ms
    }

    /// The stamp of the last record, in Unix milliseconds.
    #[must_use]
    pub fn last_at_ms(&self) -> i64 {
        self.head.last_at_ms
    }

    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.head.ended
    }

    /// How many players ever joined.
    #[must_use]
    pub fn ever_joined(&self) -> u32 {
        self.world.players.len()
    }

    /// The best `count` of all who ever joined: score descending, then player id ascending.
    #[must_use]
    pub fn standings(&self, count: usize) -> Vec<Standing> {
        self.world.players.standings(count)
    }
}

impl Head {
    /// When the hunt's time is over, in Unix milliseconds.
    pub(super) fn full_time_ms(&self) -> i64 {
        self.starts_at_ms
            .saturating_add_unsigned(self.settings.duration_ms)
    }

    /// Milliseconds since the start. Within a hunt's time they fit 31 bits; only views ask beyond it.
    pub(super) fn now_ms(&self, at_ms: i64) -> u32 {
        let since = at_ms.saturating_sub(self.starts_at_ms);
        u32::try_from(since.max(0)).unwrap_or(u32::MAX)
    }
}

/// A stamp under that of the last record: a hunt's time never falls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StampFell {
    pub at_ms: i64,
    pub last_at_ms: i64,
}

impl fmt::Display for StampFell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { at_ms, last_at_ms } = self;
        write!(
            f,
            "at_ms is {at_ms}, under {last_at_ms} of the record before; a hunt's time never falls"
        )
    }
}

impl std::error::Error for StampFell {}

/// Why a hunt does not change hands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ActivateError {
    /// Epochs only rise.
    Epoch {
        asked: u64,
        current: u64,
    },
    Stamp(StampFell),
}

impl fmt::Display for ActivateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Epoch { asked, current } => {
                write!(
                    f,
                    "epoch {asked} is not above {current}, which the hunt has"
                )
            }
            Self::Stamp(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for ActivateError {}
