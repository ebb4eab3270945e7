//! All hunts of this process, found by id; and the one lock of each.
//!
//! What must stay true: nobody waits for a hunt's lock while holding a shard's; nobody holds the locks of
//! two hunts; a hunt is found only after whoever created it has let go of its lock, so that its first record
//! is written before any other of it. (A new hunt's own lock is held while it is put into its shard. That
//! cannot turn into a circle: until it is there, nobody else can ask for it.)

mod error;
mod lock;
mod room;

use std::sync::Arc;

use hashbrown::{HashTable, hash_table::Entry};
use parking_lot::RwLock;
use xxhash_rust::xxh64::xxh64;

use self::room::Room;
pub use self::{
    error::CreateError,
    lock::{
        Activated, Activation, HeldGuard, HuntGuard, HuntLock, HuntState, HuntStatus, LastSeen,
        NotActivated, NotServed, Quarantined,
    },
    room::Limits,
};
use super::{Hunt, HuntId, Now, Ruleset, Settings};

const SHARDS: usize = 64;

/// The hunts that this process holds. Safe for concurrent use.
pub struct Directory {
    shards: [RwLock<HashTable<Arc<HuntLock>>>; SHARDS],
    room: Arc<Room>,
}

/// The answer to a creation; the same again for the same settings and epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Created {
    pub epoch: u64,
    /// Unix milliseconds.
    pub starts_at_ms: i64,
}

/// What all hunts come to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Hunts held, in any state.
    pub hunts: usize,
    /// Active ones that have ended.
    pub ended: usize,
    /// Recovered ones that nobody has claimed since.
    pub recovered: usize,
    pub quarantined: usize,
    /// Players present, in hunts that have not ended.
    pub players_present: u64,
    /// Players held: all who ever joined a hunt that is held.
    pub players: usize,
}

impl Directory {
    /// An empty directory.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        let shards = std::array::from_fn(|_| RwLock::new(HashTable::new()));
        Self {
            shards,
            room: Arc::new(Room::new(limits)),
        }
    }

    /// Finds a hunt.
    #[must_use]
    pub fn get(&self, hunt_id: &str) -> Option<Arc<HuntLock>> {
        let hash = hash(hunt_id);
        self.shard(hash)
            .read()
            .find(hash, |lock| lock.id().as_str() == hunt_id)
            .cloned()
    }

    /// The answer to the creation of a hunt that is here: the same again for the same settings and epoch.
    /// `None` if it is not.
    #[must_use]
    pub fn created(
        &self,
        id: &HuntId,
        settings: &Settings,
        epoch: u64,
    ) -> Option<Result<Created, CreateError>> {
        let known = self.get(id.as_str())?;
        Some(created_before(&known, settings, epoch))
    }

    /// Creates a hunt that starts now, or answers the same again for one that is here with the same settings
    /// and epoch. `record` is called once, for a new hunt only, under the hunt's lock and before anybody can
    /// find it: that is the place to journal its record 1.
    pub fn create(
        &self,
        id: &HuntId,
        settings: &Settings,
        ruleset: &Arc<Ruleset>,
        epoch: u64,
        now: Now,
        record: impl FnOnce(&mut HuntGuard<'_>),
    ) -> Result<Created, CreateError> {
        if let Some(created) = self.created(id, settings, epoch) {
            return created;
        }
        if self.len() >= self.room.limits.hunts {
            return Err(self.full()); // before the work of drawing; `insert` makes sure
        }
        let hunt = Hunt::create(
            id.clone(),
            settings.clone(),
            ruleset.clone(),
            epoch,
            now.wall_ms,
        )?;
        let created = Created {
            epoch,
            starts_at_ms: hunt.starts_at_ms(),
        };
        let lock = Arc::new(HuntLock::begun(hunt, now, self.room.clone()));
        let mut guard = lock.lock()?;
        match self.insert(&lock)? {
            Inserted::New => {
                record(&mut guard);
                Ok(created)
            }
            Inserted::Known(known) => created_before(&known, settings, epoch),
        }
    }

    /// Puts a hunt in that was rebuilt from the journal. It is not active until it is claimed. A recovery is
    /// taken whole, also above the limits; false says that it is above one. To be called once a hunt.
    pub fn restore(&self, hunt: Hunt) -> bool {
        let fits = self.room.add_hunt(hunt.ever_joined() as usize);
        self.put(HuntLock::recovered(hunt, self.room.clone()));
        fits
    }

    /// Puts the name of a hunt in that could not be rebuilt: in quarantine, so that it is not created anew.
    pub fn restore_lost(&self, id: HuntId, last: LastSeen) -> bool {
        let fits = self.room.add_hunt(0);
        self.put(HuntLock::lost(id, last));
        fits
    }

    fn put(&self, lock: HuntLock) {
        let hash = hash_of(&lock);
        let mut shard = self.shard(hash).write();
        shard.insert_unique(hash, Arc::new(lock), |lock| hash_of(lock));
    }

    /// Lets go of a hunt that has ended: it is found no more, and its room is free. Whoever found it before
    /// can still read it, and change nothing. `None` if there is no such hunt, or it has not ended.
    pub fn release(&self, hunt_id: &str) -> Option<Arc<HuntLock>> {
        let found = self.get(hunt_id)?;
        // Of a hunt that has ended, the players stay as they are: the lock need not be held on.
        let players = found
            .hold()
            .ok()
            .filter(|hunt| hunt.has_ended())?
            .ever_joined();
        let hash = hash(hunt_id);
        let mut shard = self.shard(hash).write();
        let entry = shard.find_entry(hash, |lock| Arc::ptr_eq(lock, &found));
        entry.ok()?.remove();
        self.room.return_hunt(players as usize);
        Some(found)
    }

    /// All hunts, in no particular order.
    #[must_use]
    pub fn hunts(&self) -> Vec<Arc<HuntLock>> {
        let mut hunts = Vec::with_capacity(self.len());
        for shard in &self.shards {
            hunts.extend(shard.read().iter().cloned());
        }
        hunts
    }

    /// How many hunts are held.
    #[must_use]
    pub fn len(&self) -> usize {
        self.room.hunts()
    }

    /// How many players are held.
    #[must_use]
    pub fn players(&self) -> usize {
        self.room.players()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What the directory may hold at most.
    #[must_use]
    pub fn limits(&self) -> Limits {
        self.room.limits
    }

    /// Adds up all hunts, one lock after the other: for a gauge that is read now and then.
    #[must_use]
    pub fn totals(&self) -> Totals {
        let mut totals = Totals {
            players: self.room.players(),
            ..Totals::default()
        };
        for lock in self.hunts() {
            totals.hunts += 1;
            let status = lock.status(false);
            match status.state {
                HuntState::Active if status.ended => totals.ended += 1,
                HuntState::Active => {}
                HuntState::Recovered => totals.recovered += 1,
                HuntState::Quarantined => totals.quarantined += 1,
            }
            if !status.ended {
                totals.players_present += u64::from(status.present);
            }
        }
        totals
    }

    fn shard(&self, hash: u64) -> &RwLock<HashTable<Arc<HuntLock>>> {
        // The table within a shard takes the low and the highest bits.
        &self.shards[(hash >> 40) as usize % SHARDS]
    }

    fn full(&self) -> CreateError {
        CreateError::HuntsFull {
            hunts_max: self.room.limits.hunts,
        }
    }

    fn insert(&self, lock: &Arc<HuntLock>) -> Result<Inserted, CreateError> {
        let hash = hash_of(lock);
        let mut shard = self.shard(hash).write();
        match shard.entry(hash, |known| known.id() == lock.id(), |lock| hash_of(lock)) {
            Entry::Occupied(known) => Ok(Inserted::Known(known.get().clone())),
            Entry::Vacant(vacant) => {
                if !self.room.take_hunt() {
                    return Err(self.full());
                }
                vacant.insert(lock.clone());
                Ok(Inserted::New)
            }
        }
    }
}

enum Inserted {
    New,
    Known(Arc<HuntLock>),
}

fn created_before(
    known: &HuntLock,
    settings: &Settings,
    epoch: u64,
) -> Result<Created, CreateError> {
    let hunt = known.hold().map_err(NotServed::from)?;
    if hunt.settings() != settings {
        return Err(CreateError::OtherSettings);
    }
    let hunt = hunt.active()?;
    if hunt.epoch() != epoch {
        return Err(CreateError::OtherEpoch {
            asked: epoch,
            current: hunt.epoch(),
        });
    }
    Ok(Created {
        epoch,
        starts_at_ms: hunt.starts_at_ms(),
    })
}

fn hash_of(lock: &HuntLock) -> u64 {
    hash(lock.id().as_str())
}

fn hash(hunt_id: &str) -> u64 {
    xxh64(hunt_id.as_bytes(), 0)
}
