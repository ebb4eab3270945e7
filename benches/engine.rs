//! What a command costs in the engine alone, on one core, with a million players resident: found, locked,
//! applied, and hashed when its record would carry the digest. No wire, no journal.

mod game;

use std::{sync::Arc, time::Duration};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use game::Game;
use player_state::engine::{Hunt, HuntId, Ruleset, Settings};

/// As the server has it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const HUNTS: usize = 4_000;

fn commands(c: &mut Criterion) {
    let mut game = Game::begin(HUNTS);
    let mut group = c.benchmark_group("engine, 1,000,000 players");
    group
        .measurement_time(Duration::from_secs(5))
        .throughput(Throughput::Elements(1));
    group.bench_function("step", |bench| bench.iter(|| game.step()));
    group.bench_function("step, all in one hunt", |bench| {
        bench.iter(|| game.step_in_one_hunt());
    });
    group.bench_function("mixed command", |bench| bench.iter(|| game.turn()));
    group.finish();
}

fn creation(c: &mut Criterion) {
    let settings = Settings {
        treasures: 8_000,
        caches: 8_000,
        max_players: 1,
        ..game::settings(1)
    };
    let rules = Arc::new(Ruleset::classic());
    let id = HuntId::parse("bench").expect("valid");
    c.bench_function(
        "create a hunt of 8,000 treasures and 8,000 caches",
        |bench| {
            bench.iter(|| Hunt::create(id.clone(), settings.clone(), rules.clone(), 1, 0));
        },
    );
}

criterion_group!(benches, commands, creation);
criterion_main!(benches);
