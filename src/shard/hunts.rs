//! Hunts: created, ended, read.

use std::sync::Arc;

use super::{ClaimError, Panicked, Shard};
use crate::{
    engine::{
        CreateError, Created, HuntId, HuntLock, HuntView, NotServed, PlayerId, PlayerView, Ruleset,
        STANDINGS_MAX, Settings, Standing,
    },
    journal::{APPLIED_BYTES_MAX, NoRoom, RECORD_BYTES_MAX},
    wire,
};

/// Why a hunt is not created. Nothing changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CreateRefused {
    /// The engine says so.
    Engine(CreateError),
    /// The claim does not fit how this engine is claimed.
    Claim(ClaimError),
    /// The ruleset is not known.
    Ruleset {
        /// What came.
        asked: String,
        /// What there is.
        known: Vec<String>,
    },
    /// The id was a hunt's that was let go.
    Gone,
    /// The maps of all hunts hold as much as they may.
    PlacedFull {
        /// The limit.
        placed_max: u64,
        /// What came.
        placed: u64,
    },
    /// The journal could not write it down.
    NoRoom(NoRoom),
}

/// Why a hunt is not ended or read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HuntRefused {
    /// It is not here.
    Unknown,
    /// It was here, and was let go.
    Gone,
    /// It never saw the player.
    UnknownPlayer(PlayerId),
    /// It is here, and answers nothing.
    NotServed(NotServed),
    /// It failed inside the engine now.
    Panicked,
    /// The journal could not write its end down.
    NoRoom(NoRoom),
}

impl Shard {
    /// Creates a hunt that starts now; or answers the same again, for one with the same settings and
    /// epoch.
    pub fn create(
        &self,
        id: &HuntId,
        settings: &Settings,
        epoch: u64,
        router_incarnation: u64,
    ) -> Result<Created, CreateRefused> {
        settings.check().map_err(CreateError::Settings)?;
        let ruleset = self.ruleset(settings)?;
        let epoch = self.claims.admit_create(epoch, router_incarnation)?;
        if let Some(created) = self.hunts.created(id, settings, epoch) {
            return Ok(created?);
        }
        // Looked at only now: a hunt's id is put there before the hunt goes, so that whoever no longer
        // finds the hunt finds its id.
        if self.gone.contains(id) {
            return Err(CreateRefused::Gone);
        }
        self.create_new(id, settings, &ruleset, epoch)
    }

    fn create_new(
        &self,
        id: &HuntId,
        settings: &Settings,
        ruleset: &Arc<Ruleset>,
        epoch: u64,
    ) -> Result<Created, CreateRefused> {
        self.placed
            .take(settings)
            .map_err(|placed| CreateRefused::PlacedFull {
                placed_max: self.limits.placed_max,
                placed,
            })?;
        let created = self.create_once(id, settings, ruleset, epoch);
        let is_new = created.as_ref().is_ok_and(|(_, is_new)| *is_new);
        if is_new {
            self.claims.saw_epoch(epoch);
        } else {
            self.placed.give_back(settings);
        }
        created.map(|(created, _)| created)
    }

    /// Whether the hunt is new stands beside the answer.
    fn create_once(
        &self,
        id: &HuntId,
        settings: &Settings,
        ruleset: &Arc<Ruleset>,
        epoch: u64,
    ) -> Result<(Created, bool), CreateRefused> {
        let room = self.journal.reserve(RECORD_BYTES_MAX)?;
        let mut is_new = false;
        let now = self.clock.now();
        let created = self
            .hunts
            .create(id, settings, ruleset, epoch, now, |hunt| {
                let digest = hunt.digest();
                self.append(room, hunt, &wire::created_record(hunt, digest), false);
                is_new = true;
            })?;
        Ok((created, is_new))
    }

    fn ruleset(&self, settings: &Settings) -> Result<Arc<Ruleset>, CreateRefused> {
        let rulesets = self.rulesets.load();
        let found = rulesets.find(&settings.ruleset);
        found.ok_or_else(|| CreateRefused::Ruleset {
            asked: settings.ruleset.clone(),
            known: rulesets.names().map(str::to_owned).collect(),
        })
    }

    /// Ends a hunt, and answers its best and how many ever joined: the same again once it has ended.
    pub fn end(&self, id: &HuntId) -> Result<(Vec<Standing>, u32), HuntRefused> {
        let found = self.find(id)?;
        let room = self.journal.reserve(APPLIED_BYTES_MAX)?;
        let (hunt, ended) =
            self.guarded(found.id(), found.lock()?, |hunt| hunt.end(self.clock.now()))?;
        if let Some(ended) = ended {
            self.append_end(room, &hunt, &ended);
            return Ok((ended.standings, ended.players));
        }
        Ok((hunt.standings(STANDINGS_MAX), hunt.ever_joined()))
    }

    /// A hunt, with its best `top`.
    pub fn view(&self, id: &HuntId, top: usize) -> Result<HuntView, HuntRefused> {
        let found = self.find(id)?;
        let (_, view) = self.guarded(found.id(), found.lock()?, |hunt| hunt.view(top))?;
        Ok(view)
    }

    /// A player of a hunt.
    pub fn player(&self, id: &HuntId, player: PlayerId) -> Result<PlayerView, HuntRefused> {
        let found = self.find(id)?;
        let now = self.clock.now();
        let (_, view) = self.guarded(found.id(), found.lock()?, |hunt| {
            hunt.player_view(player, now)
        })?;
        view.ok_or(HuntRefused::UnknownPlayer(player))
    }

    /// Whether records of a hunt may be shown one by one: not while this engine holds the hunt and does not own
    /// it, for its owner may have others by now. Those of a hunt that is not here any more are what they are.
    pub fn check_record(&self, id: &HuntId) -> Result<(), HuntRefused> {
        let Some(lock) = self.hunts.get(id.as_str()) else {
            return Ok(());
        };
        match lock.lock() {
            Ok(_) | Err(NotServed::Quarantined) => Ok(()),
            Err(why @ NotServed::NotActive { .. }) => Err(why.into()),
        }
    }

    pub(super) fn find(&self, id: &HuntId) -> Result<Arc<HuntLock>, HuntRefused> {
        let found = self.hunts.get(id.as_str());
        found.ok_or_else(|| match self.gone.contains(id) {
            true => HuntRefused::Gone,
            false => HuntRefused::Unknown,
        })
    }
}

impl From<CreateError> for CreateRefused {
    fn from(error: CreateError) -> Self {
        Self::Engine(error)
    }
}

impl From<ClaimError> for CreateRefused {
    fn from(error: ClaimError) -> Self {
        Self::Claim(error)
    }
}

impl From<NoRoom> for CreateRefused {
    fn from(error: NoRoom) -> Self {
        Self::NoRoom(error)
    }
}

impl From<NoRoom> for HuntRefused {
    fn from(error: NoRoom) -> Self {
        Self::NoRoom(error)
    }
}

impl From<NotServed> for HuntRefused {
    fn from(why: NotServed) -> Self {
        Self::NotServed(why)
    }
}

impl From<Panicked> for HuntRefused {
    fn from(Panicked: Panicked) -> Self {
        Self::Panicked
    }
}
