//! The one lock of a hunt, and what may be done under it.
//!
//! The lock is short and synchronous: its guards are not `Send`, so they cannot be held over an await. A panic
//! under it quarantines the hunt: nobody is answered from a state that may be half changed.
//!
//! What must stay true: commands, reads and ends want a [`HuntGuard`], and there is none of a hunt that is not
//! active here. Whoever moves, keeps or lists hunts takes them as they are, by a [`HeldGuard`].

use std::{fmt, ops::Deref, sync::Arc, thread};

use parking_lot::{MappedMutexGuard, Mutex, MutexGuard};

use super::room::Room;
use crate::engine::{
    ActivateError, Command, Ended, Hunt, HuntId, HuntView, Now, Outcome, OwnerChanged, PlayerId,
    PlayerView, Refusal, Verdict, clock::Clock,
};

/// A hunt that is shared. Safe for concurrent use.
pub struct HuntLock {
    id: HuntId,
    content: Mutex<Content>,
}

#[expect(
    clippy::large_enum_variant,
    reason = "every command goes through the one, and the other is hardly ever there"
)]
enum Content {
    Held(Held),
    /// Recovery could not rebuild it: there is nothing to answer from.
    Lost(LastSeen),
}

impl Content {
    fn in_service(&mut self) -> Option<&mut Held> {
        match self {
            Self::Held(held) if !held.quarantined => Some(held),
            Self::Held(_) | Self::Lost(_) => None,
        }
    }
}

struct Held {
    hunt: Hunt,
    state: State,
    /// It panicked: its state may be half changed.
    quarantined: bool,
    room: Arc<Room>,
}

/// What this engine is to a hunt. Only an owner has a clock for it.
#[derive(Clone, Copy, Debug)]
enum State {
    Active(Active),
    /// Rebuilt from the journal, and not claimed since.
    Recovered,
}

#[derive(Clone, Copy, Debug)]
struct Active {
    clock: Clock,
    /// The sequence of the epoch's first record.
    since: u64,
}

/// A hunt that is active here, while nobody else has it. Reads go through [`Hunt`]; what changes it is here,
/// stamped by the hunt's own clock.
///
/// A guard stays on its thread, so it cannot be held over an await of a future that moves:
/// ```compile_fail,E0277
/// fn moves(_: impl Send) {}
/// fn hold(lock: &player_state::engine::HuntLock) {
///     moves(lock.lock());
/// }
/// ```
pub struct HuntGuard<'a> {
    held: HeldGuard<'a>,
    clock: Clock,
}

/// A hunt in any state, while nobody else has it.
pub struct HeldGuard<'a> {
    held: MappedMutexGuard<'a, Held>,
    panicking_before: bool,
}

/// Why a hunt that is here answers nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotServed {
    /// It failed inside the engine. It is out of service until an operator has looked at it.
    Quarantined,
    /// It is not active here: recovered at `epoch`, and not claimed since.
    NotActive { epoch: u64 },
}

/// The hunt failed inside the engine. It is out of service until an operator has looked at it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quarantined;

/// Why a hunt is not activated. Nothing has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotActivated {
    Quarantined,
    /// It is active already, at another epoch.
    Active {
        epoch: u64,
    },
    /// It was recovered at this epoch, and the one that came is not above it.
    Epoch {
        epoch: u64,
    },
    /// It was recovered at this epoch, and is not at the sequence and digest that were asked for.
    Elsewhere {
        epoch: u64,
        sequence: u64,
        digest: u64,
    },
}

impl fmt::Display for NotActivated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Quarantined => NotServed::Quarantined.fmt(f),
            Self::Active { epoch } => write!(f, "it is active at epoch {epoch}"),
            Self::Epoch { epoch } => {
                write!(f, "it is at epoch {epoch}, and an owner needs a higher one")
            }
            Self::Elsewhere {
                epoch,
                sequence,
                digest,
            } => write!(
                f,
                "it is at epoch {epoch}, sequence {sequence}, digest {digest}"
            ),
        }
    }
}

impl std::error::Error for NotActivated {}

/// What an owner to be asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Activation {
    /// Of the new owner.
    pub epoch: u64,
    /// Where the hunt has to be, exactly: sequence and digest. `None` takes it as it is.
    pub at: Option<(u64, u64)>,
    /// The hunt's time goes on from here at least, in Unix milliseconds.
    pub not_before_ms: i64,
}

/// What an activation came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activated {
    /// It is active from now on; the record is to be journaled.
    Now(OwnerChanged),
    /// It was active at this epoch before, since this sequence.
    Before { since: u64 },
}

/// Where a hunt was seen last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LastSeen {
    pub epoch: u64,
    pub sequence: u64,
}

/// A hunt, as a list of all shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HuntStatus {
    pub state: HuntState,
    pub at: LastSeen,
    pub ended: bool,
    /// Players present; none where nobody knows.
    pub present: u32,
    /// If it was asked for, and the hunt is not in quarantine.
    pub digest: Option<u64>,
}

/// The states that a list of hunts names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HuntState {
    Active,
    Recovered,
    Quarantined,
}

impl HuntLock {
    /// A hunt that begins here: its clock starts now.
    pub(super) fn begun(hunt: Hunt, now: Now, room: Arc<Room>) -> Self {
        let active = Active {
            clock: Clock::start(now),
            since: hunt.sequence(),
        };
        Self::new(hunt, State::Active(active), room)
    }

    /// A hunt that began before this process did.
    pub(super) fn recovered(hunt: Hunt, room: Arc<Room>) -> Self {
        Self::new(hunt, State::Recovered, room)
    }

    /// A hunt of which nothing but its name could be recovered.
    pub(super) fn lost(id: HuntId, last: LastSeen) -> Self {
        let content = Mutex::new(Content::Lost(last));
        Self { id, content }
    }

    fn new(hunt: Hunt, state: State, room: Arc<Room>) -> Self {
        let id = hunt.id().clone();
        let held = Held {
            hunt,
            state,
            quarantined: false,
            room,
        };
        let content = Mutex::new(Content::Held(held));
        Self { id, content }
    }

    #[must_use]
    pub fn id(&self) -> &HuntId {
        &self.id
    }

    /// Waits for the hunt, to command it or to read from it. Everybody holds it for one call of the engine
    /// only, so that is short.
    pub fn lock(&self) -> Result<HuntGuard<'_>, NotServed> {
        self.hold()?.active()
    }

    /// Waits for the hunt in whatever state it is.
    pub fn hold(&self) -> Result<HeldGuard<'_>, Quarantined> {
        let held = MutexGuard::try_map(self.content.lock(), Content::in_service);
        let held = held.map_err(|_| Quarantined)?;
        Ok(HeldGuard {
            held,
            panicking_before: thread::panicking(),
        })
    }

    /// The hunt as a list shows it.
    #[must_use]
    pub fn status(&self, with_digest: bool) -> HuntStatus {
        let Ok(mut held) = self.hold() else {
            return self.quarantined_status();
        };
        HuntStatus {
            state: match held.held.state {
                State::Active(_) => HuntState::Active,
                State::Recovered => HuntState::Recovered,
            },
            at: LastSeen::of(&held),
            ended: held.has_ended(),
            present: held.present(),
            digest: with_digest.then(|| held.digest()),
        }
    }

    fn quarantined_status(&self) -> HuntStatus {
        let (at, ended) = match &*self.content.lock() {
            Content::Held(held) => (LastSeen::of(&held.hunt), held.hunt.has_ended()),
            Content::Lost(last) => (*last, false),
        };
        HuntStatus {
            state: HuntState::Quarantined,
            at,
            ended,
            present: 0,
            digest: None,
        }
    }
}

impl<'a> HeldGuard<'a> {
    /// Goes on with a hunt that is active.
    pub fn active(self) -> Result<HuntGuard<'a>, NotServed> {
        match self.held.state {
            State::Active(Active { clock, .. }) => Ok(HuntGuard { held: self, clock }),
            State::Recovered => Err(NotServed::NotActive {
                epoch: self.epoch(),
            }),
        }
    }

    /// Makes this engine the hunt's owner. Journal what comes back under this guard, before anything else of
    /// the hunt; asked again, it answers the same.
    pub fn activate(&mut self, now: Now, asked: Activation) -> Result<Activated, NotActivated> {
        let epoch = self.epoch();
        match self.held.state {
            State::Active(active) if epoch == asked.epoch => Ok(Activated::Before {
                since: active.since,
            }),
            State::Active(_) => Err(NotActivated::Active { epoch }),
            State::Recovered => self.take_over(now, asked).map(Activated::Now),
        }
    }

    fn take_over(&mut self, now: Now, asked: Activation) -> Result<OwnerChanged, NotActivated> {
        let (epoch, sequence, digest) = (self.epoch(), self.sequence(), self.digest());
        if asked.epoch <= epoch {
            return Err(NotActivated::Epoch { epoch });
        }
        if asked.at.is_some_and(|at| at != (sequence, digest)) {
            return Err(NotActivated::Elsewhere {
                epoch,
                sequence,
                digest,
            });
        }
        let least_ms = asked.not_before_ms.max(self.last_at_ms());
        let clock = Clock::start_from(now, least_ms);
        let changed = self.held.hunt.activate(asked.epoch, clock.at_ms(now));
        let changed = changed.map_err(|why| match why {
            // The clock was started so that the stamp does not fall.
            ActivateError::Epoch { .. } | ActivateError::Stamp(_) => NotActivated::Epoch { epoch },
        })?;
        let since = changed.sequence;
        self.held.state = State::Active(Active { clock, since });
        Ok(changed)
    }

    /// The hunt's time now, in Unix milliseconds; never under the stamp of its last record. That of a hunt
    /// without an owner here is the wall clock's.
    #[must_use]
    pub fn at_ms(&self, now: Now) -> i64 {
        let at_ms = match self.held.state {
            State::Active(Active { clock, .. }) => clock.at_ms(now),
            State::Recovered => now.wall_ms,
        };
        at_ms.max(self.last_at_ms())
    }

    /// See [`Hunt::digest`].
    pub fn digest(&mut self) -> u64 {
        self.held.hunt.digest()
    }
}

impl HuntGuard<'_> {
    /// Takes one command to its outcome, now. A command makes one record at most: that of the applied command
    /// (at [`last_at_ms`](Hunt::last_at_ms), with [`applied_digest`](Self::applied_digest)), or the end's,
    /// which comes back. Journal it under this guard, before the outcome is answered. See [`Hunt::apply`].
    ///
    /// A player who is new here is refused while the directory holds as many players as it may.
    #[must_use = "an end is to be journaled"]
    pub fn apply(
        &mut self,
        now: Now,
        command: &Command<'_>,
        outcome: &mut Outcome,
    ) -> Option<Ended> {
        let at_ms = self.at_ms(now);
        let Held { hunt, room, .. } = &mut *self.held.held;
        if !hunt.is_newcomer(command) {
            return hunt.apply_stamped(at_ms, command, outcome);
        }
        if !room.take_player() {
            let players_max = room.limits.players;
            *outcome = Outcome::bare(Verdict::Refused(Refusal::PlayersFull { players_max }));
            return None;
        }
        let ended = hunt.apply_stamped(at_ms, command, outcome);
        if hunt.is_newcomer(command) {
            room.return_player();
        }
        ended
    }

    /// Ends the hunt; `None` if it has ended already. See [`Hunt::end`].
    #[must_use = "an end is to be journaled"]
    pub fn end(&mut self, now: Now) -> Option<Ended> {
        let at_ms = self.at_ms(now);
        self.hunt().end_stamped(at_ms)
    }

    /// Ends the hunt if its time is over: what the owner's sweep calls, at least once a second.
    #[must_use = "an end is to be journaled"]
    pub fn end_if_due(&mut self, now: Now) -> Option<Ended> {
        let at_ms = self.at_ms(now);
        self.hunt().end_if_due(at_ms)
    }

    /// The hunt's time now, in Unix milliseconds; never under the stamp of its last record.
    #[must_use]
    pub fn at_ms(&self, now: Now) -> i64 {
        self.clock.at_ms(now).max(self.last_at_ms())
    }

    /// See [`Hunt::digest`].
    pub fn digest(&mut self) -> u64 {
        self.hunt().digest()
    }

    /// See [`Hunt::applied_digest`].
    pub fn applied_digest(&mut self) -> u64 {
        self.hunt().applied_digest()
    }

    /// See [`Hunt::view`].
    pub fn view(&mut self, top: usize) -> HuntView {
        self.hunt().view(top)
    }

    /// See [`Hunt::player_view`].
    #[must_use]
    pub fn player_view(&self, id: PlayerId, now: Now) -> Option<PlayerView> {
        self.held.player_view(id, self.at_ms(now))
    }

    fn hunt(&mut self) -> &mut Hunt {
        &mut self.held.held.hunt
    }
}

impl Deref for HuntGuard<'_> {
    type Target = Hunt;

    fn deref(&self) -> &Hunt {
        &self.held
    }
}

impl Deref for HeldGuard<'_> {
    type Target = Hunt;

    fn deref(&self) -> &Hunt {
        &self.held.hunt
    }
}

impl Drop for HeldGuard<'_> {
    fn drop(&mut self) {
        if thread::panicking() && !self.panicking_before {
            self.held.quarantined = true;
        }
    }
}

impl LastSeen {
    fn of(hunt: &Hunt) -> Self {
        Self {
            epoch: hunt.epoch(),
            sequence: hunt.sequence(),
        }
    }
}

impl From<Quarantined> for NotServed {
    fn from(Quarantined: Quarantined) -> Self {
        Self::Quarantined
    }
}

impl fmt::Display for NotServed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Quarantined => f.write_str(
                "this hunt failed inside the engine and is out of service; an operator looks at it",
            ),
            Self::NotActive { epoch } => write!(
                f,
                "this hunt was recovered at epoch {epoch}, and nobody has claimed it since"
            ),
        }
    }
}

impl std::error::Error for NotServed {}
