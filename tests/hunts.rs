//! Hunts over the wire: made once, ended once, let go in the end; every bound is a refusal that names it.

mod common;

use std::{
    fs,
    time::{Duration, Instant},
};

use common::{
    PATIENCE, Sidecar,
    game::{Game, join, settings},
};
use player_state::pb::{
    HuntSettings, Outcome, Refusal, Rejection, Verdict, record::Change, refusal::Reason,
};
use sha2::{Digest as _, Sha256};
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

async fn auto(args: &[&str]) -> (Sidecar, Game) {
    let sidecar = Sidecar::start(&[&["--claim=auto"], args].concat());
    let game = Game::new(sidecar.connect().await);
    (sidecar, game)
}

fn violation(status: &Status) -> String {
    assert_eq!(status.code(), Code::InvalidArgument, "{status:?}");
    let details = status.get_details_bad_request().expect("a BadRequest");
    details.field_violations[0].field.clone()
}

/// Asks until the answer is as wanted.
async fn until<T, F: Future<Output = T>>(
    mut ask: impl FnMut() -> F,
    wanted: impl Fn(&T) -> bool,
) -> T {
    let began = Instant::now();
    loop {
        let answer = ask().await;
        if wanted(&answer) || began.elapsed() > PATIENCE {
            return answer;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn a_hunt_is_created_once_and_answers_the_same_again() {
    let (_sidecar, game) = auto(&[]).await;
    let first = game.create("h", settings()).await.expect("a hunt");
    assert_eq!(first.epoch, 1);
    assert_eq!(game.create("h", settings()).await.expect("again"), first);

    // "" is classic, and not the same setting.
    let other = HuntSettings {
        ruleset: "classic".to_owned(),
        ..settings()
    };
    let other = game.create("h", other).await.expect_err("a refusal");
    assert_eq!(other.code(), Code::AlreadyExists);
    assert_eq!(game.records("h").await.len(), 1, "one record");
}

#[tokio::test]
async fn settings_out_of_their_bounds_are_refused_by_name() {
    type Spoil = fn(&mut HuntSettings);
    let (_sidecar, game) = auto(&[]).await;
    let cases: [(Spoil, &str); 6] = [
        (|s| s.width = 0, "settings.width"),
        (|s| s.height = 4097, "settings.height"),
        (|s| s.treasures = 201, "settings.treasures"),
        (|s| s.max_players = 10_001, "settings.max_players"),
        (|s| s.duration_ms = 0, "settings.duration_ms"),
        (
            |s| s.ruleset = "../etc/passwd".to_owned(),
            "settings.ruleset",
        ),
    ];
    for (spoil, field) in cases {
        let mut settings = settings();
        spoil(&mut settings);
        let status = game.create("h", settings).await.expect_err("a refusal");
        assert_eq!(violation(&status), field);
    }
    for id in ["", "a\nb", "a/b", &"x".repeat(65)] {
        let status = game.create(id, settings()).await.expect_err("a refusal");
        assert_eq!(violation(&status), "hunt_id");
    }
    let known = game.hunt("h", 0).await.expect_err("nothing was created");
    assert_eq!(known.code(), Code::NotFound);
}

#[tokio::test]
async fn a_router_claims_with_its_epoch_and_a_replaced_one_is_refused() {
    let sidecar = Sidecar::start(&[]);
    let game = Game::new(sidecar.connect().await);
    for (epoch, incarnation) in [(0, 0), (0, 1), (1, 0)] {
        let refused = game.create_as("h", settings(), epoch, incarnation).await;
        let refused = refused.expect_err("a refusal");
        assert_eq!(refused.code(), Code::FailedPrecondition);
        assert!(refused.message().contains("--claim auto"), "{refused:?}");
    }
    let first = game.create_as("h", settings(), 1, 7).await.expect("a hunt");
    let again = game
        .create_as("h", settings(), 1, 8)
        .await
        .expect("by its next incarnation");
    assert_eq!(again, first);
    let replaced = game
        .create_as("h2", settings(), 1, 7)
        .await
        .expect_err("a refusal");
    assert_eq!(replaced.code(), Code::FailedPrecondition);
    assert!(replaced.message().contains('8'), "{replaced:?}");
    let other_epoch = game
        .create_as("h", settings(), 2, 8)
        .await
        .expect_err("a refusal");
    assert_eq!(other_epoch.code(), Code::FailedPrecondition);
}

#[tokio::test]
async fn an_engine_that_claims_by_itself_wants_no_epoch() {
    let (_sidecar, game) = auto(&[]).await;
    let refused = game
        .create_as("h", settings(), 1, 1)
        .await
        .expect_err("a refusal");
    assert_eq!(refused.code(), Code::FailedPrecondition);
    assert!(refused.message().contains("--claim router"), "{refused:?}");
}

#[tokio::test]
async fn a_hunt_keeps_the_bytes_of_its_ruleset() {
    let rules = tempfile::tempdir().expect("a directory");
    let text = "# mine\n[[power_up]]\nname = \"hush\"\nweight = 1\ntarget = \"area\"\nradius = 1\ncooldown_ms = 1\n\
                effects = [{ kind = \"freeze\", duration_ms = 1, stacking = \"ignore\" }]\n";
    fs::write(rules.path().join("mine.toml"), text).expect("written");
    let (_sidecar, game) = auto(&[&format!("--rules={}", rules.path().display())]).await;
    let mine = HuntSettings {
        ruleset: "mine".to_owned(),
        ..settings()
    };
    game.create("h", mine).await.expect("a hunt");

    let record = game.record("h", 1).await.expect("record 1");
    assert_ne!(record.digest, 0);
    let Some(Change::Created(created)) = record.change else {
        panic!("{record:?}");
    };
    assert_eq!(created.ruleset, text.as_bytes());
    let hash: String = Sha256::digest(text)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    assert_eq!(created.ruleset_hash, hash);

    let unknown = HuntSettings {
        ruleset: "yours".to_owned(),
        ..settings()
    };
    let refused = game.create("h2", unknown).await.expect_err("a refusal");
    assert_eq!(violation(&refused), "settings.ruleset");
    assert!(refused.message().contains("classic, mine"), "{refused:?}");
}

#[tokio::test]
async fn a_hunt_ends_once_and_is_read_on() {
    let (_sidecar, game) = auto(&[]).await;
    game.create("h", settings()).await.expect("a hunt");
    for player in 1..=3 {
        game.apply(join("h", player, 1)).await.expect("an outcome");
    }
    let ended = game.end("h").await.expect("the standings");
    assert_eq!((ended.players, ended.standings.len()), (3, 3));
    assert_eq!(game.end("h").await.expect("again"), ended);

    let late: Outcome = game.apply(join("h", 4, 1)).await.expect("an outcome");
    assert_eq!(late.rejection(), Rejection::HuntEnded);
    let repeated = game.apply(join("h", 3, 1)).await.expect("an outcome");
    assert_eq!(
        repeated.verdict(),
        Verdict::Duplicate,
        "what was done stays done"
    );
    let read = game.hunt("h", 10).await.expect("a hunt");
    assert!(read.ended);
    assert_eq!(read.top, ended.standings);

    let records = game.records("h").await;
    assert_eq!(records.len(), 5, "created, three joins, one end");
    let Some(Change::Ended(end)) = &records[4].change else {
        panic!("{:?}", records[4]);
    };
    assert_eq!((&end.standings, end.players), (&ended.standings, 3));
    assert_eq!(
        (records[4].digest, records[4].at_ms),
        (read.digest, read.ends_at_ms)
    );
}

#[tokio::test]
async fn a_hunt_whose_time_is_over_ends_without_being_asked() {
    let (_sidecar, game) = auto(&[]).await;
    let short = HuntSettings {
        duration_ms: 50,
        ..settings()
    };
    let created = game.create("h", short).await.expect("a hunt");
    let records = until(|| game.records("h"), |records| records.len() == 2).await;
    assert!(
        matches!(records[1].change, Some(Change::Ended(_))),
        "{records:?}"
    );
    assert_eq!(
        records[1].at_ms,
        created.starts_at_ms + 50,
        "the full time, not the sweep's"
    );
}

#[tokio::test]
async fn the_end_is_recorded_before_the_first_hunt_ended_is_answered() {
    let (_sidecar, game) = auto(&[]).await;
    let short = HuntSettings {
        duration_ms: 1,
        ..settings()
    };
    for n in 0..50 {
        let id = format!("h{n}");
        game.create(&id, short.clone()).await.expect("a hunt");
        let answer = |request| game.apply(join(&id, 1, request));
        let mut request = 0;
        loop {
            request += 1;
            let outcome = answer(request).await.expect("an outcome");
            if outcome.rejection() == Rejection::HuntEnded {
                break;
            }
        }
        let records = game.records(&id).await;
        let ends = records
            .iter()
            .filter(|record| matches!(record.change, Some(Change::Ended(_))));
        assert_eq!(ends.count(), 1, "{id}");
    }
}

#[tokio::test]
async fn an_ended_hunt_is_let_go_and_its_id_is_not_used_again() {
    let (_sidecar, game) = auto(&["--ended-keep=0s", "--hunts-max=1", "--placed-max=200"]).await;
    game.create("h", settings()).await.expect("a hunt");
    let full = game.create("h2", settings()).await.expect_err("a refusal");
    assert_eq!(full.code(), Code::ResourceExhausted);
    assert!(full.get_details_retry_info().is_some(), "{full:?}");

    game.end("h").await.expect("the standings");
    let gone = until(|| game.hunt("h", 0), Result::is_err)
        .await
        .expect_err("let go");
    assert_eq!(gone.code(), Code::NotFound);
    let again = until(|| game.create("h2", settings()), Result::is_ok).await;
    again.expect("room again");
    let reused = game.create("h", settings()).await.expect_err("a refusal");
    assert_eq!(reused.code(), Code::AlreadyExists);
    assert_eq!(
        game.records("h").await.len(),
        2,
        "its records are still there"
    );
}

#[tokio::test]
async fn more_hunts_than_ids_are_remembered_are_let_go_all_the_same() {
    let (_sidecar, game) = auto(&["--ended-keep=0s", "--gone-ids-max=1"]).await;
    let ids = ["h1", "h2", "h3"];
    for id in ids {
        game.create(id, settings()).await.expect("a hunt");
        game.end(id).await.expect("the standings");
    }
    for id in ids {
        let gone = until(|| game.hunt(id, 0), Result::is_err).await;
        assert_eq!(gone.expect_err("let go").code(), Code::NotFound, "{id}");
    }
}

#[tokio::test]
async fn each_bound_over_all_hunts_is_named_by_its_refusal() {
    let (_sidecar, game) = auto(&["--hunts-max=2", "--players-max=2", "--placed-max=500"]).await;
    game.create("h1", settings()).await.expect("a hunt");
    game.create("h2", settings()).await.expect("a hunt");
    let hunts = game.create("h3", settings()).await.expect_err("a refusal");
    assert_eq!(hunts.code(), Code::ResourceExhausted);

    for hunt in ["h1", "h2"] {
        let joined = game.apply(join(hunt, 1, 1)).await.expect("an outcome");
        assert_eq!(joined.verdict(), Verdict::Applied);
    }
    let newcomer = game.apply(join("h1", 2, 1)).await.expect("an outcome");
    let refusal: Refusal = newcomer.refusal.expect("a refusal");
    assert_eq!(refusal.reason(), Reason::Overloaded);
    assert!(refusal.detail.contains("players_max"), "{refusal:?}");
    let known = game.apply(join("h1", 1, 2)).await.expect("an outcome");
    assert_eq!(
        known.verdict(),
        Verdict::Applied,
        "who is known is no newcomer"
    );
}

#[tokio::test]
async fn what_lies_on_all_maps_is_bounded() {
    let (_sidecar, game) = auto(&["--placed-max=300"]).await;
    game.create("h1", settings())
        .await
        .expect("200 treasures and caches");
    let refused = game.create("h2", settings()).await.expect_err("a refusal");
    assert_eq!(refused.code(), Code::ResourceExhausted);
    assert!(
        refused.message().contains("placed_max is 300"),
        "{refused:?}"
    );
    game.create("h1", settings())
        .await
        .expect("the same again takes no room");
}

#[tokio::test]
async fn rulesets_that_cannot_be_used_stop_the_start() {
    let rules = tempfile::tempdir().expect("a directory");
    fs::write(rules.path().join("bad.toml"), "[[power_up]]\nname = 1\n").expect("written");
    let mut program = common::program();
    program.args(["serve", "--listen=tcp:127.0.0.1:0"]);
    program.arg(format!("--rules={}", rules.path().display()));
    let ended = program.output().expect("the program runs");
    assert_eq!(ended.status.code(), Some(78));
    let said = String::from_utf8_lossy(&ended.stderr);
    assert!(said.contains("bad.toml:2"), "{said}");
}

#[tokio::test]
async fn a_read_of_what_is_not_there_says_so() {
    let (_sidecar, game) = auto(&[]).await;
    for code in [
        game.hunt("h", 0).await.expect_err("no hunt").code(),
        game.end("h").await.expect_err("no hunt").code(),
        game.player("h", 1).await.expect_err("no hunt").code(),
        game.record("h", 1).await.expect_err("no record").code(),
    ] {
        assert_eq!(code, Code::NotFound);
    }
    game.create("h", settings()).await.expect("a hunt");
    let top = game.hunt("h", 1001).await.expect_err("a refusal");
    assert_eq!(violation(&top), "top");
}
