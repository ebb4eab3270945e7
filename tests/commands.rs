//! Commands over the wire: each gets its own outcome, and a refusal names what was wrong.

mod common;

use std::collections::BTreeSet;

use common::{
    Sidecar, Start,
    game::{Game, join, leave, settings, step, use_power_up},
};
use player_state::{
    config::BATCH_REST_BYTES,
    pb::{
        ApplyBatchResponse, Command, EffectKind, Impact, Outcome, Rejection, Treasure, Verdict,
        impact, record::Change, refusal::Reason,
    },
    wire::{Refused, refused},
};
use prost::Message as _;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

async fn started(start: Start) -> (Sidecar, Game) {
    let sidecar = start.arg("--claim=auto").ready();
    let game = Game::new(sidecar.connect().await);
    game.create("h", settings()).await.expect("a hunt");
    (sidecar, game)
}

fn refusal(outcome: &Outcome) -> (Reason, &str) {
    assert_eq!(outcome.verdict(), Verdict::Refused, "{outcome:?}");
    let refusal = outcome.refusal.as_ref().expect("a refusal");
    (refusal.reason(), &refusal.detail)
}

fn violation(status: &Status) -> String {
    assert_eq!(status.code(), Code::InvalidArgument, "{status:?}");
    let details = status.get_details_bad_request().expect("a BadRequest");
    let violation = details.field_violations.first().expect("a violation");
    assert!(status.message().starts_with(&violation.field), "{status:?}");
    violation.field.clone()
}

#[tokio::test]
async fn each_command_of_a_batch_has_its_own_outcome_in_its_own_place() {
    // Each that is applied takes 5 ms: one with a budget of 1 ms is late when it is its turn.
    let (_sidecar, game) = started(Start::new().env("FAILPOINTS", "apply=sleep(5)")).await;
    let late = Command {
        budget_ms: 1,
        ..leave("h", 1, 5)
    };
    let stale = Command {
        epoch: 9,
        ..leave("h", 1, 6)
    };
    let unexpected = Command {
        expected_version: 9,
        ..leave("h", 1, 7)
    };
    let commands = vec![
        join("h", 1, 1),
        leave("h\n", 1, 2),
        leave("h", 0, 3),
        leave("elsewhere", 1, 4),
        late,
        stale,
        unexpected,
        join("h", 1, 1),
        use_power_up("h", 1, 8, "shield"),
        leave("h", 1, 9),
    ];
    let ids: Vec<_> = commands.iter().map(|command| command.request_id).collect();
    let outcomes = game.apply_batch(commands).await.expect("outcomes");

    let answered: Vec<_> = outcomes.iter().map(|outcome| outcome.request_id).collect();
    assert_eq!(answered, ids);
    assert_eq!(
        (outcomes[0].verdict(), outcomes[0].sequence),
        (Verdict::Applied, 2)
    );
    assert_eq!(refusal(&outcomes[1]), (Reason::Invalid, "hunt_id"));
    assert_eq!(refusal(&outcomes[2]), (Reason::Invalid, "player_id"));
    assert_eq!(refusal(&outcomes[3]), (Reason::UnknownHunt, ""));
    assert_eq!(outcomes[4].verdict(), Verdict::Expired);
    assert_eq!(refusal(&outcomes[5]).0, Reason::StaleEpoch);
    assert_eq!(
        outcomes[5].refusal.as_ref().map(|refusal| refusal.epoch),
        Some(1)
    );
    assert_eq!(outcomes[6].rejection(), Rejection::VersionMismatch);
    assert_eq!(
        (outcomes[7].verdict(), outcomes[7].sequence),
        (Verdict::Duplicate, 2)
    );
    assert_eq!(outcomes[8].rejection(), Rejection::NotHeld);
    assert_eq!(
        (outcomes[9].verdict(), outcomes[9].sequence),
        (Verdict::Applied, 3)
    );
    assert_eq!(game.records("h").await.len(), 3, "created, join, leave");
}

#[tokio::test]
async fn a_malformed_command_is_refused_with_its_first_bad_field() {
    let (sidecar, game) = started(Start::new()).await;
    let no_action = Command {
        action: None,
        ..join("h", 1, 1)
    };
    let long = "x".repeat(65);
    for (command, field) in [
        (join("", 0, 0), "hunt_id"),
        (join(&long, 1, 1), "hunt_id"),
        (join("h", 0, 0), "player_id"),
        (join("h", 1, 0), "request_id"),
        (no_action, "action"),
        (use_power_up("h", 1, 1, ""), "power_up"),
        (use_power_up("h", 1, 1, &long), "power_up"),
    ] {
        let outcome = game.apply(command).await.expect("an outcome");
        assert_eq!(refusal(&outcome), (Reason::Invalid, field));
    }
    assert_eq!(game.hunt("h", 0).await.expect("a hunt").sequence, 1);
    let counted = sidecar.metric("player_state_refusals_total{reason=\"invalid\"}");
    assert!((counted - 7.0).abs() < 0.1, "{counted}");
}

#[tokio::test]
async fn a_batch_has_1_to_1024_commands() {
    let (_sidecar, game) = started(Start::new()).await;
    let many = |count| (1..=count).map(|n| join("h", n, 1)).collect::<Vec<_>>();

    let none = game.apply_batch(many(0)).await.expect_err("a refusal");
    assert_eq!(violation(&none), "commands");
    let over = game.apply_batch(many(1025)).await.expect_err("a refusal");
    assert_eq!(violation(&over), "commands");
    assert!(
        over.message().contains("1..1024") && over.message().contains("1025"),
        "{over:?}"
    );
    assert_eq!(
        game.hunt("h", 0).await.expect("a hunt").sequence,
        1,
        "nothing was applied"
    );

    let full = game.apply_batch(many(1024)).await.expect("outcomes");
    let applied = |outcome: &&Outcome| outcome.verdict() == Verdict::Applied;
    assert_eq!(
        full.iter().filter(applied).count(),
        100,
        "as many as max_players"
    );
}

#[tokio::test]
async fn commands_after_a_full_answer_are_refused_unapplied() {
    let (_sidecar, game) = started(Start::new().arg("--batch-outcome-bytes-max=1KiB")).await;
    let commands = (1..=100).map(|n| join("h", n, 1)).collect();
    let outcomes = game.apply_batch(commands).await.expect("outcomes");

    let applied = outcomes
        .iter()
        .take_while(|outcome| outcome.verdict() == Verdict::Applied);
    let applied = applied.count();
    assert!((10..90).contains(&applied), "{applied}");
    let kept: usize = outcomes[..applied]
        .iter()
        .map(|outcome| outcome.encoded_len() + 2)
        .sum();
    assert!((1024..1024 + 64).contains(&kept), "{kept}");
    for outcome in &outcomes[applied..] {
        assert_eq!(refusal(outcome), (Reason::Overloaded, "answer over 1024 B"));
    }
    let hunt = game.hunt("h", 0).await.expect("a hunt");
    assert_eq!(hunt.players as usize, applied);
}

#[test]
fn what_follows_a_full_answer_fits_the_message() {
    let outcome_bytes_max = 16 << 20;
    let rest = refused(u64::MAX, &Refused::BatchFull { outcome_bytes_max });
    let impact = |effect: EffectKind, magnitude, score_change| Impact {
        player_id: u64::MAX,
        effect: effect.into(),
        result: impact::Result::Reflected.into(),
        score_change,
        x: 4095,
        y: 4095,
        magnitude,
        until_ms: magnitude << 23,
    };
    let stolen = impact(EffectKind::Steal, 0, 1 << 53);
    let lasting = impact(EffectKind::Freeze, 255, 0);
    let treasure = Treasure {
        x: 4095,
        y: 4095,
        value: u32::MAX,
    };
    for impacts in [vec![stolen; 512], vec![lasting; 256]] {
        let longest = Outcome {
            request_id: u64::MAX,
            epoch: u64::MAX,
            sequence: u64::MAX,
            impacts,
            treasures: vec![treasure; 64],
            picked_up: "x".repeat(32),
            ..Outcome::default()
        };
        let mut outcomes = vec![longest];
        outcomes.resize(1024, rest.clone());
        let bytes = ApplyBatchResponse { outcomes }.encoded_len();
        assert!(bytes <= BATCH_REST_BYTES, "{bytes}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_callers_of_one_hunt_share_one_order_without_a_hole() {
    let (sidecar, _) = started(Start::new()).await;
    let mut callers = tokio::task::JoinSet::new();
    for player in 1..=16 {
        let game = Game::new(sidecar.connect().await);
        callers.spawn(play_back_and_forth(game, player));
    }
    let mut answered = BTreeSet::from([1]);
    for sequence in callers.join_all().await.into_iter().flatten() {
        assert!(answered.insert(sequence), "{sequence} was answered twice");
    }

    let game = Game::new(sidecar.connect().await);
    let records = game.records("h").await;
    let order: Vec<_> = records.iter().map(|record| record.sequence).collect();
    assert_eq!(
        order,
        (1..=records.len() as u64).collect::<Vec<_>>(),
        "the feed's order"
    );
    assert_eq!(
        order,
        answered.into_iter().collect::<Vec<_>>(),
        "each answer has its record"
    );
    assert!(
        records.is_sorted_by_key(|record| record.at_ms),
        "a hunt's time never falls"
    );
}

/// Joins, leaves and comes back, alone and in batches; answers the sequences.
async fn play_back_and_forth(game: Game, player: u64) -> Vec<u64> {
    let mut sequences = Vec::new();
    for round in 0..20 {
        let request = 10 * round;
        let joined = game
            .apply(join("h", player, request + 1))
            .await
            .expect("an outcome");
        let batch = vec![
            leave("h", player, request + 2),
            join("h", player, request + 3),
        ];
        let batch = game.apply_batch(batch).await.expect("outcomes");
        for outcome in std::iter::once(joined).chain(batch) {
            assert_eq!(outcome.verdict(), Verdict::Applied, "{outcome:?}");
            sequences.push(outcome.sequence);
        }
    }
    sequences
}

#[tokio::test]
async fn a_record_holds_the_command_as_applied_and_the_whole_answer() {
    let (_sidecar, game) = started(Start::new()).await;
    let command = Command {
        budget_ms: 1000,
        epoch: 1,
        ..join("h", 5, 1)
    };
    let outcome = game.apply(command).await.expect("an outcome");
    let record = game.record("h", outcome.sequence).await.expect("a record");

    assert_eq!((record.epoch, record.sequence), (1, 2));
    let Some(Change::Applied(applied)) = record.change else {
        panic!("{record:?}");
    };
    assert_eq!(
        applied.command,
        Some(join("h", 5, 1)),
        "without budget and epoch"
    );
    assert_eq!(applied.outcome, Some(outcome));
}

#[tokio::test]
async fn a_player_is_read_with_what_was_answered_last() {
    let (_sidecar, game) = started(Start::new()).await;
    let joined = game.apply(join("h", 5, 1)).await.expect("an outcome");
    let at = joined.player.expect("a player");
    let x = if at.x == 0 { 1 } else { at.x - 1 };
    let moved = game
        .apply(step("h", 5, 2, x, at.y))
        .await
        .expect("an outcome");
    assert_eq!(moved.verdict(), Verdict::Applied);

    let read = game.player("h", 5).await.expect("a player");
    assert_eq!((read.player, read.present), (moved.player, true));
    let unknown = game.player("h", 6).await.expect_err("nobody");
    assert_eq!(unknown.code(), Code::NotFound);
    assert_eq!(
        violation(&game.player("h", 0).await.expect_err("a refusal")),
        "player_id"
    );
}
