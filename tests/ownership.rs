//! What a router asks and says after a restart: each row of the table in docs/handoff.md that this engine has, and what
//! is refused, by name.

mod common;

use std::time::Duration;

use common::{
    engine::{Engine, LONG, refusal},
    game::{join, leave, settings},
    journal::call,
};
use player_state::{
    config::Claim,
    pb::{
        self, ActivateRequest, Fence, HuntStatus, ListHuntsRequest, ProbeRequest, Verdict,
        hunt_status::State, record::Change, refusal::Reason,
    },
    rpc::server::ownership_service_server::OwnershipService as _,
};
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

const SHORT: Duration = Duration::from_millis(50);

/// An engine with hunt `h` RECOVERED at epoch 3, sequence 2.
async fn recovered() -> Engine {
    let first = Engine::first(Claim::Router).await;
    let created = first.create_as("h", settings(), 3, 7).await;
    created.expect("a hunt");
    first.apply(join("h", 1, 1)).await;
    first.again(Claim::Router).await
}

fn violation(status: &Status) -> String {
    assert_eq!(status.code(), Code::InvalidArgument, "{status:?}");
    let details = status.get_details_bad_request().expect("a BadRequest");
    details.field_violations[0].field.clone()
}

/// The activation is refused for `reason`, with the epoch that the hunt has, and nothing is written.
async fn refused(engine: &Engine, request: ActivateRequest, reason: Reason, epoch: u64) {
    let written = engine.records("h").len();
    let status = engine.activate(request).await.expect_err("a refusal");
    assert_eq!(status.code(), Code::FailedPrecondition, "{status:?}");
    let why = refusal(&status);
    assert_eq!((why.reason(), why.epoch), (reason, epoch), "{status:?}");
    assert_eq!(engine.records("h").len(), written);
}

#[tokio::test]
async fn hello_tells_which_start_this_is_and_what_it_keeps() {
    let engine = recovered().await;
    let hello = engine.hello(Some(engine.fence("ledger", 7))).await;
    let hello = hello.expect("a hello");
    assert_eq!(hello.engine, "sidecar");
    assert_eq!(hello.engine_incarnation, engine.incarnation);
    assert_eq!(hello.router_incarnation_seen, 7);
    assert_eq!(hello.schema_hash, pb::SCHEMA_SHA256);
    assert_eq!(
        (hello.rules_version, hello.durability.as_str()),
        (1, "sync")
    );
}

#[tokio::test]
async fn another_ledger_and_a_replaced_router_are_kept_off() {
    let engine = recovered().await;
    let ours = engine.fence("ledger", 8);
    engine.hello(Some(ours)).await.expect("the first");
    for fence in [engine.fence("another", 9), engine.fence("ledger", 7)] {
        let hello = engine.hello(Some(fence.clone())).await;
        let hello = hello.expect_err("a refusal");
        assert_eq!(hello.code(), Code::FailedPrecondition, "{hello:?}");
        let request = ActivateRequest {
            fence: Some(fence),
            ..engine.activation("h", 4).await
        };
        let activated = engine.activate(request).await.expect_err("a refusal");
        assert_eq!(activated.code(), Code::FailedPrecondition, "{activated:?}");
    }
    assert_eq!(engine.status("h").await.state(), State::Recovered);
}

#[tokio::test]
async fn a_call_for_an_earlier_start_is_refused() {
    let engine = recovered().await;
    let fence = Fence {
        engine_incarnation: engine.incarnation - 1,
        ..engine.fence("ledger", 7)
    };
    let request = ActivateRequest {
        fence: Some(fence),
        ..engine.activation("h", 4).await
    };
    let status = engine.activate(request).await.expect_err("a refusal");
    assert_eq!(status.code(), Code::FailedPrecondition);
    assert!(status.message().contains("restarted"), "{status:?}");
}

#[tokio::test]
async fn a_caller_without_a_fence_is_told_the_field() {
    let engine = recovered().await;
    let cases = [
        (None, "fence"),
        (Some(engine.fence("", 7)), "fence.ledger_id"),
        (Some(engine.fence(&"x".repeat(200), 7)), "fence.ledger_id"),
        (Some(engine.fence("ledger", 0)), "fence.router_incarnation"),
    ];
    for (fence, field) in cases {
        let hello = engine.hello(fence.clone()).await;
        assert_eq!(violation(&hello.expect_err("a refusal")), field);
        let request = ActivateRequest {
            fence,
            ..engine.activation("h", 4).await
        };
        let activated = engine.activate(request).await;
        assert_eq!(violation(&activated.expect_err("a refusal")), field);
    }
}

#[tokio::test]
async fn an_engine_that_claims_by_itself_takes_no_router() {
    let engine = Engine::first(Claim::Auto).await;
    engine.create("h", settings()).await.expect("a hunt");
    let hello = engine.hello(Some(engine.fence("ledger", 7))).await;
    let hello = hello.expect_err("a refusal");
    assert_eq!(hello.code(), Code::FailedPrecondition);
    assert!(hello.message().contains("--claim router"), "{hello:?}");
    let request = engine.activation("h", 9).await;
    let activated = engine.activate(request).await.expect_err("a refusal");
    assert_eq!(activated.code(), Code::FailedPrecondition);
}

#[tokio::test]
async fn a_recovered_hunt_is_activated_at_exactly_its_sequence_and_digest() {
    let engine = recovered().await;
    let was = engine.status("h").await;
    assert_eq!(
        (was.state(), was.epoch, was.record_epoch, was.sequence),
        (State::Recovered, 3, 3, 2)
    );
    let request = ActivateRequest {
        missed: 5,
        ..engine.activation("h", 4).await
    };
    for spoil in [
        |r: &mut ActivateRequest| r.sequence += 1,
        |r: &mut ActivateRequest| r.digest ^= 1,
    ] {
        let mut other = request.clone();
        spoil(&mut other);
        refused(&engine, other, Reason::NotActive, 3).await;
    }
    assert_eq!(engine.activate(request).await.expect("activated"), 3);

    let now = engine.status("h").await;
    assert_eq!(
        (now.state(), now.epoch, now.sequence),
        (State::Active, 4, 3)
    );
    let last = engine.records("h").pop().expect("a record");
    assert_eq!((last.epoch, last.sequence), (4, 3));
    assert_eq!(last.digest, now.digest);
    let Some(Change::OwnerChanged(owner)) = last.change else {
        panic!("{last:?}");
    };
    assert_eq!((owner.owner.as_str(), owner.missed), ("sidecar", 5));
    let applied = engine.apply(leave("h", 1, 2)).await;
    assert_eq!((applied.epoch, applied.sequence), (4, 4));
}

#[tokio::test]
async fn an_activation_asked_for_again_answers_the_same_also_after_commands() {
    let engine = recovered().await;
    let request = engine.activation("h", 4).await;
    let first = engine.activate(request.clone()).await.expect("activated");
    engine.apply(join("h", 2, 1)).await;
    assert_eq!(engine.activate(request).await.expect("again"), first);
    assert_eq!(engine.records("h").len(), 4, "one change of hands");
}

#[tokio::test]
async fn no_epoch_but_a_higher_one_takes_a_recovered_hunt() {
    let engine = recovered().await;
    for epoch in [2, 3] {
        let request = engine.activation("h", epoch).await;
        let status = engine.activate(request).await.expect_err("a refusal");
        assert_eq!(status.code(), Code::FailedPrecondition);
        assert_eq!(refusal(&status).epoch, 3);
    }
    assert_eq!(engine.status("h").await.state(), State::Recovered);
}

#[tokio::test]
async fn an_active_hunt_is_not_activated_at_another_epoch() {
    let engine = recovered().await;
    let request = engine.activation("h", 4).await;
    engine.activate(request).await.expect("activated");
    for epoch in [3, 5] {
        let request = engine.activation("h", epoch).await;
        refused(&engine, request, Reason::StaleEpoch, 4).await;
    }
}

#[tokio::test]
async fn a_hunt_that_is_not_here_is_not_activated() {
    let engine = recovered().await;
    let request = ActivateRequest {
        hunt_id: "elsewhere".to_owned(),
        ..engine.activation("h", 4).await
    };
    let status = engine.activate(request).await.expect_err("a refusal");
    assert_eq!(status.code(), Code::NotFound);
}

#[tokio::test]
async fn an_activation_answers_when_it_is_durable_and_the_same_if_asked_again() {
    let engine = recovered().await;
    engine
        .hello(Some(engine.fence("ledger", 7)))
        .await
        .expect("kept");
    let request = engine.activation("h", 4).await;
    engine.journal.flowing.send_replace(false);
    let begun = engine.services.activate(call(request.clone(), SHORT)).await;
    assert_eq!(
        begun.expect_err("not durable").code(),
        Code::DeadlineExceeded
    );
    engine.journal.flowing.send_replace(true);
    assert_eq!(engine.activate(request).await.expect("durable"), 3);
    assert_eq!(engine.records("h").len(), 3, "one change of hands");
}

#[tokio::test]
async fn hunts_are_listed_by_id_in_pages() {
    let engine = Engine::first(Claim::Router).await;
    for hunt in ["c", "a", "e", "b", "d"] {
        let created = engine.create_as(hunt, settings(), 1, 7).await;
        created.expect("a hunt");
    }
    let (mut after, mut pages) = (String::new(), Vec::new());
    loop {
        let request = ListHuntsRequest {
            after_hunt_id: after,
            max_hunts: 2,
            with_digest: false,
        };
        let page = engine.services.list_hunts(call(request, LONG)).await;
        let page = page.expect("a page").into_inner();
        let status = |hunt: &HuntStatus| {
            assert_eq!((hunt.state(), hunt.digest), (State::Active, 0));
            hunt.hunt_id.clone()
        };
        let ids: Vec<_> = page.hunts.iter().map(status).collect();
        after = ids.last().cloned().unwrap_or_default();
        pages.push(ids.concat());
        if !page.more {
            break;
        }
    }
    assert_eq!(pages, ["ab", "cd", "e"]);
    for max_hunts in [0, 1_001] {
        let request = ListHuntsRequest {
            max_hunts,
            ..ListHuntsRequest::default()
        };
        let refused = engine.services.list_hunts(call(request, LONG)).await;
        assert_eq!(violation(&refused.expect_err("a refusal")), "max_hunts");
    }
}

#[tokio::test]
async fn a_probe_waits_for_a_sync_and_fails_in_time() {
    let engine = recovered().await;
    let probe = |within| engine.services.probe(call(ProbeRequest {}, within));
    probe(LONG).await.expect("synced");
    engine.journal.flowing.send_replace(false);
    let hangs = probe(SHORT).await.expect_err("no sync");
    assert_eq!(hangs.code(), Code::DeadlineExceeded);
}

#[tokio::test]
async fn what_comes_with_the_handoff_is_unimplemented_and_says_so() {
    let engine = recovered().await;
    let services = &engine.services;
    macro_rules! later {
        ($($method:ident $request:ident),+ $(,)?) => {[$(
            (stringify!($request), services.$method(call(pb::$request::default(), LONG)).await.err()),
        )+]};
    }
    let answers = later![
        get_snapshot GetSnapshotRequest, offer OfferRequest, seal SealRequest, stage StageRequest,
        reopen ReopenRequest, discard DiscardRequest, retire RetireRequest, follow FollowRequest,
    ];
    for (request, status) in answers {
        let status = status.unwrap_or_else(|| panic!("{request} was answered"));
        assert_eq!(status.code(), Code::Unimplemented, "{request}");
        assert!(status.message().contains("handoff"), "{status:?}");
    }
    let applied = engine.apply(join("h", 2, 1)).await;
    assert_eq!(applied.verdict(), Verdict::Refused);
}
