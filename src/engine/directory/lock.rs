//! The one lock of a hunt, and what may be done under it.
//!
//! The lock is short and synchronous: its guard is not `Send`, so it cannot be held over an await. A panic
//! under it quarantines the hunt: nobody is answered from a state that may be half changed.

use std::{fmt, ops::Deref, sync::Arc, thread};

use parking_lot::{Mutex, MutexGuard};

use super::room::Room;
use crate::engine::{
    Command, Ended, Hunt, HuntId, HuntView, Now, Outcome, PlayerId, PlayerView, Refusal, Verdict,
    clock::Clock,
};

/// A hunt that is shared. Safe for concurrent use.
pub struct HuntLock {
    id: HuntId,
    held: Mutex<Held>,
}

struct Held {
    hunt: Hunt,
    clock: Clock,
    quarantined: bool,
    room: Arc<Room>,
}

/// A hunt, while nobody else has it. Reads go through [`Hunt`]; what changes it is here, stamped by the
/// hunt's own clock.
///
/// A guard stays on its thread, so it cannot be held over an await of a future that moves:
/// ```compile_fail,E0277
/// fn moves(_: impl Send) {}
/// fn hold(lock: &player_state::engine::HuntLock) {
///     moves(lock.lock());
/// }
/// ```
pub struct HuntGuard<'a> {
    held: MutexGuard<'a, Held>,
    panicking_before: bool,
}

/// The hunt failed inside the engine. It is out of service until an operator has looked at it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quarantined;

impl HuntLock {
    /// A hunt that begins here: its clock starts now.
    pub(super) fn new(hunt: Hunt, now: Now, room: Arc<Room>) -> Self {
        let id = hunt.id().clone();
        let held = Held {
            hunt,
            clock: Clock::start(now),
            quarantined: false,
            room,
        };
        Self {
            id,
            held: Mutex::new(held),
        }
    }

    #[must_use]
    pub fn id(&self) -> &HuntId {
        &self.id
    }

    /// Waits for the hunt. Everybody holds it for one call of the engine only, so that is short.
    pub fn lock(&self) -> Result<HuntGuard<'_>, Quarantined> {
        let held = self.held.lock();
        if held.quarantined {
            return Err(Quarantined);
        }
        Ok(HuntGuard {
            held,
            panicking_before: thread::panicking(),
        })
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
        let Held { hunt, room, .. } = &mut *self.held;
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
        self.held.hunt.end_stamped(at_ms)
    }

    /// Ends the hunt if its time is over: what the owner's sweep calls, at least once a second.
    #[must_use = "an end is to be journaled"]
    pub fn end_if_due(&mut self, now: Now) -> Option<Ended> {
        let at_ms = self.at_ms(now);
        self.held.hunt.end_if_due(at_ms)
    }

    /// The hunt's time now, in Unix milliseconds; never under the stamp of its last record.
    #[must_use]
    pub fn at_ms(&self, now: Now) -> i64 {
        self.held.clock.at_ms(now).max(self.held.hunt.last_at_ms())
    }

    /// See [`Hunt::digest`].
    pub fn digest(&mut self) -> u64 {
        self.held.hunt.digest()
    }

    /// See [`Hunt::applied_digest`].
    pub fn applied_digest(&mut self) -> u64 {
        self.held.hunt.applied_digest()
    }

    /// See [`Hunt::view`].
    pub fn view(&mut self, top: usize) -> HuntView {
        self.held.hunt.view(top)
    }

    /// See [`Hunt::player_view`].
    #[must_use]
    pub fn player_view(&self, id: PlayerId, now: Now) -> Option<PlayerView> {
        self.held.hunt.player_view(id, self.at_ms(now))
    }
}

impl Deref for HuntGuard<'_> {
    type Target = Hunt;

    fn deref(&self) -> &Hunt {
        &self.held.hunt
    }
}

impl Drop for HuntGuard<'_> {
    fn drop(&mut self) {
        if thread::panicking() && !self.panicking_before {
            self.held.quarantined = true;
        }
    }
}

impl fmt::Display for Quarantined {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "this hunt failed inside the engine and is out of service; an operator looks at it",
        )
    }
}

impl std::error::Error for Quarantined {}
