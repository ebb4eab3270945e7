//! A panic inside the engine: its call fails, its hunt is out of service, and all others go on.
#![cfg(feature = "failpoints")]

mod common;

use common::{
    Start,
    game::{Game, join, leave, settings},
};
use player_state::pb::{Outcome, Refusal, Verdict, refusal::Reason};
use prost::Message as _;
use tonic::{Code, Status};

fn is_quarantined(outcome: &Outcome) -> bool {
    let reason = outcome.refusal.as_ref().map(Refusal::reason);
    reason == Some(Reason::Quarantined)
}

/// The `Refusal` in the details of a status.
fn refusal(status: &Status) -> Refusal {
    let details = tonic_types::pb::Status::decode(status.details()).expect("a google.rpc.Status");
    Refusal::decode(&*details.details[0].value).expect("a Refusal")
}

#[tokio::test]
async fn a_panic_fails_its_call_and_quarantines_its_hunt_alone() {
    let sidecar = Start::new()
        .arg("--claim=auto")
        .env("FAILPOINTS", "apply=1*panic(planted)")
        .ready();
    let game = Game::new(sidecar.connect().await);
    for hunt in ["bad", "good"] {
        game.create(hunt, settings()).await.expect("a hunt");
    }
    let failed = game
        .apply(join("bad", 1, 1))
        .await
        .expect_err("the call fails");
    assert_eq!(failed.code(), Code::Internal);
    assert!(
        !failed.message().contains("planted"),
        "the inner text stays inside"
    );
    assert!(sidecar.log().contains("planted"), "and is in the log");

    let again = game.apply(join("bad", 1, 1)).await.expect("an outcome");
    assert!(is_quarantined(&again), "{again:?}");
    let read = game.hunt("bad", 0).await.expect_err("a refusal");
    assert_eq!(read.code(), Code::FailedPrecondition);
    assert_eq!(refusal(&read).reason(), Reason::Quarantined);

    let good = game.apply(join("good", 1, 1)).await.expect("an outcome");
    assert_eq!(good.verdict(), Verdict::Applied);
    assert_eq!(
        game.records("bad").await.len(),
        1,
        "nothing of the panic is recorded"
    );
    common::eventually(|| {
        let quarantined = sidecar.metric("player_state_hunts{state=\"quarantined\"}");
        (quarantined > 0.5)
            .then_some(())
            .ok_or_else(|| format!("{quarantined}"))
    });
}

#[tokio::test]
async fn a_panic_in_a_batch_spoils_its_own_command_alone() {
    let sidecar = Start::new()
        .arg("--claim=auto")
        .env("FAILPOINTS", "apply=1*off->1*panic(planted)")
        .ready();
    let game = Game::new(sidecar.connect().await);
    for hunt in ["bad", "good"] {
        game.create(hunt, settings()).await.expect("a hunt");
    }
    let batch = vec![
        join("good", 1, 1),
        join("bad", 1, 1),
        join("bad", 2, 1),
        leave("good", 1, 2),
    ];
    let outcomes = game.apply_batch(batch).await.expect("outcomes");
    assert_eq!(outcomes[0].verdict(), Verdict::Applied);
    assert!(
        is_quarantined(&outcomes[1]) && is_quarantined(&outcomes[2]),
        "{outcomes:?}"
    );
    assert_eq!(outcomes[3].verdict(), Verdict::Applied);
}
