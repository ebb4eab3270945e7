//! Answered means kept: what leaves waits until all that it tells is durable, and what cannot be
//! written down is not applied. Over a journal whose durability and room the test holds in its hands.

mod common;

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use common::journal::{self, Recording, call};
use futures_util::FutureExt as _;
use player_state::{
    config::Claim,
    journal::{Journal as _, Place},
    pb::{
        Command, CreateHuntRequest, EndHuntRequest, GetHuntRequest, HuntSettings, Join, Leave,
        Outcome, Refusal, Verdict, command::Action, refusal::Reason,
    },
    rpc::{Services, server::player_state_service_server::PlayerStateService as _},
    shard::Rulesets,
};
use tonic::Code;

/// A shard with hunt `h`, and its journal, which holds back from here on.
async fn held_back() -> (Services, Arc<Recording>) {
    let journal = Recording::new();
    let shard = journal.shard(Claim::Auto, Rulesets::default());
    let services = Services::new(Arc::new(shard));
    services
        .create_hunt(call(create("h"), Duration::from_secs(10)))
        .await
        .expect("a hunt");
    journal.flowing.send_replace(false);
    (services, journal)
}

fn create(hunt_id: &str) -> CreateHuntRequest {
    let settings = HuntSettings {
        width: 9,
        height: 9,
        max_players: 9,
        duration_ms: 600_000,
        ..HuntSettings::default()
    };
    CreateHuntRequest {
        hunt_id: hunt_id.to_owned(),
        settings: Some(settings),
        ..CreateHuntRequest::default()
    }
}

fn join(player_id: u64) -> Command {
    Command {
        hunt_id: "h".to_owned(),
        player_id,
        request_id: 1,
        action: Some(Action::Join(Join {})),
        ..Command::default()
    }
}

async fn apply(services: &Services, player_id: u64, within: Duration) -> Outcome {
    let outcome = journal::apply(services, join(player_id), within).await;
    outcome.expect("an answer")
}

const SHORT: Duration = Duration::from_millis(50);
const LONG: Duration = Duration::from_secs(20);

#[tokio::test]
async fn an_answer_leaves_when_its_record_is_durable_and_not_before() {
    let (services, journal) = held_back().await;
    let answer = tokio::spawn(async move { apply(&services, 1, LONG).await });
    tokio::task::yield_now().await;
    assert!(!answer.is_finished(), "it is applied, and not durable");
    assert_eq!(journal.end(), Place(2));
    journal.flowing.send_replace(true);
    assert_eq!(answer.await.expect("no panic").verdict(), Verdict::Applied);
}

#[tokio::test]
async fn a_call_cancelled_at_its_wait_loses_its_answer_and_nothing_else() {
    let (services, journal) = held_back().await;
    let begun = apply(&services, 1, LONG);
    assert!(
        begun.now_or_never().is_none(),
        "it waits, and is dropped there"
    );
    journal.flowing.send_replace(true);

    let again = apply(&services, 1, LONG).await;
    assert_eq!((again.verdict(), again.sequence), (Verdict::Duplicate, 2));
    assert_eq!(journal.end(), Place(2), "created and the one join");
}

#[tokio::test]
async fn what_was_applied_and_is_not_known_to_be_kept_in_time_is_unknown() {
    let (services, journal) = held_back().await;
    let outcome = apply(&services, 1, SHORT).await;
    assert_eq!(
        (outcome.verdict(), outcome.request_id),
        (Verdict::Unknown, 1)
    );
    assert_eq!(
        apply(&services, 1, SHORT).await.verdict(),
        Verdict::Unknown,
        "nor is a duplicate"
    );

    journal.flowing.send_replace(true);
    assert_eq!(
        apply(&services, 1, LONG).await.verdict(),
        Verdict::Duplicate
    );
}

#[tokio::test]
async fn reads_wait_for_what_they_tell_and_fail_in_time() {
    let (services, _journal) = held_back().await;
    apply(&services, 1, SHORT).await;
    let hunt_id = "h".to_owned();
    let read = services
        .get_hunt(call(GetHuntRequest { hunt_id, top: 0 }, SHORT))
        .await;
    assert_eq!(read.expect_err("not kept").code(), Code::DeadlineExceeded);
    let created = services.create_hunt(call(create("h2"), SHORT)).await;
    assert_eq!(
        created.expect_err("not kept").code(),
        Code::DeadlineExceeded
    );
}

#[tokio::test]
async fn what_cannot_be_written_down_is_refused_before_it_is_applied() {
    let (services, journal) = held_back().await;
    journal.flowing.send_replace(true);
    journal.full.store(true, Ordering::Relaxed);

    let outcome = apply(&services, 1, LONG).await;
    let refusal: Refusal = outcome.refusal.expect("a refusal");
    assert_eq!(refusal.reason(), Reason::Overloaded);
    assert!(refusal.detail.contains("reserve"), "{refusal:?}");
    let commands = vec![join(1), join(2)];
    let batch = journal::apply_batch(&services, commands, LONG).await;
    let outcomes = batch.expect("an answer");
    assert!(
        outcomes
            .iter()
            .all(|outcome| outcome.verdict() == Verdict::Refused)
    );
    let hunt_id = "h".to_owned();
    let ended = services
        .end_hunt(call(EndHuntRequest { hunt_id }, LONG))
        .await;
    assert_eq!(
        ended.expect_err("a refusal").code(),
        Code::ResourceExhausted
    );
    let created = services.create_hunt(call(create("h2"), LONG)).await;
    assert_eq!(
        created.expect_err("a refusal").code(),
        Code::ResourceExhausted
    );

    let hunt_id = "h".to_owned();
    let read = services
        .get_hunt(call(GetHuntRequest { hunt_id, top: 0 }, LONG))
        .await;
    let hunt = read.expect("reads go on").into_inner();
    assert_eq!((hunt.sequence, hunt.ended, hunt.players), (1, false, 0));
    assert_eq!(journal.end(), Place(1), "nothing was written");
}

/// A request that the player's window has left behind is refused, and yet it may be the first that comes after the hunt's time.
#[tokio::test]
async fn an_end_is_written_down_where_the_command_that_brought_it_is_refused() {
    let (services, journal) = held_back().await;
    journal.flowing.send_replace(true);
    let settings = HuntSettings {
        duration_ms: 2_000,
        ..create("short").settings.expect("settings")
    };
    let request = CreateHuntRequest {
        hunt_id: "short".to_owned(),
        settings: Some(settings),
        ..CreateHuntRequest::default()
    };
    let created = services.create_hunt(call(request, LONG)).await;
    created.expect("a hunt");
    let command = |request_id, action| Command {
        hunt_id: "short".to_owned(),
        player_id: 1,
        request_id,
        action: Some(action),
        ..Command::default()
    };
    // Four are remembered, all above the one that is to come.
    for request_id in 2..6 {
        let action = match request_id % 2 {
            0 => Action::Join(Join {}),
            _ => Action::Leave(Leave {}),
        };
        let outcome = journal::apply(&services, command(request_id, action), LONG).await;
        assert_eq!(outcome.expect("an answer").verdict(), Verdict::Applied);
    }
    let before = journal.end();
    let ended = tokio::time::timeout(LONG, async {
        while journal.end() == before {
            let old = command(1, Action::Join(Join {}));
            let outcome = journal::apply(&services, old, LONG).await;
            let refusal = outcome.expect("an answer").refusal.expect("a refusal");
            assert_eq!(refusal.reason(), Reason::RequestTooOld);
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    });
    ended.await.expect("the hunt's time is over within 2 s");
    let hunt_id = "short".to_owned();
    let read = services.get_hunt(call(GetHuntRequest { hunt_id, top: 0 }, LONG));
    let hunt = read.await.expect("a hunt").into_inner();
    assert_eq!((hunt.ended, hunt.sequence), (true, 6));
    assert_eq!(journal.end(), before.next(), "and once");
}
