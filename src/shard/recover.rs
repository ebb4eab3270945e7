//! After a restart: each hunt's snapshot is loaded, and the records after it are played again.
//!
//! Hunts are dealt to a thread a core, and each thread plays its own in the journal's order. What is played is
//! held against what was recorded, byte by byte: a hunt that comes to anything else is quarantined, and the others
//! go on.

use std::{
    collections::HashMap,
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread,
    time::{Duration, Instant},
};

use prost::Message as _;

use super::Shard;
use crate::{
    engine::{DIGEST_EVERY, Hunt, HuntId, LastSeen},
    journal::{Damage, Entry, KeptHunt, Place, Recovery},
    pb,
    replay::{Game, KnownRulesets, PlayError},
    wire,
};

/// Records that are handed to a thread at once.
const DEALT: usize = 1024;

/// Hands that wait for a thread.
const WAITING: usize = 16;

/// How far a recovery is. Cloning shares it; reading never waits.
#[derive(Clone, Debug, Default)]
pub struct Progress(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    records: AtomicU64,
    records_max: AtomicU64,
}

impl fmt::Display for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (records, most) = (&self.0.records, &self.0.records_max);
        let (records, most) = (
            records.load(Ordering::Relaxed),
            most.load(Ordering::Relaxed),
        );
        write!(f, "{records} of at most {most} records played")
    }
}

/// What a recovery came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Recovered {
    pub hunts: u64,
    pub players: u64,
    /// Records that no snapshot held.
    pub replayed: u64,
    /// Hunts that could not be rebuilt.
    pub quarantined: u64,
    /// Bytes of a torn end, which were cut off.
    pub torn_bytes: u64,
    pub took: Duration,
}

impl Shard {
    /// Rebuilds what was kept, into a shard that has no hunts yet. Blocks, and uses every core.
    ///
    /// # Errors
    /// The journal is damaged. The process must not go on.
    pub fn recover(&self, recovery: Recovery, progress: &Progress) -> Result<Recovered, Damage> {
        let began = Instant::now();
        let Recovery {
            mut fence,
            gone,
            hunts,
            rows,
            rows_records_max,
            torn_bytes,
            ..
        } = recovery;
        gone.iter().for_each(|id| self.gone.add(id));
        progress
            .0
            .records_max
            .store(rows_records_max, Ordering::Relaxed);

        let threads = thread::available_parallelism().map_or(1, usize::from);
        let rebuilt = thread::scope(|scope| {
            let (mut hands, mut players) = (Vec::new(), Vec::new());
            for _ in 0..threads {
                let (deal, dealt) = sync_channel(WAITING);
                hands.push(Hand::new(deal));
                players.push(scope.spawn(|| Rebuilding::default().play(dealt)));
            }
            let whole = deal(&mut hands, self, hunts, rows, progress);
            drop(hands);
            let rebuilt: Vec<_> = players.into_iter().map(|player| player.join()).collect();
            whole.map(|()| rebuilt)
        })?;

        let mut recovered = Recovered {
            torn_bytes,
            ..Recovered::default()
        };
        for rebuilt in rebuilt {
            // A panic in a hunt is caught where it is played: this one is a mistake of ours.
            let rebuilt = rebuilt.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            recovered.replayed += rebuilt.replayed;
            for (id, state) in rebuilt.hunts {
                fence.epoch = fence.epoch.max(self.put_back(id, state, &mut recovered));
            }
        }
        self.claims.restore(fence);
        recovered.took = began.elapsed();
        Ok(recovered)
    }

    /// Puts a hunt in, and answers its epoch.
    fn put_back(&self, id: HuntId, state: Rebuilt, recovered: &mut Recovered) -> u64 {
        let (epoch, fits) = match state {
            Rebuilt::Playing { game, .. } => {
                let hunt = game.into_hunt();
                recovered.hunts += 1;
                recovered.players += u64::from(hunt.ever_joined());
                self.placed.add(hunt.settings());
                (hunt.epoch(), self.hunts.restore(hunt))
            }
            Rebuilt::Broken { last, why } => {
                recovered.quarantined += 1;
                tracing::error!(hunt_id = %id, epoch = last.epoch, sequence = last.sequence, %why, "a hunt cannot be rebuilt from the journal: it is quarantined");
                let metric = &self.metrics.player_state_recovery_quarantined_total;
                metric.with_label_values(&[why.label()]).inc();
                (last.epoch, self.hunts.restore_lost(id, last))
            }
        };
        if !fits {
            tracing::warn!(
                "more was recovered than hunts_max or players_max allow: new hunts and players are refused"
            );
        }
        epoch
    }
}

/// Work for one thread.
enum Dealt {
    Snapshot(KeptHunt),
    Records(Vec<(Place, Entry)>),
}

/// What is dealt to one thread next.
struct Hand {
    deal: SyncSender<Dealt>,
    records: Vec<(Place, Entry)>,
}

impl Hand {
    fn new(deal: SyncSender<Dealt>) -> Self {
        Self {
            deal,
            records: Vec::with_capacity(DEALT),
        }
    }

    fn deal(&mut self) {
        let records = std::mem::replace(&mut self.records, Vec::with_capacity(DEALT));
        // The thread ends after its last hand, and not before.
        let _ = self.deal.send(Dealt::Records(records));
    }
}

fn deal(
    hands: &mut [Hand],
    shard: &Shard,
    hunts: Vec<KeptHunt>,
    rows: crate::journal::Rows,
    progress: &Progress,
) -> Result<(), Damage> {
    for kept in hunts {
        let nth = nth(&kept.hunt, hands.len());
        let _ = hands[nth].deal.send(Dealt::Snapshot(kept));
    }
    for row in rows {
        let row = row?;
        progress
            .0
            .records
            .fetch_add(row.len() as u64, Ordering::Relaxed);
        for (place, entry) in row {
            if shard.gone.contains(&entry.hunt) {
                continue;
            }
            let nth = nth(&entry.hunt, hands.len());
            hands[nth].records.push((place, entry));
            if hands[nth].records.len() == DEALT {
                hands[nth].deal();
            }
        }
    }
    hands.iter_mut().for_each(Hand::deal);
    Ok(())
}

fn nth(hunt: &HuntId, threads: usize) -> usize {
    xxhash_rust::xxh64::xxh64(hunt.as_str().as_bytes(), 0) as usize % threads
}

/// The hunts of one thread.
#[derive(Default)]
struct Rebuilding {
    hunts: HashMap<HuntId, Rebuilt>,
    rulesets: KnownRulesets,
    replayed: u64,
}

enum Rebuilt {
    Playing {
        game: Box<Game>,
        /// What lies before is in the snapshot.
        upto: Place,
    },
    Broken {
        last: LastSeen,
        why: Broken,
    },
}

/// Why a hunt cannot be rebuilt.
#[derive(Debug, thiserror::Error)]
enum Broken {
    #[error("its snapshot or a record of it cannot be read: {0}")]
    Unreadable(String),
    #[error("records are missing: after sequence {after} comes {found}")]
    Hole { after: u64, found: u64 },
    #[error("record {sequence} came to something else when it was played again")]
    Mismatch { sequence: u64 },
    #[error("the engine panicked on record {sequence}")]
    Panic { sequence: u64 },
}

impl Broken {
    fn label(&self) -> &'static str {
        match self {
            Self::Unreadable(_) => "unreadable",
            Self::Hole { .. } => "hole",
            Self::Mismatch { .. } => "mismatch",
            Self::Panic { .. } => "panic",
        }
    }
}

impl From<PlayError> for Broken {
    fn from(error: PlayError) -> Self {
        Self::Unreadable(error.to_string())
    }
}

impl Rebuilding {
    fn play(mut self, dealt: Receiver<Dealt>) -> Self {
        for dealt in dealt {
            match dealt {
                Dealt::Snapshot(kept) => self.load(kept),
                Dealt::Records(records) => {
                    for (place, entry) in records {
                        self.record(place, entry);
                    }
                }
            }
        }
        self
    }

    fn load(&mut self, kept: KeptHunt) {
        let state = match restore(&kept, &mut self.rulesets) {
            Ok(hunt) => Rebuilt::Playing {
                game: Box::new(Game::go_on(hunt, DIGEST_EVERY)),
                upto: kept.upto,
            },
            Err(why) => Rebuilt::Broken {
                last: LastSeen::default(),
                why: Broken::Unreadable(why),
            },
        };
        self.hunts.insert(kept.hunt, state);
    }

    fn record(&mut self, place: Place, entry: Entry) {
        let Entry {
            hunt,
            sequence,
            record,
            ..
        } = entry;
        let rulesets = &mut self.rulesets;
        let state = match self.hunts.get_mut(&hunt) {
            Some(Rebuilt::Broken { .. }) => return,
            Some(Rebuilt::Playing { upto, .. }) if place < *upto => return,
            known => known,
        };
        self.replayed += 1;
        // Whatever the game had is dropped, or with the hunt never looked at again.
        let played = catch_unwind(AssertUnwindSafe(|| match state {
            Some(Rebuilt::Playing { game, .. }) => go_on(game, sequence, &record).map(|()| None),
            Some(Rebuilt::Broken { .. }) | None => open(sequence, &record, rulesets).map(Some),
        }));
        match played.unwrap_or(Err(Broken::Panic { sequence })) {
            Ok(None) => {}
            Ok(Some(game)) => {
                let game = Box::new(game);
                let upto = Place(0);
                self.hunts.insert(hunt, Rebuilt::Playing { game, upto });
            }
            Err(why) => {
                let epoch = pb::Record::decode(record).map_or(0, |record| record.epoch);
                let last = LastSeen { epoch, sequence };
                self.hunts.insert(hunt, Rebuilt::Broken { last, why });
            }
        }
    }
}

fn restore(kept: &KeptHunt, rulesets: &mut KnownRulesets) -> Result<Hunt, String> {
    let message = pb::HuntSnapshot::decode(kept.snapshot.clone()).map_err(|err| err.to_string())?;
    let snapshot = wire::snapshot(message).map_err(|err| err.to_string())?;
    let ruleset = rulesets.parse(
        "the ruleset of its snapshot",
        &kept.ruleset_hash,
        &kept.ruleset,
    );
    let ruleset = ruleset.map_err(|err| err.to_string())?;
    Hunt::restore(&snapshot, ruleset).map_err(|err| err.to_string())
}

fn open(sequence: u64, recorded: &[u8], rulesets: &mut KnownRulesets) -> Result<Game, Broken> {
    if sequence != 1 {
        return Err(Broken::Hole {
            after: 0,
            found: sequence,
        });
    }
    let (game, played) = Game::open(decode(recorded)?, DIGEST_EVERY, rulesets)?;
    same(&played, recorded)?;
    Ok(game)
}

fn go_on(game: &mut Game, sequence: u64, recorded: &[u8]) -> Result<(), Broken> {
    let after = game.hunt().sequence();
    if sequence != after + 1 {
        return Err(Broken::Hole {
            after,
            found: sequence,
        });
    }
    let played = game.play(decode(recorded)?)?;
    same(&played, recorded)
}

fn decode(recorded: &[u8]) -> Result<pb::Record, Broken> {
    pb::Record::decode(recorded).map_err(|err| Broken::Unreadable(err.to_string()))
}

/// Outcome, sequence, epoch and digest are in the bytes.
fn same(played: &pb::Record, recorded: &[u8]) -> Result<(), Broken> {
    if played.encode_to_vec() == recorded {
        return Ok(());
    }
    let sequence = decode(recorded)?.sequence;
    Err(Broken::Mismatch { sequence })
}
