//! One thread's share of a recovery: its hunts, and their records in order.

use std::{
    collections::{HashMap, HashSet},
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::mpsc::Receiver,
};

use prost::{DecodeError, Message as _};

use super::{Batch, Progress};
use crate::{
    engine::{DIGEST_EVERY, Hunt, HuntId, LastSeen, RulesetError, SnapshotError},
    journal::{Entry, KeptHunt, Place, crash_point},
    pb::{self, Record, record::Change},
    replay::{Game, KnownRulesets, PlayError},
    shard::Shard,
    wire,
};

/// What a thread came to.
#[derive(Debug)]
pub(super) struct Played {
    pub(super) hunts: u64,
    pub(super) players: u64,
    pub(super) records: u64,
    pub(super) quarantined: u64,
    pub(super) epoch_max: u64,
    /// All of it was within the limits.
    pub(super) fits: bool,
}

impl Default for Played {
    fn default() -> Self {
        Self {
            hunts: 0,
            players: 0,
            records: 0,
            quarantined: 0,
            epoch_max: 0,
            fits: true,
        }
    }
}

impl Played {
    pub(super) fn add(&mut self, other: &Self) {
        self.hunts += other.hunts;
        self.players += other.players;
        self.records += other.records;
        self.quarantined += other.quarantined;
        self.epoch_max = self.epoch_max.max(other.epoch_max);
        self.fits &= other.fits;
    }
}

/// A hunt, as far as it was played.
enum Playing {
    Whole {
        game: Box<Game>,
        /// Records before this place are in the hunt already.
        upto: Place,
    },
    Lost(LastSeen),
}

/// A thread's hunts.
pub(super) struct Player<'a> {
    shard: &'a Shard,
    gone: &'a HashSet<HuntId>,
    rulesets: KnownRulesets,
    progress: &'a Progress,
    hunts: HashMap<HuntId, Playing>,
    played: Played,
}

impl<'a> Player<'a> {
    pub(super) fn new(shard: &'a Shard, gone: &'a HashSet<HuntId>, progress: &'a Progress) -> Self {
        Self {
            shard,
            gone,
            rulesets: KnownRulesets::default(),
            progress,
            hunts: HashMap::new(),
            played: Played::default(),
        }
    }

    /// Loads the snapshots, plays what is dealt until nothing more is, and puts the hunts into the shard.
    pub(super) fn play_all(mut self, hunts: Vec<KeptHunt>, batches: Receiver<Batch>) -> Played {
        for kept in hunts {
            let bytes = kept.snapshot.len() as u64;
            self.load(kept);
            crash_point!("loaded");
            self.progress.loaded(bytes);
        }
        for batch in batches {
            let records = batch.len() as u64;
            for (place, entry) in batch {
                self.play(place, entry);
            }
            self.progress.played(records);
        }
        self.put()
    }

    fn load(&mut self, kept: KeptHunt) {
        let playing = match unwound(|| restore(&kept, &mut self.rulesets)) {
            Ok(hunt) => Playing::Whole {
                game: Box::new(Game::go_on(hunt, DIGEST_EVERY)),
                upto: kept.upto,
            },
            Err(why) => self.lose(&kept.hunt, LastSeen::default(), &why),
        };
        self.hunts.insert(kept.hunt, playing);
    }

    fn play(&mut self, place: Place, entry: Entry) {
        let (last, why) = match self.hunts.get_mut(&entry.hunt) {
            None => return self.begin(place, &entry),
            Some(Playing::Lost(_)) => return,
            Some(Playing::Whole { upto, .. }) if place < *upto => return,
            Some(Playing::Whole { game, .. }) => {
                self.played.records += 1;
                let hunt = game.hunt();
                let last = LastSeen {
                    epoch: hunt.epoch(),
                    sequence: hunt.sequence(),
                };
                match unwound(|| play(game, &entry)) {
                    Ok(()) => return,
                    Err(why) => (last, why),
                }
            }
        };
        let lost = self.lose(&entry.hunt, last, &why);
        self.hunts.insert(entry.hunt, lost);
    }

    /// A hunt without a snapshot begins with its first record. One that is gone does not begin again.
    fn begin(&mut self, place: Place, entry: &Entry) {
        if self.gone.contains(&entry.hunt) {
            return;
        }
        self.played.records += 1;
        let playing = match unwound(|| begin(entry, &mut self.rulesets)) {
            Ok(game) => Playing::Whole {
                game: Box::new(game),
                upto: place.next(),
            },
            Err(why) => self.lose(&entry.hunt, LastSeen::default(), &why),
        };
        self.hunts.insert(entry.hunt.clone(), playing);
    }

    fn lose(&mut self, hunt_id: &HuntId, last: LastSeen, why: &Broken) -> Playing {
        let metrics = self.shard.metrics();
        let counter = &metrics.player_state_recovery_quarantined_total;
        counter.with_label_values(&[why.label()]).inc();
        tracing::error!(
            %hunt_id,
            sequence = last.sequence + 1,
            %why,
            "this hunt does not come out of the journal as it went in: it is quarantined, and no other hunt is \
             touched by that"
        );
        Playing::Lost(last)
    }

    fn put(self) -> Played {
        let Self {
            shard,
            hunts,
            mut played,
            ..
        } = self;
        for (id, playing) in hunts {
            played.hunts += 1;
            crash_point!("put");
            let fits = match playing {
                Playing::Whole { mut game, .. } => {
                    // Here, on all cores, and not under the first call that asks for it.
                    game.digest();
                    let hunt = game.into_hunt();
                    played.players += u64::from(hunt.ever_joined());
                    played.epoch_max = played.epoch_max.max(hunt.epoch());
                    shard.placed.add(hunt.settings());
                    shard.hunts.restore(hunt)
                }
                Playing::Lost(last) => {
                    played.quarantined += 1;
                    played.epoch_max = played.epoch_max.max(last.epoch);
                    shard.hunts.restore_lost(id, last)
                }
            };
            played.fits &= fits;
        }
        played
    }
}

/// Why a hunt cannot be rebuilt.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Broken {
    #[error("its snapshot cannot be decoded: {0}")]
    Undecodable(DecodeError),
    #[error("its snapshot cannot be restored: {0}")]
    Snapshot(#[from] SnapshotError),
    #[error(transparent)]
    Ruleset(#[from] RulesetError),
    #[error("record {sequence} cannot be decoded: {why}")]
    Record { sequence: u64, why: DecodeError },
    #[error("record {found} comes where {wanted} has to: records between are missing")]
    Hole { wanted: u64, found: u64 },
    #[error("record {sequence} cannot be played: {why}")]
    Unplayable { sequence: u64, why: PlayError },
    #[error("record {sequence} was {field} {recorded}, and replayed it is {replayed}")]
    Mismatch {
        sequence: u64,
        field: &'static str,
        recorded: String,
        replayed: String,
    },
    #[error("the engine panicked on it; the log says where")]
    Panicked,
}

impl Broken {
    fn label(&self) -> &'static str {
        match self {
            Self::Undecodable(_)
            | Self::Snapshot(_)
            | Self::Ruleset(_)
            | Self::Record { .. }
            | Self::Unplayable { .. } => "unreadable",
            Self::Hole { .. } => "hole",
            Self::Mismatch { .. } => "mismatch",
            Self::Panicked => "panic",
        }
    }
}

/// Runs `work` on one hunt, which is not looked at again if it panics.
fn unwound<T>(work: impl FnOnce() -> Result<T, Broken>) -> Result<T, Broken> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or(Err(Broken::Panicked))
}

/// The hunt as its snapshot has it.
pub(crate) fn restore(kept: &KeptHunt, rulesets: &mut KnownRulesets) -> Result<Hunt, Broken> {
    let message = pb::HuntSnapshot::decode(kept.snapshot.clone()).map_err(Broken::Undecodable)?;
    let snapshot = wire::snapshot(message)?;
    let ruleset = rulesets.parse("its ruleset", &kept.ruleset_hash, &kept.ruleset)?;
    Ok(Hunt::restore(&snapshot, ruleset)?)
}

fn begin(entry: &Entry, rulesets: &mut KnownRulesets) -> Result<Game, Broken> {
    let mut first = decode(entry)?;
    in_order(1, first.sequence)?;
    let recorded = Told::take(&mut first);
    let opened = Game::open(first, DIGEST_EVERY, rulesets);
    let (game, mut replayed) = opened.map_err(|why| Broken::Unplayable { sequence: 1, why })?;
    recorded.compare(&Told::take(&mut replayed))?;
    Ok(game)
}

fn play(game: &mut Game, entry: &Entry) -> Result<(), Broken> {
    let mut record = decode(entry)?;
    let sequence = record.sequence;
    in_order(game.hunt().sequence() + 1, sequence)?;
    let recorded = Told::take(&mut record);
    let replayed = game.play(record);
    let mut replayed = replayed.map_err(|why| Broken::Unplayable { sequence, why })?;
    recorded.compare(&Told::take(&mut replayed))
}

fn decode(entry: &Entry) -> Result<Record, Broken> {
    let sequence = entry.sequence;
    Record::decode(entry.record.clone()).map_err(|why| Broken::Record { sequence, why })
}

fn in_order(wanted: u64, found: u64) -> Result<(), Broken> {
    if found == wanted {
        return Ok(());
    }
    Err(Broken::Hole { wanted, found })
}

/// What a record tells of the change beside what was asked for: what a replay has to come to again.
#[derive(PartialEq)]
struct Told {
    sequence: u64,
    epoch: u64,
    at_ms: i64,
    digest: u64,
    outcome: Option<pb::Outcome>,
    end: Option<pb::HuntEnded>,
}

impl Told {
    /// Takes it out of a record; what is left is enough to play.
    fn take(record: &mut Record) -> Self {
        let (outcome, end) = match &mut record.change {
            Some(Change::Applied(applied)) => (applied.outcome.take(), None),
            Some(Change::Ended(ended)) => (None, Some(std::mem::take(ended))),
            Some(Change::Created(_) | Change::OwnerChanged(_)) | None => (None, None),
        };
        Self {
            sequence: record.sequence,
            epoch: record.epoch,
            at_ms: record.at_ms,
            digest: record.digest,
            outcome,
            end,
        }
    }

    fn compare(&self, replayed: &Self) -> Result<(), Broken> {
        if self == replayed {
            return Ok(());
        }
        // The outcome first: it says the most, and a refused command has no place, epoch or digest.
        let (field, recorded, replayed) = if self.outcome != replayed.outcome {
            differ("outcome", &self.outcome, &replayed.outcome)
        } else if self.epoch != replayed.epoch {
            differ("epoch", &self.epoch, &replayed.epoch)
        } else if self.at_ms != replayed.at_ms {
            differ("at_ms", &self.at_ms, &replayed.at_ms)
        } else if self.end != replayed.end {
            differ("ended", &self.end, &replayed.end)
        } else if self.digest != replayed.digest {
            differ("digest", &self.digest, &replayed.digest)
        } else {
            differ("sequence", &self.sequence, &replayed.sequence)
        };
        Err(Broken::Mismatch {
            sequence: self.sequence,
            field,
            recorded,
            replayed,
        })
    }
}

/// Both values, as far as a line of the log holds them.
fn differ(
    field: &'static str,
    recorded: &impl fmt::Debug,
    replayed: &impl fmt::Debug,
) -> (&'static str, String, String) {
    const SHOWN_CHARS: usize = 400;
    let show = |value: &dyn fmt::Debug| format!("{value:?}").chars().take(SHOWN_CHARS).collect();
    (field, show(recorded), show(replayed))
}
