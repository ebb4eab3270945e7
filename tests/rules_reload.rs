//! A failed reload of the rulesets changes nothing and says so; a good one is for new hunts. Against the real
//! program, in real directories.

mod common;

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use common::{
    PATIENCE, Sidecar,
    game::{Game, join, settings},
};
use player_state::pb::{HuntCreated, HuntSettings, Verdict, record::Change};
use rustix::process::Signal;
use tonic::Code;

/// A program with a directory of rulesets that has `mine`.
struct Stage {
    dir: tempfile::TempDir,
    sidecar: Sidecar,
    game: Game,
    hunts: u32,
}

/// A ruleset of one power-up.
fn ruleset(power_up: &str) -> String {
    format!(
        "[[power_up]]\nname = \"{power_up}\"\nweight = 1\ntarget = \"self\"\neffects = [{{ kind = \"cleanse\" }}]\n"
    )
}

/// Puts a file into place whole.
fn replace(dir: &Path, name: &str, text: &str) {
    let draft = dir.join("draft");
    fs::write(&draft, text).expect("written");
    fs::rename(draft, dir.join(name)).expect("renamed");
}

impl Stage {
    async fn new() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        fs::create_dir(dir.path().join("rules")).expect("a directory");
        replace(&dir.path().join("rules"), "mine.toml", &ruleset("first"));
        let rules = format!("--rules={}", dir.path().join("rules").display());
        let sidecar = Sidecar::start(&["--claim=auto", &rules]);
        let game = Game::new(sidecar.connect().await);
        Self {
            dir,
            sidecar,
            game,
            hunts: 0,
        }
    }

    fn rules(&self) -> PathBuf {
        self.dir.path().join("rules")
    }

    fn replace(&self, name: &str, text: &str) {
        replace(&self.rules(), name, text);
    }

    /// Creates a hunt; nothing if its ruleset is not known.
    async fn begin(&mut self, ruleset: &str) -> Option<(String, HuntCreated)> {
        self.hunts += 1;
        let hunt = format!("hunt-{}", self.hunts);
        let settings = HuntSettings {
            ruleset: ruleset.to_owned(),
            ..settings()
        };
        match self.game.create(&hunt, settings).await {
            Ok(_) => {}
            Err(status) if status.code() == Code::InvalidArgument => return None,
            Err(status) => panic!("{status:?}"),
        }
        let created = self.created(&hunt).await;
        Some((hunt, created))
    }

    async fn created(&self, hunt: &str) -> HuntCreated {
        match self.game.record(hunt, 1).await.expect("record 1").change {
            Some(Change::Created(created)) => created,
            other => panic!("{other:?}"),
        }
    }

    /// Waits until new hunts of `mine` play by a text; nothing for a ruleset that is not there.
    async fn plays(&mut self, ruleset: &str, text: Option<&str>) {
        let began = Instant::now();
        loop {
            let created = self.begin(ruleset).await.map(|(_, created)| created);
            let now = created.as_ref().map(|created| created.ruleset.as_slice());
            if now == text.map(str::as_bytes) {
                return;
            }
            assert!(began.elapsed() < PATIENCE, "{ruleset} is {created:?}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    fn reloads(&self, result: &str) -> f64 {
        let series = format!("player_state_rules_reloads_total{{result=\"{result}\"}}");
        self.sidecar.metric(&series)
    }

    /// Waits until the gauge of failed reloads says so.
    fn failed(&self, wanted: bool) {
        common::eventually(|| {
            let failed = self.sidecar.metric("player_state_rules_reload_failed") > 0.5;
            (failed == wanted)
                .then_some(())
                .ok_or_else(|| format!("failed is {failed}"))
        });
    }

    fn says(&self, text: &str) {
        common::eventually(|| match self.sidecar.log() {
            log if log.contains(text) => Ok(()),
            log => Err(format!("no {text} in {log}")),
        });
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_good_change_is_for_new_hunts_and_running_ones_keep_theirs() {
    let mut stage = Stage::new().await;
    let (running, before) = stage.begin("mine").await.expect("a hunt");
    stage.replace("mine.toml", &ruleset("second"));
    stage.plays("mine", Some(&ruleset("second"))).await;
    let (_, after) = stage.begin("mine").await.expect("a hunt");
    assert_ne!(after.ruleset_hash, before.ruleset_hash);
    assert_eq!(stage.created(&running).await, before);
    let joined = stage.game.apply(join(&running, 1, 1)).await;
    assert_eq!(joined.expect("an outcome").verdict(), Verdict::Applied);

    stage.replace("yours.toml", &ruleset("third"));
    stage.plays("yours", Some(&ruleset("third"))).await;
    fs::remove_file(stage.rules().join("yours.toml")).expect("removed");
    stage.plays("yours", None).await;
    for said in [
        "\"changed\":\"mine\"",
        "\"added\":\"yours\"",
        "\"removed\":\"yours\"",
    ] {
        stage.says(said);
    }
    stage.failed(false);
    assert!((stage.sidecar.metric("player_state_rulesets") - 2.0).abs() < 0.1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_ruleset_changes_nothing_and_is_told_of_once() {
    let mut stage = Stage::new().await;
    let good = stage
        .sidecar
        .metric("player_state_rules_last_good_timestamp_seconds");
    assert!(good > 1e9, "{good}");
    let second = ruleset("second");
    let bad = [
        second[..40].to_owned(),
        String::new(),
        second.clone() + "color = 1\n",
        second.clone() + "#" + &"x".repeat(1 << 20),
    ];
    for (n, text) in bad.iter().enumerate() {
        stage.replace("mine.toml", text);
        stage.failed(true);
        stage.plays("mine", Some(&ruleset("first"))).await;
        let failures = stage.reloads("failed");
        assert!(
            (failures - (n + 1) as f64).abs() < 0.1,
            "{failures} for {}",
            n + 1
        );
        stage.replace("mine.toml", &ruleset("first"));
        stage.failed(false);
    }
    assert!(stage.reloads("taken") < 0.5, "nothing was taken");
    stage.says("\"line\":6,\"key\":\"power_up[0].color\"");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_bad_file_holds_the_whole_directory_back() {
    let mut stage = Stage::new().await;
    stage.replace("broken.toml", "x");
    stage.failed(true);
    let failures = stage.reloads("failed");
    stage.replace("mine.toml", &ruleset("second"));
    stage.sidecar.signal(Signal::HUP);
    common::eventually(|| match stage.reloads("failed") {
        more if more > failures + 0.5 => Ok(()),
        same => Err(format!("{same} failures: who asks is told again")),
    });
    stage.plays("mine", Some(&ruleset("first"))).await;
    fs::remove_file(stage.rules().join("broken.toml")).expect("removed");
    stage.plays("mine", Some(&ruleset("second"))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn more_files_than_the_limit_and_pipes_are_refused() {
    let stage = Stage::new().await;
    let pipe = stage.rules().join("pipe.toml");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.expect("mkfifo runs").success());
    stage.failed(true);
    stage.says("no regular file");
    fs::remove_file(pipe).expect("removed");
    stage.failed(false);
    for n in 0..64 {
        stage.replace(&format!("n{n}.toml"), &ruleset("a"));
    }
    stage.failed(true);
    stage.says("holds over 64 rulesets, the limit");
}

/// As Kubernetes mounts a ConfigMap: `more.toml` → `..data/more.toml`, `..data` → `..1`.
#[tokio::test(flavor = "multi_thread")]
async fn a_symlink_swap_is_taken() {
    let mut stage = Stage::new().await;
    let rules = stage.rules();
    let version = |name: &str, power_up: &str| {
        fs::create_dir(rules.join(name)).expect("a directory");
        fs::write(rules.join(name).join("more.toml"), ruleset(power_up)).expect("written");
        symlink(name, rules.join("..tmp")).expect("a link");
        fs::rename(rules.join("..tmp"), rules.join("..data")).expect("renamed");
    };
    version("..1", "one");
    symlink("..data/more.toml", rules.join("more.toml")).expect("a link");
    stage.plays("more", Some(&ruleset("one"))).await;
    version("..2", "two");
    stage.plays("more", Some(&ruleset("two"))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_that_is_replaced_is_followed_on() {
    let mut stage = Stage::new().await;
    let rules = stage.rules();
    fs::rename(&rules, stage.dir.path().join("old")).expect("renamed");
    stage.failed(true);
    stage.plays("mine", Some(&ruleset("first"))).await;
    fs::create_dir(&rules).expect("a directory");
    stage.replace("mine.toml", &ruleset("second"));
    stage.plays("mine", Some(&ruleset("second"))).await;
    stage.failed(false);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_changes_in_a_second_end_with_the_last() {
    let mut stage = Stage::new().await;
    let mut beat = tokio::time::interval(Duration::from_millis(10));
    for n in 0..100 {
        beat.tick().await;
        let text = ruleset(&format!("n{n}"));
        match n % 3 {
            0 => stage.replace("mine.toml", &text),
            // In place: half of it may be seen.
            1 => fs::write(stage.rules().join("mine.toml"), text).expect("written"),
            _ => stage.replace("mine.toml", &text[..30]),
        }
        let (_, created) = stage.begin("mine").await.expect("a hunt");
        assert!(created.ruleset.ends_with(b"}]\n"), "half a file was taken");
    }
    stage.replace("mine.toml", &ruleset("last"));
    stage.plays("mine", Some(&ruleset("last"))).await;
    stage.failed(false);
}

#[test]
fn a_hangup_is_answered_whether_or_not_there_is_something_to_reload() {
    let sidecar = Sidecar::start(&[]);
    sidecar.signal(Signal::HUP);
    common::eventually(|| match sidecar.log() {
        log if log.contains("nothing to reload, for --rules is not set") => Ok(()),
        log => Err(log),
    });
    assert_eq!(sidecar.get("/readyz").0, 200, "it serves on");

    let rules = tempfile::tempdir().expect("a directory");
    let sidecar = Sidecar::start(&[&format!("--rules={}", rules.path().display())]);
    sidecar.signal(Signal::HUP);
    common::eventually(|| {
        match sidecar.metric("player_state_rules_reloads_total{result=\"unchanged\"}") {
            told if told > 0.5 => Ok(()),
            told => Err(format!("{told}")),
        }
    });
}
