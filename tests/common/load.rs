//! Load on a process that may go at any time, and the audit of what it answered. The expectation lives here,
//! outside of the process: what was answered, and where.

use std::{
    collections::HashMap,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use player_state::{
    pb::{Record, Verdict, record::Change},
    replay,
};
use prost::Message as _;
use tokio::task::JoinHandle;

use super::{
    PATIENCE, Sidecar, Start,
    game::{Game, dig, join, settings, step},
};

pub const HUNTS: u64 = 4;
pub const PLAYERS_OF_HUNT: u64 = 6;

/// What a caller was told of its requests: the sequence of each that was applied.
pub type Answered = HashMap<u64, u64>;

/// A player that plays on through crashes: what was not answered is asked again under its own id.
#[derive(Clone)]
pub struct Caller {
    hunt: String,
    player: u64,
    request: u64,
    x: u32,
    y: u32,
    pub answered: Answered,
}

impl Caller {
    /// Plays until it is told to stop, or a call fails: then its request stays the next one.
    async fn play(&mut self, game: &Game, told: &Told) {
        while !told.stop.load(Ordering::Relaxed) {
            let command = match self.request {
                1 => join(&self.hunt, self.player, 1),
                n if n.is_multiple_of(8) => dig(&self.hunt, self.player, n),
                // A step there, and a step back.
                n => step(&self.hunt, self.player, n, self.x ^ 1, self.y),
            };
            let Ok(outcome) = game.apply(command).await else {
                return;
            };
            match outcome.verdict() {
                Verdict::Applied | Verdict::Duplicate if !told.doubt.load(Ordering::SeqCst) => {
                    self.answered.insert(self.request, outcome.sequence);
                }
                Verdict::Applied | Verdict::Duplicate | Verdict::Rejected => {}
                Verdict::Unspecified | Verdict::Refused | Verdict::Expired | Verdict::Unknown => {
                    panic!("{outcome:?}")
                }
            }
            if let Some(player) = &outcome.player {
                (self.x, self.y) = (player.x, player.y);
            }
            told.answers.fetch_add(1, Ordering::Relaxed);
            self.request += 1;
        }
    }
}

/// What the callers are told, and tell.
#[derive(Default)]
struct Told {
    stop: AtomicBool,
    doubt: AtomicBool,
    answers: AtomicU64,
}

/// All callers at play against one process.
pub struct Load {
    tasks: Vec<JoinHandle<Caller>>,
    told: Arc<Told>,
}

impl Load {
    pub async fn begin(sidecar: &Sidecar, callers: Vec<Caller>) -> Self {
        let told = Arc::new(Told::default());
        let game = Game::new(sidecar.connect().await);
        let tasks = callers.into_iter().map(|mut caller| {
            let (game, told) = (game.clone(), Arc::clone(&told));
            tokio::spawn(async move {
                caller.play(&game, &told).await;
                caller
            })
        });
        Self {
            tasks: tasks.collect(),
            told,
        }
    }

    /// How many answers came.
    pub fn answers(&self) -> u64 {
        self.told.answers.load(Ordering::Relaxed)
    }

    /// What is answered from here on is not relied on: it may be there or not.
    pub fn doubt(&self) {
        self.told.doubt.store(true, Ordering::SeqCst);
    }

    /// Waits for so many answers.
    pub async fn answered(&self, count: u64) {
        let enough = async {
            while self.answers() < count {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        tokio::time::timeout(PATIENCE, enough)
            .await
            .expect("answers");
    }

    pub async fn callers(self) -> Vec<Caller> {
        self.told.stop.store(true, Ordering::Relaxed);
        let mut callers = Vec::new();
        for task in self.tasks {
            callers.push(task.await.expect("no caller was told anything else"));
        }
        callers
    }
}

pub fn hunt(n: u64) -> String {
    format!("kept-{n}")
}

pub fn start(dir: &Path, failpoints: &str) -> Start {
    let start = Start::new().arg("--claim=auto").arg("--ended-keep=1h");
    let start = start.arg(&format!("--data-dir={}", dir.display()));
    if failpoints.is_empty() {
        start
    } else {
        start.env("FAILPOINTS", failpoints)
    }
}

/// Hunts, and whoever plays in them.
pub async fn hunts(sidecar: &Sidecar) -> Vec<Caller> {
    let game = Game::new(sidecar.connect().await);
    let mut callers = Vec::new();
    for n in 0..HUNTS {
        game.create(&hunt(n), settings()).await.expect("created");
        callers.extend((1..=PLAYERS_OF_HUNT).map(|player| Caller {
            hunt: hunt(n),
            player,
            request: 1,
            x: 0,
            y: 0,
            answered: Answered::new(),
        }));
    }
    callers
}

pub fn kill(mut sidecar: Sidecar) {
    sidecar.signal(rustix::process::Signal::KILL);
    sidecar.ended();
}

/// Every answer is in the feed where it said; no request is there twice; sequences have no hole; no owner has an
/// epoch again; the state is what its records come to.
pub async fn audit(sidecar: &Sidecar, callers: &[Caller]) {
    let lost = lost(sidecar, callers).await;
    assert_eq!(lost, 0, "answered changes are lost");
}

/// How many answered changes are not where their answers said; all else of [`audit`] must hold.
pub async fn lost(sidecar: &Sidecar, callers: &[Caller]) -> usize {
    let mut lost = 0;
    let game = Game::new(sidecar.connect().await);
    for n in 0..HUNTS {
        let records = game.records(&hunt(n)).await;
        let mut places = HashMap::new();
        let mut epoch = 0;
        for (nth, record) in (1..).zip(&records) {
            assert_eq!(record.sequence, nth, "{}: a hole or a double", hunt(n));
            if let Some(Change::OwnerChanged(_)) = &record.change {
                assert!(record.epoch > epoch, "{}: epoch {epoch} again", hunt(n));
            }
            epoch = record.epoch;
            if let Some(Change::Applied(applied)) = &record.change {
                let command = applied.command.as_ref().expect("a command");
                let before = places.insert((command.player_id, command.request_id), nth);
                assert_eq!(before, None, "{command:?} was applied twice");
            }
        }
        for caller in callers.iter().filter(|caller| caller.hunt == hunt(n)) {
            for (request, sequence) in &caller.answered {
                lost += usize::from(places.get(&(caller.player, *request)) != Some(sequence));
            }
        }
        let view = game.hunt(&hunt(n), 0).await.expect("the hunt");
        assert_eq!(view.sequence, records.len() as u64);
        assert_eq!(view.digest.to_string(), replayed(&records), "{}", hunt(n));
    }
    lost
}

/// The digest that records come to when they are played from the first on.
pub fn replayed(records: &[Record]) -> String {
    let file: Vec<u8> = records
        .iter()
        .flat_map(Record::encode_length_delimited_to_vec)
        .collect();
    let summary = replay::run(&*file, std::io::sink()).expect("records that can be played");
    summary.digest
}
