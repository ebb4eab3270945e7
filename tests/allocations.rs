//! What a command costs the allocator, on its way from the bytes of a call to those of its answer: nothing.

mod common;

use std::{
    alloc::System,
    sync::Arc,
    time::{Duration, Instant},
};

use common::game::{join, leave, settings};
use player_state::{
    config::{Claim, Settings},
    engine::HuntId,
    journal::{Ring, RingBounds},
    pb::{ApplyBatchRequest, ApplyBatchResponse, Command, Verdict},
    shard::{CallTime, Limits, Rulesets, Shard},
    telemetry::Metrics,
    wire::{self, Commands, Encoded},
};
use prost::Message as _;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static COUNTED: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const PLAYERS: u64 = 64;

/// Of a batch, not of a command: lists of commands and outcomes, what waits for the journal, the ring's own room.
const BATCH_ALLOCATIONS: usize = 8;

fn shard() -> Shard {
    let ring = Ring::new(RingBounds {
        records_max: 100_000,
        bytes_max: 64 << 20,
    });
    let shard = Shard::new(
        Arc::new(ring.expect("bounds with room")),
        Rulesets::default(),
        Claim::Auto,
        Limits::from(&Settings::defaults()),
        Arc::new(Metrics::new()),
    );
    let id = HuntId::parse("a-hunt-of-a-usual-name").expect("an id");
    let created = shard.create(&id, &wire::settings(settings()), 0, 0);
    created.expect("a hunt");
    shard
}

/// The answer to a batch in which every player joins or leaves.
async fn play(shard: &Shard, request: &Encoded) -> Encoded {
    let arrived = Instant::now();
    let deadline = arrived + Duration::from_secs(20);
    let time = CallTime { arrived, deadline };
    let answers = {
        let commands = Commands::of_batch(request).expect("a batch");
        shard.apply_all(time, &commands)
    };
    shard.settle(time, answers).await
}

fn batch(of: fn(&str, u64, u64) -> Command, request_id: u64) -> Encoded {
    let commands = (1..=PLAYERS).map(|player| of("a-hunt-of-a-usual-name", player, request_id));
    let batch = ApplyBatchRequest {
        commands: commands.collect(),
    };
    Encoded(batch.encode_to_vec().into())
}

#[tokio::test]
async fn a_batch_allocates_a_few_blocks_and_none_a_command() {
    let shard = shard();
    // What is made once is made here: the players, a thread's work, the first digest.
    for round in 0..8 {
        play(&shard, &batch(join, 1 + 2 * round)).await;
        play(&shard, &batch(leave, 2 + 2 * round)).await;
    }
    let request = batch(join, 100);
    let counted = Region::new(COUNTED);
    let answer = play(&shard, &request).await;
    let change = counted.change();
    let answer = ApplyBatchResponse::decode(answer.0).expect("an answer");
    let applied = |outcome: &_| player_state::pb::Outcome::verdict(outcome) == Verdict::Applied;
    assert!(answer.outcomes.iter().all(applied), "{answer:?}");

    let commands = PLAYERS as usize;
    let allocations = change.allocations + change.reallocations;
    assert!(allocations > 0, "they are counted: {change:?}");
    assert!(allocations <= BATCH_ALLOCATIONS, "{change:?}");
    assert!(change.bytes_allocated <= commands * 256, "{change:?}");
}
