//! A damaged journal is repaired to hunts as they were, and what cannot be proven is left out by name. The expectation
//! is kept beside the journal: every hunt's sequence and digest after every change.

mod common;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use common::{
    engine::LONG,
    files::{copy_dir, files, trim_write_ahead},
    game::{join, leave, settings},
    journal::{self, call},
    run,
};
use player_state::{
    config::{Claim, Settings},
    inspect::{
        self,
        repair::{Repair, Repaired, repair},
    },
    journal::{Durability, Journal as _, KeptHunt, Store, StoreSettings},
    pb::{Command, CreateHuntRequest, EndHuntRequest, HuntSettings},
    rpc::{Services, server::player_state_service_server::PlayerStateService as _},
    shard::{Limits, Progress, Rulesets, Shard},
    telemetry::Metrics,
    wire,
};
use prost::Message as _;

/// A hunt's sequence and digest.
type At = (u64, u64);

/// An engine over a journal on disk, in this process.
struct Engine {
    store: Arc<Store>,
    shard: Arc<Shard>,
    services: Services,
    /// What every hunt ever was.
    was: HashMap<String, BTreeSet<At>>,
}

impl Engine {
    fn start(dir: &Path) -> Self {
        let settings = StoreSettings::keeping_all(Durability::Sync);
        let opened = Store::open(&dir.join("journal"), settings);
        let (store, recovery) = opened.expect("a whole journal");
        let store = Arc::new(store);
        let shard = Shard::new(
            Arc::<Store>::clone(&store),
            Rulesets::default(),
            Claim::Auto,
            Limits::from(&Settings::defaults()),
            Arc::new(Metrics::new()),
        );
        let recovered = shard.recover(recovery, &Progress::default());
        let recovered = recovered.expect("a whole journal");
        assert_eq!(recovered.quarantined, 0, "every hunt is as it was recorded");
        let shard = Arc::new(shard);
        Self {
            services: Services::new(Arc::clone(&shard)),
            store,
            shard,
            was: HashMap::new(),
        }
    }

    /// Every hunt that is there.
    fn hunts(&self) -> BTreeMap<String, At> {
        let hunts = self.shard.list("", 1_000).0;
        let at = |hunt: &Arc<player_state::engine::HuntLock>| {
            let mut held = hunt.hold().expect("in service");
            (hunt.id().to_string(), (held.sequence(), held.digest()))
        };
        hunts.iter().map(at).collect()
    }

    fn note(&mut self) {
        for (hunt, at) in self.hunts() {
            self.was.entry(hunt).or_default().insert(at);
        }
    }

    async fn create(&mut self, hunt: &str) {
        let request = CreateHuntRequest {
            hunt_id: hunt.to_owned(),
            settings: Some(HuntSettings {
                max_players: 1_000,
                ..settings()
            }),
            ..CreateHuntRequest::default()
        };
        let created = self.services.create_hunt(call(request, LONG)).await;
        created.expect("a hunt");
        self.note();
    }

    async fn apply(&mut self, command: Command) {
        let applied = journal::apply(&self.services, command, LONG).await;
        applied.expect("an answer");
        self.note();
    }

    async fn end(&mut self, hunt: &str) {
        let hunt_id = hunt.to_owned();
        let ended = self
            .services
            .end_hunt(call(EndHuntRequest { hunt_id }, LONG));
        ended.await.expect("ended");
        self.note();
    }

    /// Players `players` join, each at a commit of its own.
    async fn play(&mut self, hunt: &str, players: std::ops::Range<u64>) {
        for player in players {
            self.apply(join(hunt, player, 1)).await;
        }
    }

    fn snap(&self, hunt: &str) {
        let hunts = self.shard.list("", 1_000).0;
        let lock = hunts.iter().find(|lock| lock.id().as_str() == hunt);
        let lock = lock.expect("the hunt");
        let held = lock.hold().expect("in service");
        self.store.put_snapshot(KeptHunt {
            hunt: lock.id().clone(),
            upto: self.store.end(),
            snapshot: wire::hunt_snapshot(&held.snapshot()).encode_to_vec().into(),
            ruleset_hash: held.ruleset().hash().to_owned(),
            ruleset: held.ruleset().bytes().to_vec().into(),
        });
    }

    /// Stops, and answers what every hunt was last, and ever.
    fn stop(self) -> (BTreeMap<String, At>, HashMap<String, BTreeSet<At>>) {
        let last = self.hunts();
        self.store.close();
        (last, self.was)
    }
}

fn tables(database: &Path) -> Vec<PathBuf> {
    let all = files(database, "").into_iter();
    // Table files of the rows, not those of fjall's own list of keyspaces, which is 0.
    all.filter(|path| path.display().to_string().contains("/tables/"))
        .filter(|path| !path.display().to_string().contains("/keyspaces/0/"))
        .collect()
}

fn records(dir: &Path) -> PathBuf {
    dir.join("journal/records")
}

fn state(dir: &Path) -> PathBuf {
    dir.join("journal/state")
}

/// The records' write-ahead file, where it was not changed for a new one yet.
fn write_ahead(dir: &Path) -> PathBuf {
    files(&records(dir), ".jnl").remove(0)
}

/// How many bytes of it are written.
fn written(dir: &Path) -> usize {
    let bytes = fs::read(write_ahead(dir)).expect("a file");
    bytes.len() - bytes.iter().rev().take_while(|byte| **byte == 0).count()
}

fn flip(path: &Path, at: usize) {
    let mut bytes = fs::read(path).expect("a file");
    bytes[at] ^= 0x10;
    fs::remove_file(path).expect("removed"); // it may be a link to the same file in another copy
    fs::write(path, bytes).expect("a write");
}

/// Every file with its bytes.
fn contents(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let all = files(dir, "").into_iter();
    all.map(|path| {
        let bytes = fs::read(&path).expect("a file");
        (path.strip_prefix(dir).expect("inside").to_owned(), bytes)
    })
    .collect()
}

fn repaired(dir: &Path, keep_unproven: bool) -> Repaired {
    let before = contents(&dir.join("journal"));
    let repaired = match repair(dir, keep_unproven).expect("repaired") {
        Repair::Repaired(repaired) => repaired,
        Repair::Whole(whole) => panic!("nothing is damaged: {whole:?}"),
    };
    let aside = Path::new(&repaired.damaged);
    assert_eq!(contents(aside), before, "the damaged one is as it was");
    for left in ["journal.new", "journal.scratch"] {
        assert!(!dir.join(left).exists(), "{left}");
    }
    inspect::verify(dir).expect("a whole journal");
    repaired
}

fn left_out(repaired: &Repaired) -> Vec<&str> {
    repaired.left_out.iter().map(|out| &*out.hunt).collect()
}

/// Six hunts, and the bytes of the write-ahead file in which `broken` alone plays. `on` plays before and after,
/// `begun` begins after; `still` plays before alone, and so does `ended`, which ends; `snapped` has a snapshot after, and plays on.
async fn six_hunts(dir: &Path) -> (BTreeMap<String, At>, HashMap<String, BTreeSet<At>>, usize) {
    let mut engine = Engine::start(dir);
    for hunt in ["broken", "ended", "on", "snapped", "still"] {
        engine.create(hunt).await;
        engine.play(hunt, 1..6).await;
    }
    engine.end("ended").await;
    let from = written(dir);
    engine.play("broken", 6..20).await;
    let upto = written(dir);
    engine.snap("snapped");
    engine.play("snapped", 6..8).await;
    engine.create("begun").await;
    for hunt in ["begun", "broken", "on"] {
        engine.play(hunt, 20..25).await;
    }
    let (last, was) = engine.stop();
    (last, was, from.midpoint(upto))
}

#[tokio::test(flavor = "multi_thread")]
async fn damage_between_good_commits_leaves_out_what_it_broke_and_what_nothing_proves() {
    let dir = tempfile::tempdir().expect("a directory");
    let (last, _, middle) = six_hunts(dir.path()).await;
    flip(&write_ahead(dir.path()), middle);
    inspect::verify(dir.path()).expect_err("it is damaged");
    // As one that was killed leaves it.
    for left in ["journal.new", "journal.scratch"] {
        copy_dir(&dir.path().join("journal"), &dir.path().join(left));
    }
    let repaired = tokio::task::block_in_place(|| repaired(dir.path(), false));
    assert_eq!(left_out(&repaired), ["broken", "still"]);
    assert_eq!(repaired.lost.len(), 1, "{repaired:?}");
    assert_eq!(repaired.unreadable.len(), 1, "{repaired:?}");

    let engine = Engine::start(dir.path());
    let mut kept = last.clone();
    kept.remove("broken");
    kept.remove("still");
    assert_eq!(engine.hunts(), kept);
    let create = CreateHuntRequest {
        hunt_id: "still".to_owned(),
        settings: Some(settings()),
        ..CreateHuntRequest::default()
    };
    let refused = engine.services.create_hunt(call(create, LONG)).await;
    let refused = refused.expect_err("its id is not used again");
    assert_eq!(refused.code(), tonic::Code::AlreadyExists);
}

#[tokio::test(flavor = "multi_thread")]
async fn hunts_that_nothing_proves_are_kept_at_their_last_state_if_that_is_asked_for() {
    let dir = tempfile::tempdir().expect("a directory");
    let (mut last, _, middle) = six_hunts(dir.path()).await;
    flip(&write_ahead(dir.path()), middle);
    let repaired = tokio::task::block_in_place(|| repaired(dir.path(), true));
    assert_eq!(left_out(&repaired), ["broken"]);
    let unproven: Vec<_> = repaired.unproven.iter().map(|kept| &*kept.hunt).collect();
    assert_eq!(unproven, ["still"]);
    last.remove("broken");
    assert_eq!(Engine::start(dir.path()).hunts(), last);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_whole_journal_is_left_as_it_is() {
    let dir = tempfile::tempdir().expect("a directory");
    six_hunts(dir.path()).await;
    let before = contents(dir.path());
    let told = tokio::task::block_in_place(|| repair(dir.path(), false));
    assert!(matches!(told, Ok(Repair::Whole(_))), "{told:?}");
    let mut after = contents(dir.path());
    after.remove(Path::new("owner.lock"));
    assert_eq!(after, before);
}

/// Hunts whose records fill a table, and a write-ahead file behind it: `long` alone in the middle of them. The table is
/// damaged by `damage`. With snapshots of all, if that is asked for.
async fn a_damaged_table(dir: &Path, damage: fn(&mut [u8]), snapped: bool) -> BTreeMap<String, At> {
    let mut engine = Engine::start(dir);
    for hunt in ["long", "short", "still"] {
        engine.create(hunt).await;
        engine.play(hunt, 1..100).await;
    }
    for request in 2..602 {
        let commands = (1..100).map(|player| match request % 2 {
            0 => leave("long", player, request),
            _ => join("long", player, request),
        });
        let applied = journal::apply_batch(&engine.services, commands.collect(), LONG).await;
        applied.expect("an answer");
    }
    engine.play("short", 100..110).await;
    if snapped {
        for hunt in ["long", "short", "still"] {
            engine.snap(hunt);
        }
    }
    let last = engine.stop().0;
    let table = tables(&records(dir)).remove(0);
    let mut bytes = fs::read(&table).expect("a file");
    damage(&mut bytes);
    fs::write(&table, bytes).expect("a write");
    inspect::verify(dir).expect_err("it is damaged");
    last
}

fn in_its_middle(table: &mut [u8]) {
    let middle = table.len() / 2;
    table[middle] ^= 0x10;
}

/// Where it says what it has, and where.
fn at_its_end(table: &mut [u8]) {
    let from = table.len() - 64;
    table[from..].fill(0xa5);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_block_of_a_table_loses_its_rows_alone() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut last = a_damaged_table(dir.path(), in_its_middle, false).await;
    let repaired = tokio::task::block_in_place(|| repaired(dir.path(), false));
    assert_eq!(left_out(&repaired), ["long", "still"]);
    let lost = repaired.lost[0].upto - repaired.lost[0].from;
    assert!(lost < 2_000, "{lost} records are lost by one block");
    last.remove("long");
    last.remove("still");
    assert_eq!(Engine::start(dir.path()).hunts(), last);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_cannot_be_opened_takes_the_write_ahead_file_not_along() {
    let dir = tempfile::tempdir().expect("a directory");
    a_damaged_table(dir.path(), at_its_end, false).await;
    let repaired = tokio::task::block_in_place(|| repaired(dir.path(), false));
    assert!(
        repaired.records > 10,
        "of `long`, and of `short`, which joined it late"
    );
    assert_eq!(
        left_out(&repaired),
        ["long", "short"],
        "nothing is known of `still`"
    );
    let table = &repaired.unreadable[0];
    assert!(table.at.contains("/tables/"), "{table}");
    assert!(Engine::start(dir.path()).hunts().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_behind_the_damage_proves_its_hunt() {
    let dir = tempfile::tempdir().expect("a directory");
    let last = a_damaged_table(dir.path(), in_its_middle, true).await;
    let repaired = tokio::task::block_in_place(|| repaired(dir.path(), false));
    assert!(!repaired.lost.is_empty());
    assert_eq!(left_out(&repaired), [""; 0]);
    assert_eq!(Engine::start(dir.path()).hunts(), last);
}

/// Overwrites every file of a database.
fn garble(database: &Path) {
    for path in files(database, "") {
        let len = fs::metadata(&path).expect("a file").len();
        let bytes: Vec<u8> = (0..len).map(|n| n.wrapping_mul(151) as u8 ^ 0xa5).collect();
        fs::write(path, bytes).expect("a write");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_state_hunts_come_back_from_their_records() {
    for deleted in [true, false] {
        let dir = tempfile::tempdir().expect("a directory");
        let (last, ..) = six_hunts(dir.path()).await;
        if deleted {
            fs::remove_dir_all(state(dir.path())).expect("removed");
        } else {
            garble(&state(dir.path()));
        }
        let why = inspect::verify(dir.path()).expect_err("it is damaged");
        assert!(why.to_string().contains("journal repair"), "{why}");
        let repaired = tokio::task::block_in_place(|| repaired(dir.path(), false));
        assert_eq!(left_out(&repaired), [""; 0]);
        assert!(
            repaired
                .unreadable
                .iter()
                .any(|damage| damage.at.ends_with("journal/state"))
        );
        assert_eq!(Engine::start(dir.path()).hunts(), last);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_records_hunts_come_back_from_snapshots_behind_them_all() {
    let dir = tempfile::tempdir().expect("a directory");
    let (last, ..) = six_hunts(dir.path()).await;
    let engine = Engine::start(dir.path());
    for hunt in ["begun", "broken", "on"] {
        engine.snap(hunt);
    }
    engine.stop();
    garble(&records(dir.path()));
    inspect::verify(dir.path()).expect_err("it is damaged");
    let repaired = tokio::task::block_in_place(|| repaired(dir.path(), false));
    assert_eq!(
        left_out(&repaired),
        ["snapped"],
        "its snapshot is before their end"
    );
    let hunts = Engine::start(dir.path()).hunts();
    let kept = ["begun", "broken", "on"].map(|hunt| (hunt.to_owned(), last[hunt]));
    assert_eq!(hunts, BTreeMap::from(kept));
}

/// A directory that no sync takes time for.
fn in_memory() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    let dir = if memory.is_dir() {
        tempfile::tempdir_in(memory)
    } else {
        tempfile::tempdir()
    };
    dir.expect("a directory")
}

/// A sample of all flips, of every file that holds anything. `JOURNAL_BITS=1` takes more of them.
#[tokio::test(flavor = "multi_thread")]
async fn a_repaired_hunt_is_never_in_a_state_that_it_was_not_in() {
    let dir = in_memory();
    let (last, was, _) = six_hunts(dir.path()).await;
    trim_write_ahead(&dir.path().join("journal"));
    let long = std::env::var_os("JOURNAL_BITS").is_some();
    let (mut repairs, mut wholes) = (0, 0);
    for database in [records(dir.path()), state(dir.path())] {
        for path in files(&database, "") {
            let bytes = fs::read(&path).expect("a file");
            let used = bytes.len() - bytes.iter().rev().take_while(|byte| **byte == 0).count();
            let flips = match path.extension() {
                _ if long => 400,
                Some(_) => 8, // a write-ahead file
                None => 1,
            };
            for at in (used / 3..used).step_by(used / flips + 1) {
                let copy = in_memory();
                copy_dir(dir.path(), copy.path());
                let name = path.strip_prefix(dir.path()).expect("inside");
                flip(&copy.path().join(name), at);
                let what = format!("{} at {at}", name.display());
                let told = tokio::task::block_in_place(|| repair(copy.path(), true));
                let told = told.unwrap_or_else(|why| panic!("{what}: {why}"));
                inspect::verify(copy.path()).unwrap_or_else(|why| panic!("{what}: {why}"));
                let hunts = Engine::start(copy.path()).hunts();
                for (hunt, at) in &hunts {
                    assert!(was[hunt].contains(at), "{what}: {hunt} is {at:?}");
                }
                match told {
                    Repair::Repaired(repaired) => {
                        repairs += 1;
                        let named = left_out(&repaired).len() + repaired.unproven.len();
                        let same = last
                            .iter()
                            .filter(|(hunt, at)| hunts.get(*hunt) == Some(at));
                        assert!(same.count() + named >= last.len(), "{what}: {repaired:?}");
                    }
                    Repair::Whole(_) => wholes += 1,
                }
            }
        }
    }
    assert!(repairs > 10, "{repairs} repairs, {wholes} whole");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_says_what_is_lost_and_how_to_undo_it() {
    let dir = tempfile::tempdir().expect("a directory");
    let (.., middle) = six_hunts(dir.path()).await;
    flip(&write_ahead(dir.path()), middle);
    let again = tempfile::tempdir().expect("a directory");
    copy_dir(dir.path(), again.path());
    let shown = dir.path().display().to_string();
    let (code, said, why) = run(&["journal", "repair", &shown], &[]);
    assert_eq!(code, Some(0), "{why}");
    for says in [
        "LOST: 1",
        "LEFT OUT: 2",
        "still: records of it may be lost",
        "journal.damaged-",
    ] {
        assert!(said.contains(says), "{says:?} is not in {said}");
    }
    let (code, said, why) = run(&["journal", "repair", &shown], &[]);
    assert_eq!(code, Some(0), "{why}");
    assert!(said.contains("nothing is damaged"), "{said}");

    let shown = again.path().display().to_string();
    let args = ["journal", "repair", &shown, "--keep-unproven", "-o", "json"];
    let (code, json, why) = run(&args, &[]);
    assert_eq!(code, Some(0), "{why}");
    let told: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(told["result"], "repaired", "{json}");
    assert_eq!(told["unproven"][0]["hunt"], "still", "{json}");
    assert_eq!(told["left_out"][0]["hunt"], "broken", "{json}");
}
