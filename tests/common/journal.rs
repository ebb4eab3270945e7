//! A journal in memory that remembers all it was told, as a disk would; its durability and its room are in the hands
//! of the test.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use player_state::{
    config::{Claim, Settings},
    engine::HuntId,
    journal::{
        Damage, Entry, EntryRef, Fence, Journal, Kept, KeptHunt, NoRoom, Page, Place, Query,
        Recovery, Ring, RingBounds, Room, Waiting,
    },
    pb::{ApplyBatchRequest, ApplyBatchResponse, ApplyRequest, ApplyResponse, Command, Outcome},
    rpc::{Services, server::player_state_service_server::PlayerStateService as _},
    shard::{CallTime, Limits, Rulesets, Shard},
    telemetry::Metrics,
    wire::Encoded,
};
use prost::{Message as _, bytes::Bytes};
use tokio::sync::watch;
use tonic::{Request, Status};

/// A ring that can be recovered from. It makes nothing durable while it does not flow, and may have no room.
pub struct Recording {
    ring: Ring,
    pub flowing: watch::Sender<bool>,
    pub full: AtomicBool,
    /// Up to which retention would drop records.
    pub overdue: AtomicU64,
    /// How often something waited for the disk.
    pub waits: AtomicU64,
    pub disk: Mutex<Disk>,
}

/// What outlives the process.
#[derive(Clone, Default)]
pub struct Disk {
    pub records: Vec<(Place, Entry)>,
    pub snapshots: HashMap<HuntId, KeptHunt>,
    pub gone: Vec<HuntId>,
    pub fence: Fence,
}

impl Disk {
    /// What the next process gets.
    pub fn recovery(&self, engine_incarnation: u64) -> Recovery {
        let rows: Vec<_> = self.records.chunks(3).map(|row| Ok(row.to_vec())).collect();
        Recovery {
            engine_incarnation,
            fence: self.fence.clone(),
            gone: self.gone.clone(),
            hunts: self.snapshots.values().cloned().collect(),
            rows: Box::new(rows.into_iter()),
            rows_records_max: self.records.len() as u64,
            torn_bytes: 0,
        }
    }
}

impl Recording {
    pub fn new() -> Arc<Self> {
        Self::on(&Disk::default())
    }

    /// Goes on behind what a disk holds.
    pub fn on(disk: &Disk) -> Arc<Self> {
        let bounds = RingBounds {
            records_max: 10_000,
            bytes_max: 1 << 26,
        };
        let ring = Ring::new(bounds).expect("bounds with room");
        for (_, entry) in &disk.records {
            let room = ring.reserve(entry.record.len()).expect("room");
            ring.append(room, entry.borrowed());
        }
        Arc::new(Self {
            ring,
            flowing: watch::Sender::new(true),
            full: AtomicBool::new(false),
            overdue: AtomicU64::new(0),
            waits: AtomicU64::new(0),
            disk: Mutex::new(disk.clone()),
        })
    }

    /// A shard without hunts that writes here.
    pub fn shard(self: &Arc<Self>, claim: Claim, rulesets: Rulesets) -> Shard {
        Shard::new(
            Arc::clone(self) as Arc<dyn Journal>,
            rulesets,
            claim,
            Limits::from(&Settings::defaults()),
            Arc::new(Metrics::new()),
        )
    }

    async fn flows(&self) {
        let mut flowing = self.flowing.subscribe();
        let flows = flowing.wait_for(|flowing| *flowing).await;
        drop(flows.expect("held by self"));
    }
}

impl Journal for Recording {
    fn reserve(&self, bytes: usize) -> Result<Room, NoRoom> {
        if self.full.load(Ordering::Relaxed) {
            return Err(NoRoom {
                limit: "reserve",
                limit_bytes: 1,
                wanted_bytes: bytes as u64,
            });
        }
        self.ring.reserve(bytes)
    }

    fn append(&self, room: Room, entry: EntryRef<'_>) -> Place {
        let place = self.ring.append(room, entry);
        let EntryRef {
            hunt,
            sequence,
            is_move,
            record,
        } = entry;
        let kept = Entry {
            hunt: hunt.clone(),
            sequence,
            is_move,
            record: Bytes::copy_from_slice(record),
        };
        self.disk.lock().records.push((place, kept));
        place
    }

    fn end(&self) -> Place {
        self.ring.end()
    }

    fn answerable(&self, place: Place) -> Waiting<'_, ()> {
        self.durable(place)
    }

    fn durable(&self, place: Place) -> Waiting<'_, ()> {
        self.waits.fetch_add(1, Ordering::Relaxed);
        Box::pin(async move {
            self.flows().await;
            self.ring.durable(place).await;
        })
    }

    fn synced(&self) -> Waiting<'_, ()> {
        Box::pin(self.flows())
    }

    fn read(&self, query: Query) -> Waiting<'_, Result<Page, Damage>> {
        self.ring.read(query)
    }

    fn get(&self, hunt: &HuntId, sequence: u64) -> Waiting<'_, Result<Option<Bytes>, Damage>> {
        self.ring.get(hunt, sequence)
    }

    fn kept(&self) -> Kept {
        self.ring.kept()
    }

    fn failed(&self) -> Waiting<'_, String> {
        self.ring.failed()
    }

    fn unsnapped(&self, place: Place) -> Vec<HuntId> {
        let disk = self.disk.lock();
        let upto = |hunt: &HuntId| disk.snapshots.get(hunt).map_or(Place(0), |kept| kept.upto);
        let due = |(at, entry): &&(Place, Entry)| {
            *at < place && *at >= upto(&entry.hunt) && !disk.gone.contains(&entry.hunt)
        };
        let due = disk.records.iter().filter(due);
        let hunts: BTreeSet<_> = due.map(|(_, entry)| entry.hunt.clone()).collect();
        hunts.into_iter().collect()
    }

    fn overdue(&self) -> Place {
        Place(self.overdue.load(Ordering::Relaxed))
    }

    fn put_snapshot(&self, hunt: KeptHunt) {
        self.disk.lock().snapshots.insert(hunt.hunt.clone(), hunt);
    }

    fn let_go(&self, hunt: &HuntId) {
        let mut disk = self.disk.lock();
        disk.snapshots.remove(hunt);
        disk.gone.push(hunt.clone());
    }

    fn put_fence(&self, fence: &Fence) {
        self.disk.lock().fence = fence.clone();
    }
}

/// A call as it comes out of the deadline layer.
/// The answer to one command.
pub async fn apply(
    services: &Services,
    command: Command,
    within: Duration,
) -> Result<Outcome, Status> {
    let command = Some(command);
    let request = Encoded(ApplyRequest { command }.encode_to_vec().into());
    let answer = services.apply(call(request, within)).await?.into_inner();
    let answer = ApplyResponse::decode(answer.0).expect("an answer");
    Ok(answer.outcome.expect("an outcome"))
}

/// The answers to a batch of them.
pub async fn apply_batch(
    services: &Services,
    commands: Vec<Command>,
    within: Duration,
) -> Result<Vec<Outcome>, Status> {
    let request = Encoded(ApplyBatchRequest { commands }.encode_to_vec().into());
    let answer = services.apply_batch(call(request, within)).await?;
    let answer = ApplyBatchResponse::decode(answer.into_inner().0).expect("an answer");
    Ok(answer.outcomes)
}

pub fn call<T>(message: T, within: Duration) -> Request<T> {
    let arrived = Instant::now();
    let deadline = arrived + within;
    let mut request = Request::new(message);
    request
        .extensions_mut()
        .insert(CallTime { arrived, deadline });
    request
}
