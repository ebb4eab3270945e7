//! `journal repair`: a new journal of what can still be read of a damaged one.
//!
//! What must stay true: the damaged journal is never changed, only moved aside at the end; and a hunt is kept when it is
//! proven that none of its records is lost, or when it is asked for. Whatever else is left out is told by name.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    convert::Infallible,
    fmt, fs, io,
    path::Path,
    time::SystemTime,
};

use rustix::fs::{CWD, RenameFlags, renameat_with};
use serde::{Serialize, Serializer};

use super::{
    Verified,
    backup::{Beside, unwritten},
    check, check_record, open,
    progress::Progress,
};
use crate::{
    data_dir::{self, DataDir},
    engine::HuntId,
    exit::Exit,
    journal::{
        Damage, Entry, Fence, Head, KeptHunt, KeptState, Part, Place, Salvage, Store, copy_journal,
        sync_dir,
    },
    pb::{Record, record::Change},
    replay::KnownRulesets,
    shard::restore,
};

/// Names of hunts that the text shows.
const NAMES_SHOWN: usize = 20;

/// What a repair came to.
#[derive(Debug, Serialize)]
#[serde(tag = "result", rename_all = "snake_case")]
pub enum Repair {
    /// There was nothing to do, and nothing was changed.
    Whole(Verified),
    /// A new journal is in the damaged one's place.
    Repaired(Repaired),
}

/// What a new journal has, and what it lacks.
#[derive(Debug, Serialize)]
pub struct Repaired {
    /// Records that are kept.
    pub records: u64,
    /// Hunts that a start serves again.
    pub hunts: u64,
    /// Of these, hunts that may lack their last records: kept because that was asked for.
    pub unproven: Vec<Unproven>,
    /// Hunts that are not served again. Their ids are not used again either.
    pub left_out: Vec<LeftOut>,
    /// Where records are lost: from a place, up to another, as they were numbered.
    pub lost: Vec<Stretch>,
    /// What could not be read.
    #[serde(serialize_with = "as_text")]
    pub unreadable: Vec<Damage>,
    /// The bytes of a torn end, which nobody was answered for.
    pub torn_bytes: u64,
    /// Where the damaged journal is now.
    pub damaged: String,
}

/// Places whose records are lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Stretch {
    /// The first.
    pub from: u64,
    /// The one after the last.
    pub upto: u64,
}

/// A hunt that is not served again.
#[derive(Debug, Serialize)]
pub struct LeftOut {
    /// Which.
    pub hunt: String,
    /// What is lost of it.
    pub why: String,
}

/// A hunt that may lack its last records.
#[derive(Debug, Serialize)]
pub struct Unproven {
    /// Which.
    pub hunt: String,
    /// The last sequence of it that can be read.
    pub sequence: u64,
}

/// Writes a new journal of what can be read of the one in `dir`, and moves that aside; with `keep_unproven` with the
/// hunts that may lack their last records, at the last state that can be read.
///
/// # Errors
/// 75 if a process holds the directory; 78 if it has no journal; 1 if the new one cannot be written. The damaged journal
/// is where it was then.
pub fn repair(dir: &Path, keep_unproven: bool) -> Result<Repair, Exit> {
    let journal = data_dir::journal(dir);
    if !journal.is_dir() {
        return Err(Exit::settings(format!("{}: has no journal", dir.display())));
    }
    let _held = DataDir::hold(dir)?;
    let uncopied = |err: io::Error| unwritten(&dir.join("journal.scratch"), &err);
    {
        let copy = Beside::begin(dir, "journal.scratch")?;
        copy_journal(&journal, copy.path()).map_err(uncopied)?;
        let whole = open(copy.path()).and_then(|(store, recovery)| check(&store, &recovery));
        if let Ok(verified) = whole {
            return Ok(Repair::Whole(verified));
        }
    }
    let scratch = Beside::begin(dir, "journal.scratch")?;
    let salvage = Salvage::open(&journal, scratch.path()).map_err(uncopied)?;
    let found = Found::read(&salvage);
    let verdicts = found.judge(keep_unproven);

    let new = Beside::begin(dir, "journal.new")?;
    let head = Head {
        at_ms: 0,
        records: found.records,
        recovery_start: Place(0),
    };
    let mut progress = Progress::new("written", found.records);
    let records = records(&salvage).map(|(_, entry, _)| {
        progress.add(1);
        Ok::<_, Infallible>(Part::Record(entry))
    });
    let parts = records.chain(found.state(&verdicts).map(Ok));
    let built = Store::build(new.path(), &head, parts);
    built.map_err(|why| Exit::runtime(why.to_string()))?;
    drop(progress);

    // Without what `scp` takes for the end of a host's name.
    let now = humantime::format_rfc3339_seconds(SystemTime::now());
    let now = now.to_string().replace(['-', ':'], "");
    let aside = dir.join(format!("journal.damaged-{now}"));
    // Under the name that the damaged one gets, and then both at once: there is a journal at every moment.
    new.put_in_place(&aside)?;
    if let Err(err) = renameat_with(CWD, &aside, CWD, &journal, RenameFlags::EXCHANGE) {
        // It is the new one, and the damaged one is where it was.
        let _ = fs::remove_dir_all(&aside);
        return Err(unwritten(&journal, &err.into()));
    }
    sync_dir(dir).map_err(|err| unwritten(dir, &err))?;
    Ok(Repair::Repaired(found.told(
        verdicts,
        &salvage,
        aside.display().to_string(),
    )))
}

/// The records that can be read and are what they are kept as.
fn records(salvage: &Salvage) -> impl Iterator<Item = (Place, Entry, Record)> {
    let entries = salvage.records().flatten();
    entries.filter_map(|(place, entry)| {
        let record = check_record(place, &entry).ok()?;
        Some((place, entry, record))
    })
}

/// What can be read of a damaged journal.
struct Found {
    state: KeptState,
    snapshots: HashMap<HuntId, Snapshot>,
    hunts: BTreeMap<HuntId, Seen>,
    records: u64,
    /// Where the records began before any was lost.
    from: Place,
    lost: Vec<Stretch>,
    epoch_max: u64,
}

/// Where a hunt's snapshot stands.
struct Snapshot {
    upto: Place,
    sequence: u64,
    has_ended: bool,
}

/// A hunt's records that can be read.
#[derive(Default)]
struct Seen {
    /// Stretches in which its sequences follow one another.
    chains: Vec<Chain>,
    has_ended: bool,
}

#[derive(Clone, Copy)]
struct Chain {
    first_sequence: u64,
    last_sequence: u64,
    first: Place,
    last: Place,
}

impl Seen {
    fn add(&mut self, place: Place, sequence: u64) {
        match self.chains.last_mut() {
            Some(chain) if chain.last_sequence + 1 == sequence => {
                (chain.last_sequence, chain.last) = (sequence, place);
            }
            _ => self.chains.push(Chain {
                first_sequence: sequence,
                last_sequence: sequence,
                first: place,
                last: place,
            }),
        }
    }
}

/// What becomes of a hunt.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    /// Nothing of it is lost.
    Whole,
    /// All up to a sequence can be read, and there may have been more.
    Unproven { sequence: u64 },
    /// It cannot be rebuilt.
    Broken(Broken),
    /// It was let go before.
    Gone,
}

#[derive(Debug, PartialEq, Eq)]
enum Broken {
    Beginning { from: u64 },
    Between { last: u64, next: u64 },
    Snapshot,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Beginning { from } => {
                write!(f, "no snapshot can be read, and no record before {from}")
            }
            Self::Between { last, next } => {
                write!(f, "its records between {last} and {next} are lost")
            }
            Self::Snapshot => f.write_str("its snapshot cannot be read, and it has no records"),
        }
    }
}

impl Found {
    fn read(salvage: &Salvage) -> Self {
        let mut hunts: BTreeMap<HuntId, Seen> = BTreeMap::new();
        let (mut records_read, mut lost, mut epoch_max) = (0, Vec::new(), 0);
        let mut bounds: Option<(Place, Place)> = None;
        let mut progress = Progress::new("read", salvage.records_about());
        for (place, entry, record) in records(salvage) {
            progress.add(1);
            if let Some((_, end)) = bounds {
                note(&mut lost, end, place);
            }
            bounds = Some((bounds.map_or(place, |(first, _)| first), place.next()));
            records_read += 1;
            epoch_max = record.epoch.max(epoch_max);
            let seen = hunts.entry(entry.hunt).or_default();
            seen.add(place, entry.sequence);
            seen.has_ended |= matches!(record.change, Some(Change::Ended(_)));
        }
        let mut state = salvage.state(hunts.keys());
        let snapshots = snapshots(&mut state, &mut epoch_max);
        // Where the state is not whole, anything may have been before the first record that is left.
        let from = state.records_from.unwrap_or_default();
        let (first, end) = bounds.unwrap_or((from, from));
        note(&mut lost, from, first);
        note(&mut lost, end, state.records_upto);
        lost.sort_by_key(|stretch| stretch.from);
        Self {
            state,
            snapshots,
            hunts,
            records: records_read,
            from: from.min(first),
            lost,
            epoch_max,
        }
    }

    /// What becomes of each hunt that is known of.
    fn judge(&self, keep_unproven: bool) -> BTreeMap<HuntId, (Verdict, bool)> {
        let gone: HashSet<_> = self.state.gone.iter().collect();
        let known = self.hunts.keys().chain(self.snapshots.keys());
        let known = known.chain(&self.state.unreadable_hunts);
        known
            .map(|hunt| {
                let verdict = if gone.contains(hunt) || self.is_forgotten(hunt) {
                    Verdict::Gone
                } else {
                    self.judge_one(hunt)
                };
                let is_kept = match verdict {
                    Verdict::Whole => true,
                    Verdict::Unproven { .. } => keep_unproven,
                    Verdict::Broken(_) | Verdict::Gone => false,
                };
                (hunt.clone(), (verdict, is_kept))
            })
            .collect()
    }

    /// Whether it was let go so long ago that its id is not remembered. Known only where all of the state is.
    fn is_forgotten(&self, hunt: &HuntId) -> bool {
        let last = self.hunts.get(hunt).and_then(|seen| seen.chains.last());
        let needed_from = self.state.recovery_start.unwrap_or_default();
        self.state.records_from.is_some()
            && !self.snapshots.contains_key(hunt)
            && last.is_some_and(|chain| chain.last < needed_from)
    }

    fn judge_one(&self, hunt: &HuntId) -> Verdict {
        let (chains, mut has_ended) = match self.hunts.get(hunt) {
            Some(seen) => (&seen.chains[..], seen.has_ended),
            None => (&[][..], false),
        };
        let (mut sequence, mut next) = (0, Place(0));
        if let Some(snapshot) = self.snapshots.get(hunt) {
            (sequence, next) = (snapshot.sequence, snapshot.upto);
            has_ended |= snapshot.has_ended;
        }
        let upto = next;
        for chain in chains.iter().filter(|chain| chain.last >= upto) {
            // A snapshot may stand in the middle of a chain.
            let follows = if chain.first < next {
                chain.first_sequence <= sequence + 1
            } else {
                chain.first_sequence == sequence + 1
            };
            if !follows {
                return Verdict::Broken(match sequence {
                    0 => Broken::Beginning {
                        from: chain.first_sequence,
                    },
                    last => Broken::Between {
                        last,
                        next: chain.first_sequence,
                    },
                });
            }
            (sequence, next) = (chain.last_sequence, chain.last.next());
        }
        if sequence == 0 {
            return Verdict::Broken(Broken::Snapshot);
        }
        let may_lack = self.lost.iter().any(|stretch| stretch.upto > next.0);
        if may_lack && !has_ended {
            return Verdict::Unproven { sequence };
        }
        Verdict::Whole
    }

    /// What the new journal has beside the records.
    fn state(
        &self,
        verdicts: &BTreeMap<HuntId, (Verdict, bool)>,
    ) -> impl Iterator<Item = Part> + use<> {
        let is_kept = |hunt: &HuntId| verdicts.get(hunt).is_some_and(|(_, is_kept)| *is_kept);
        let kept = self.state.hunts.iter().filter(|kept| is_kept(&kept.hunt));
        let snapshots: Vec<_> = kept
            .map(|kept| {
                let upto = self.new_place(kept.upto);
                Part::Snapshot(KeptHunt {
                    upto,
                    ..kept.clone()
                })
            })
            .collect();
        let known: HashSet<_> = self.state.gone.iter().collect();
        let left_out = verdicts
            .iter()
            .filter(|(hunt, (_, is_kept))| !is_kept && !known.contains(hunt));
        let gone = self.state.gone.iter().chain(left_out.map(|(hunt, _)| hunt));
        let gone: Vec<_> = gone.cloned().map(Part::Gone).collect();
        let fence = Fence {
            // That of a hunt that is left out is not to be used again.
            epoch: self.state.fence.epoch.max(self.epoch_max),
            ..self.state.fence.clone()
        };
        snapshots
            .into_iter()
            .chain(gone)
            .chain([Part::Fence(fence)])
    }

    /// A place as the new journal counts: from 0, and without what is lost.
    fn new_place(&self, place: Place) -> Place {
        let before = place.0.saturating_sub(self.from.0);
        let lost = self.lost.iter().map(|stretch| {
            let upto = stretch.upto.min(place.0);
            upto.saturating_sub(stretch.from)
        });
        let kept = before.saturating_sub(lost.sum());
        Place(kept.min(self.records))
    }

    fn told(
        self,
        verdicts: BTreeMap<HuntId, (Verdict, bool)>,
        salvage: &Salvage,
        damaged: String,
    ) -> Repaired {
        let (mut hunts, mut unproven, mut left_out) = (0, Vec::new(), Vec::new());
        for (hunt, (verdict, is_kept)) in verdicts {
            hunts += u64::from(is_kept);
            let hunt = hunt.to_string();
            match verdict {
                Verdict::Whole | Verdict::Gone => {}
                Verdict::Unproven { sequence } if is_kept => {
                    unproven.push(Unproven { hunt, sequence });
                }
                Verdict::Unproven { sequence } => {
                    let why = format!("records of it may be lost behind {sequence}");
                    left_out.push(LeftOut { hunt, why });
                }
                Verdict::Broken(why) => {
                    let why = why.to_string();
                    left_out.push(LeftOut { hunt, why });
                }
            }
        }
        Repaired {
            records: self.records,
            hunts,
            unproven,
            left_out,
            lost: self.lost,
            unreadable: [salvage.damage(), &self.state.damage].concat(),
            torn_bytes: salvage.torn_bytes(),
            damaged,
        }
    }
}

/// The snapshots that can be restored; one that cannot is told as unreadable.
fn snapshots(state: &mut KeptState, epoch_max: &mut u64) -> HashMap<HuntId, Snapshot> {
    let mut rulesets = KnownRulesets::default();
    let mut snapshots = HashMap::new();
    for kept in std::mem::take(&mut state.hunts) {
        match restore(&kept, &mut rulesets) {
            Ok(hunt) => {
                *epoch_max = hunt.epoch().max(*epoch_max);
                let snapshot = Snapshot {
                    upto: kept.upto,
                    sequence: hunt.sequence(),
                    has_ended: hunt.has_ended(),
                };
                snapshots.insert(kept.hunt.clone(), snapshot);
                state.hunts.push(kept);
            }
            Err(why) => {
                state.damage.push(Damage {
                    at: format!("the snapshot of hunt {}", kept.hunt),
                    what: why.to_string(),
                });
                state.unreadable_hunts.push(kept.hunt);
            }
        }
    }
    snapshots
}

fn note(lost: &mut Vec<Stretch>, from: Place, upto: Place) {
    if from < upto {
        lost.push(Stretch {
            from: from.0,
            upto: upto.0,
        });
    }
}

fn as_text<S: Serializer>(damage: &[Damage], to: S) -> Result<S::Ok, S::Error> {
    to.collect_seq(
        damage
            .iter()
            .map(|damage| format!("{}: {}", damage.at, damage.what)),
    )
}

impl fmt::Display for Repaired {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "a new journal has {} records, and {} hunts are served again; {} torn bytes were passed over",
            self.records, self.hunts, self.torn_bytes
        )?;
        let lost: Vec<_> = self
            .lost
            .iter()
            .map(|lost| format!("{}..{}", lost.from, lost.upto))
            .collect();
        list(f, "places whose records are LOST", &lost)?;
        let left_out = self.left_out.iter();
        let left_out: Vec<_> = left_out
            .map(|out| format!("{}: {}", out.hunt, out.why))
            .collect();
        list(f, "hunts that are LEFT OUT", &left_out)?;
        let unproven = self.unproven.iter();
        let unproven: Vec<_> = unproven
            .map(|kept| {
                format!(
                    "{}: what was answered behind {} is taken back",
                    kept.hunt, kept.sequence
                )
            })
            .collect();
        list(f, "hunts that may lack their last records", &unproven)?;
        let unreadable: Vec<_> = self.unreadable.iter().map(ToString::to_string).collect();
        list(f, "not readable", &unreadable)?;
        write!(
            f,
            "a hunt of which neither a record nor a snapshot is left cannot be named here: `canaryctl repair` lists what the \
             router knows of\nthe damaged journal is {}; to undo this, move it back to the place of the new one",
            self.damaged
        )
    }
}

fn list(f: &mut fmt::Formatter<'_>, what: &str, items: &[String]) -> fmt::Result {
    if items.is_empty() {
        return Ok(());
    }
    writeln!(f, "{what}: {}", items.len())?;
    for item in items.iter().take(NAMES_SHOWN) {
        writeln!(f, "  {item}")?;
    }
    match items.len().saturating_sub(NAMES_SHOWN) {
        0 => Ok(()),
        more => writeln!(f, "  and {more} more, all of which -o json names"),
    }
}
