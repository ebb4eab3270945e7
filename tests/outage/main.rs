//! The outage that this bridge is built against, replayed (`docs/deadlock.md` tells it).
//!
//! One schedule, step by step, on the bridge as it was and on ours:
//! 1. a player's command is applied;
//! 2. the aggregator learns of it, and is about to ask for the same hunt;
//! 3. the oracle asks whether anything still moves;
//! 4. the aggregator asks.
//!
//! No step waits for time to pass: each waits for the one before it.

#[path = "../common/mod.rs"]
mod common;
mod frozen;
mod old;
mod oracle;

use std::sync::Arc;

use common::{
    PATIENCE, Sidecar,
    game::{Game, join, leave, settings},
};
use frozen::Frozen;
use old::{Habit, OldBridge};
use oracle::{DEADLINE, moves};
use player_state::pb::{ReadRecordsRequest, Verdict};
use tokio::{sync::Semaphore, time::timeout};

const HUNT: &str = "hunt";

#[tokio::test]
async fn the_bridge_as_it_was_hangs() {
    let mut bridge = OldBridge::start(Habit::CallsBack).await;
    let player = tokio::spawn(bridge.player().join());
    bridge.told().await;

    for probe in 1..=3 {
        let answer = moves(bridge.player().look()).await;
        assert!(
            answer.is_none(),
            "probe {probe} was answered: the cycle is not there"
        );
    }
    assert!(
        !player.is_finished(),
        "the player was answered out of the cycle"
    );

    // Without the aggregator the cycle is open, and all goes on.
    bridge.kill_aggregator();
    let answer = timeout(PATIENCE, bridge.player().look()).await;
    answer.expect("it goes on").expect("an answer");
    let lost = timeout(PATIENCE, player).await.expect("answered at last");
    lost.expect("no panic")
        .expect_err("the command's call failed, though it was applied");
}

/// The control: it is the call back, under the lock, that closes the cycle.
#[tokio::test]
async fn the_bridge_as_it_was_moves_while_nobody_calls_back() {
    let bridge = OldBridge::start(Habit::OnlyListens).await;
    let player = tokio::spawn(bridge.player().join());
    bridge.told().await;
    let answer = moves(bridge.player().look()).await;
    answer.expect("no cycle").expect("an answer");
    player.await.expect("no panic").expect("applied");
}

#[tokio::test]
async fn ours_moves_on_the_same_schedule() {
    let (_sidecar, game, reader) = ours().await;
    let told = Arc::new(Semaphore::new(0));
    let ask = Arc::new(Semaphore::new(0));
    let aggregator = tokio::spawn({
        let (told, ask) = (Arc::clone(&told), Arc::clone(&ask));
        async move {
            let mut cursor = Vec::new();
            let mut counted = 0;
            while counted < 3 {
                let page = reader.read(read(cursor)).await.expect("a page");
                cursor = page.cursor;
                counted += page.records.len();
                told.add_permits(page.records.len());
                ask.acquire().await.expect("open").forget();
                // The call that closed the cycle.
                let asker = reader.within(DEADLINE);
                let answer = moves(asker.hunt(HUNT, 10)).await;
                answer.expect("progress").expect("the hunt");
            }
            counted
        }
    });

    for (step, player) in (1..).zip([None, Some(1), Some(2)]) {
        if let Some(player) = player {
            let applied = moves(game.apply(join(HUNT, player, 1))).await;
            let outcome = applied.expect("progress").expect("an outcome");
            assert_eq!(outcome.verdict(), Verdict::Applied, "step {step}");
        }
        let told = timeout(PATIENCE, told.acquire()).await;
        told.expect("the record arrives").expect("open").forget();
        let answer = moves(game.hunt(HUNT, 10)).await;
        answer.expect("progress").expect("the hunt");
        ask.add_permits(1);
    }
    let counted = timeout(PATIENCE, aggregator).await.expect("it ends");
    assert_eq!(counted.expect("no panic"), 3);
}

/// An aggregator that stops in the middle of step 2, with reads under way, and whose connection nobody
/// serves any more, as a process under SIGSTOP.
#[tokio::test]
async fn a_frozen_aggregator_holds_nobody_up_and_misses_nothing() {
    const READS: usize = 16;
    const COMMANDS: u64 = 500;
    let (sidecar, game, _) = ours().await;
    let frozen = Frozen::start(&sidecar, READS);
    let series = "player_state_calls_in_flight";
    common::eventually(|| match sidecar.metric(series) {
        calls if calls >= READS as f64 => Ok(()),
        calls => Err(format!("{calls} reads under way")),
    });
    let stopped = frozen.freeze();

    for request in 1..=COMMANDS {
        let command = match request % 2 {
            1 => join(HUNT, 1, request),
            _ => leave(HUNT, 1, request),
        };
        let applied = moves(game.apply(command)).await;
        let outcome = applied.expect("progress").expect("an outcome");
        assert_eq!(outcome.verdict(), Verdict::Applied, "command {request}");
    }
    let sequences = stopped.thaw(COMMANDS + 1);
    assert_eq!(sequences, (1..=COMMANDS + 1).collect::<Vec<_>>());
}

/// The real program with one hunt; who plays, and who reads on a connection of its own. Every call has
/// the oracle's deadline.
async fn ours() -> (Sidecar, Game, Game) {
    let sidecar = Sidecar::start(&["--claim=auto"]);
    let game = Game::new(sidecar.connect().await).within(DEADLINE);
    let reader = Game::new(sidecar.connect().await);
    game.create(HUNT, settings()).await.expect("a hunt");
    (sidecar, game, reader)
}

fn read(cursor: Vec<u8>) -> ReadRecordsRequest {
    ReadRecordsRequest {
        cursor,
        max_records: 1,
        wait_ms: 10_000,
        ..ReadRecordsRequest::default()
    }
}
