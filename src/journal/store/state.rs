//! What is kept beside the records, in a database of its own: snapshots, their rulesets, ids of hunts that are
//! gone, the older part of the index, and a few facts. Nothing here is ever ahead of the records: each fact is
//! written after the records that it tells of are durable, and losing its last writes only makes recovery longer.

use std::{
    collections::HashMap,
    path::Path,
    sync::atomic::{AtomicU64, Ordering},
};

use fjall::{
    Database, Keyspace, KeyspaceCreateOptions, KvSeparationOptions, PersistMode, Readable as _,
    Snapshot,
};
use prost::{
    bytes::{Buf as _, BufMut as _, Bytes},
    encoding::{decode_varint, encode_varint},
};

use super::{index::Spot, open, storage};
use crate::{
    engine::HuntId,
    journal::{Damage, Fence, KeptHunt, Place, draw_incarnation},
};

/// The form of the whole journal. Another one is refused.
const FORMAT: u64 = 1;

/// Keyspaces of [`State`].
pub(super) const KEYSPACES: u64 = 6;
/// What is said of a form that is another.
pub(super) const FORMAT_AT: &str = "the journal's format";

const FORMAT_KEY: &str = "format";
const INCARNATION_KEY: &str = "incarnation";
const RECOVERY_START_KEY: &str = "recovery_start";
const DURABLE_KEY: &str = "durable";
const INDEXED_KEY: &str = "indexed";
const FENCE_KEY: &str = "fence";

/// Some records in the order of their places: the unit of the index, and of retention.
#[derive(Clone, Copy, Debug)]
pub(super) struct Block {
    pub(super) first: Place,
    /// The place after its last record.
    pub(super) end: Place,
    /// When its last record was written, in Unix milliseconds.
    pub(super) at_ms: u64,
}

pub(super) struct State {
    pub(super) database: Database,
    /// Facts by name.
    facts: Keyspace,
    /// Snapshots by hunt.
    pub(super) hunts: Keyspace,
    /// Rulesets by hash.
    pub(super) rulesets: Keyspace,
    /// Ids of hunts that were let go, in that order.
    pub(super) gone: Keyspace,
    next_gone: AtomicU64,
    /// Blocks by their first place.
    blocks: Keyspace,
    /// A hunt's records in a block, by the block's first place and the hunt.
    spots: Keyspace,
}

impl State {
    pub(super) fn open(path: &Path) -> Result<Self, Damage> {
        let database = open(path)?;
        let keyspace = |name: &str, memtable_mib: u64, values_are_large: bool| {
            let options = move || {
                let separation = values_are_large.then(KvSeparationOptions::default);
                KeyspaceCreateOptions::default()
                    .max_memtable_size(memtable_mib << 20)
                    .with_kv_separation(separation)
            };
            database.keyspace(name, options).map_err(storage(path))
        };
        let state = Self {
            facts: keyspace("facts", 1, false)?,
            hunts: keyspace("hunts", 8, true)?,
            rulesets: keyspace("rulesets", 1, true)?,
            gone: keyspace("gone", 1, false)?,
            next_gone: AtomicU64::new(0),
            blocks: keyspace("blocks", 1, false)?,
            spots: keyspace("spots", 4, false)?,
            database,
        };
        let last = state
            .gone
            .last_key_value()
            .map(|guard| guard.key().map_err(storage(path)));
        if let Some(last) = last.transpose()? {
            state.next_gone.store(number(&last) + 1, Ordering::Relaxed);
        }
        Ok(state)
    }

    /// Writes what the state of a journal begins with.
    pub(super) fn begin(&self) -> fjall::Result<()> {
        self.put_fact(FORMAT_KEY, FORMAT)?;
        self.put_fact(INCARNATION_KEY, draw_incarnation())?;
        self.sync()
    }

    /// Refuses a form that this version does not read.
    pub(super) fn check_format(&self) -> Result<(), Damage> {
        match self.fact(&self.now(), FORMAT_KEY)? {
            None => Err(unreadable(FORMAT_AT)),
            Some(FORMAT) => Ok(()),
            Some(found) => Err(Damage {
                at: FORMAT_AT.to_owned(),
                what: format!(
                    "it is {found}, and this version reads {FORMAT}: use the version that wrote it"
                ),
            }),
        }
    }

    /// Which journal this is.
    ///
    /// # Errors
    /// One of a form that this version does not read, among others.
    pub(super) fn incarnation(&self) -> Result<u64, Damage> {
        self.check_format()?;
        let incarnation = self.fact(&self.now(), INCARNATION_KEY)?;
        incarnation.ok_or_else(|| unreadable("the journal's incarnation"))
    }

    /// The state as it is now, and stays while this is held.
    pub(super) fn now(&self) -> Snapshot {
        self.database.snapshot()
    }

    /// No record before this place is needed to recover any hunt.
    pub(super) fn recovery_start(&self, at: &Snapshot) -> Result<Place, Damage> {
        Ok(Place(self.fact(at, RECOVERY_START_KEY)?.unwrap_or(0)))
    }

    pub(super) fn put_recovery_start(&self, place: Place) -> fjall::Result<()> {
        self.put_fact(RECOVERY_START_KEY, place.0)
    }

    /// Every record before this place was durable: records that end before it are not all there.
    pub(super) fn durable(&self, at: &Snapshot) -> Result<Place, Damage> {
        Ok(Place(self.fact(at, DURABLE_KEY)?.unwrap_or(0)))
    }

    pub(super) fn put_durable(&self, place: Place) -> fjall::Result<()> {
        self.put_fact(DURABLE_KEY, place.0)
    }

    /// Every record before this place is in a block, or dropped.
    pub(super) fn indexed(&self, at: &Snapshot) -> Result<Place, Damage> {
        Ok(Place(self.fact(at, INDEXED_KEY)?.unwrap_or(0)))
    }

    fn fact(&self, at: &Snapshot, name: &str) -> Result<Option<u64>, Damage> {
        let value = at.get(&self.facts, name).map_err(storage(name))?;
        Ok(value.map(|value| number(&value)))
    }

    fn put_fact(&self, name: &str, value: u64) -> fjall::Result<()> {
        self.facts.insert(name, value.to_be_bytes())
    }

    pub(super) fn fence(&self, at: &Snapshot) -> Result<Fence, Damage> {
        let value = at.get(&self.facts, FENCE_KEY);
        let Some(value) = value.map_err(storage(FENCE_KEY))? else {
            return Ok(Fence::default());
        };
        let mut rest = &value[..];
        let mut next = || rest.try_get_u64().ok();
        let (router_incarnation, epoch) = (next(), next());
        let ledger_id = String::from_utf8(rest.to_vec()).ok();
        let fence = router_incarnation.zip(epoch).zip(ledger_id);
        let fence = fence.map(|((router_incarnation, epoch), ledger_id)| Fence {
            ledger_id,
            router_incarnation,
            epoch,
        });
        fence.ok_or_else(|| unreadable("the fence"))
    }

    pub(super) fn put_fence(&self, fence: &Fence) -> fjall::Result<()> {
        let mut value = Vec::new();
        value.put_u64(fence.router_incarnation);
        value.put_u64(fence.epoch);
        value.put_slice(fence.ledger_id.as_bytes());
        self.facts.insert(FENCE_KEY, value)
    }

    pub(super) fn put_snapshot(&self, kept: KeptHunt) -> fjall::Result<()> {
        let mut value = Vec::with_capacity(kept.snapshot.len() + kept.ruleset_hash.len() + 16);
        value.put_u64(kept.upto.0);
        encode_varint(kept.ruleset_hash.len() as u64, &mut value);
        value.put_slice(kept.ruleset_hash.as_bytes());
        value.put_slice(&kept.snapshot);
        let mut batch = self.database.batch();
        if !self.rulesets.contains_key(&kept.ruleset_hash)? {
            batch.insert(
                &self.rulesets,
                kept.ruleset_hash.as_str(),
                &kept.ruleset[..],
            );
        }
        batch.insert(&self.hunts, kept.hunt.as_str(), value);
        batch.commit()
    }

    /// All snapshots, each with its ruleset.
    pub(super) fn snapshots(
        &self,
        at: &Snapshot,
    ) -> Result<impl Iterator<Item = Result<KeptHunt, Damage>> + Send + use<>, Damage> {
        let mut rulesets = HashMap::new();
        for guard in at.iter(&self.rulesets) {
            let (hash, ruleset) = guard.into_inner().map_err(storage("rulesets"))?;
            let hash =
                String::from_utf8(hash.to_vec()).map_err(|_| unreadable("a ruleset's hash"))?;
            rulesets.insert(hash, Bytes::from_owner(ruleset));
        }
        let kept = move |guard: fjall::Guard| {
            let (hunt, value) = guard.into_inner().map_err(storage("snapshots"))?;
            let shown = String::from_utf8_lossy(&hunt).into_owned();
            let kept = snapshot(&hunt, Bytes::from_owner(value), &rulesets);
            kept.ok_or_else(|| unreadable(&format!("the snapshot of hunt {shown:?}")))
        };
        Ok(at.iter(&self.hunts).map(kept))
    }

    /// Forgets the hunt's snapshot, and remembers its id in the place of the oldest one that is over `gone_max`.
    pub(super) fn let_go(&self, hunt: &HuntId, gone_max: usize) -> fjall::Result<()> {
        let nth = self.next_gone.fetch_add(1, Ordering::Relaxed);
        let mut batch = self.database.batch();
        batch.remove(&self.hunts, hunt.as_str());
        batch.insert(&self.gone, nth.to_be_bytes(), hunt.as_str());
        if let Some(forgotten) = nth.checked_sub(gone_max as u64) {
            batch.remove(&self.gone, forgotten.to_be_bytes());
        }
        batch.commit()
    }

    /// Ids of hunts that are gone, the oldest first.
    pub(super) fn gone(&self, at: &Snapshot) -> Result<Vec<HuntId>, Damage> {
        let id = |guard: fjall::Guard| {
            let id = guard
                .value()
                .map_err(storage("ids of hunts that are gone"))?;
            let id = std::str::from_utf8(&id)
                .ok()
                .and_then(|id| HuntId::parse(id).ok());
            id.ok_or_else(|| unreadable("the id of a hunt that is gone"))
        };
        at.iter(&self.gone).map(id).collect()
    }

    /// Keeps which records each hunt has in a block, at once with the block.
    pub(super) fn put_block(
        &self,
        block: Block,
        hunts: &[(HuntId, Vec<Spot>)],
    ) -> fjall::Result<()> {
        let mut batch = self.database.batch();
        for (hunt, spots) in hunts {
            batch.insert(
                &self.spots,
                spots_key(block.first, hunt),
                encode(spots, block.first),
            );
        }
        let mut value = Vec::with_capacity(16);
        value.put_u64(block.end.0);
        value.put_u64(block.at_ms);
        batch.insert(&self.blocks, block.first.0.to_be_bytes(), value);
        batch.insert(&self.facts, INDEXED_KEY, block.end.0.to_be_bytes());
        batch.commit()
    }

    /// All blocks, the oldest first.
    pub(super) fn blocks(&self) -> Result<Vec<Block>, Damage> {
        let block = |guard: fjall::Guard| {
            let (first, value) = guard.into_inner().map_err(storage("blocks"))?;
            let mut rest = &value[..];
            let mut next = || rest.try_get_u64().map_err(|_| unreadable("a block"));
            Ok(Block {
                first: Place(number(&first)),
                end: Place(next()?),
                at_ms: next()?,
            })
        };
        self.blocks.iter().map(block).collect()
    }

    /// A hunt's record in a block, or whether the hunt has others there.
    pub(super) fn find(&self, block: Block, hunt: &HuntId, sequence: u64) -> Result<Found, Damage> {
        let value = self
            .spots
            .get(spots_key(block.first, hunt))
            .map_err(storage("the index"))?;
        let Some(value) = value else {
            return Ok(Found::NoneOfHunt);
        };
        let spots = decode(&value, block.first).ok_or_else(|| unreadable("the index"))?;
        let found = spots.iter().rev().find(|spot| spot.0 == sequence);
        Ok(match found {
            Some(spot) => Found::At(spot.1),
            None if spots.iter().all(|spot| spot.0 < sequence) => Found::OnlyEarlier,
            None => Found::NoneOfHunt,
        })
    }

    /// Forgets a block whose records are dropped.
    pub(super) fn drop_block(&self, block: Block) -> fjall::Result<()> {
        let mut batch = self.database.batch();
        for guard in self.spots.prefix(block.first.0.to_be_bytes()) {
            batch.remove(&self.spots, guard.key()?);
        }
        batch.remove(&self.blocks, block.first.0.to_be_bytes());
        batch.commit()
    }

    #[cfg(test)]
    pub(super) fn keyspaces(&self) -> [&Keyspace; 6] {
        [
            &self.facts,
            &self.hunts,
            &self.rulesets,
            &self.gone,
            &self.blocks,
            &self.spots,
        ]
    }

    /// Makes all of it durable.
    pub(super) fn sync(&self) -> fjall::Result<()> {
        self.database.persist(PersistMode::SyncData)
    }
}

/// What a block has of a hunt.
pub(super) enum Found {
    At(Place),
    /// Records before the one that is looked for, and so does every earlier block.
    OnlyEarlier,
    NoneOfHunt,
}

/// A hunt's snapshot, as it is kept.
pub(super) fn snapshot(
    hunt: &[u8],
    value: Bytes,
    rulesets: &HashMap<String, Bytes>,
) -> Option<KeptHunt> {
    let mut rest = value;
    let hunt = HuntId::parse(std::str::from_utf8(hunt).ok()?).ok()?;
    let upto = Place(rest.try_get_u64().ok()?);
    let len = usize::try_from(decode_varint(&mut rest).ok()?).ok()?;
    if len > rest.len() {
        return None;
    }
    let ruleset_hash = String::from_utf8(rest.split_to(len).to_vec()).ok()?;
    let ruleset = rulesets.get(&ruleset_hash)?.clone();
    Some(KeptHunt {
        hunt,
        upto,
        snapshot: rest,
        ruleset_hash,
        ruleset,
    })
}

fn spots_key(block: Place, hunt: &HuntId) -> Vec<u8> {
    let mut key = block.0.to_be_bytes().to_vec();
    key.extend_from_slice(hunt.as_str().as_bytes());
    key
}

/// Each spot by how far it is from the one before: mostly two bytes.
fn encode(spots: &[Spot], block: Place) -> Vec<u8> {
    let mut value = Vec::with_capacity(spots.len() * 3);
    let (mut sequence, mut place) = (0, block.0);
    for spot in spots {
        // Wrapping: after a change of owner, sequences may go back.
        encode_varint(spot.0.wrapping_sub(sequence), &mut value);
        encode_varint(spot.1.0 - place, &mut value);
        (sequence, place) = (spot.0, spot.1.0);
    }
    value
}

fn decode(mut value: &[u8], block: Place) -> Option<Vec<Spot>> {
    let mut spots = Vec::new();
    let (mut sequence, mut place) = (0u64, block.0);
    while !value.is_empty() {
        sequence = sequence.wrapping_add(decode_varint(&mut value).ok()?);
        place = place.checked_add(decode_varint(&mut value).ok()?)?;
        spots.push((sequence, Place(place)));
    }
    Some(spots)
}

/// A number as a key or value of ours has it; of anything else, 0.
pub(super) fn number(bytes: &[u8]) -> u64 {
    bytes.try_into().map_or(0, u64::from_be_bytes)
}

fn unreadable(what: &str) -> Damage {
    Damage {
        at: "the state beside the records".to_owned(),
        what: format!("{what} cannot be read"),
    }
}
