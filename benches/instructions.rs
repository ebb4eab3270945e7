//! How many instructions the ways that every command takes cost, counted by valgrind: the same on a busy
//! machine. `scripts/check-instructions` holds the counts against `instructions.json`.

mod game;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use game::{Game, Mix};
use gungraun::{
    Callgrind, LibraryBenchmarkConfig, library_benchmark, library_benchmark_group, main,
};
use player_state::{
    config::{Claim, Settings},
    engine::{RawAction, RawCommand, Snapshot},
    journal::{Ring, RingBounds},
    pb::{self, command::Action},
    shard::{CallTime, Limits, Rulesets, Shard},
    telemetry::Metrics,
    wire::{self, Commands, Encoded},
};
use prost::Message as _;
use tokio::runtime::Runtime;

/// As the server has it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// One memcpy on every processor: that of AVX2 is 3 % of a batch away from the one without.
const PLAIN_GLIBC: &str =
    "glibc.cpu.hwcaps=-AVX2,-AVX_Fast_Unaligned_Load,-BMI2,-ERMS,-FSRM,-SSSE3,-SSE4_1,-SSE4_2";

const HUNTS: usize = 8;
const TURNS: usize = 1_000;
const BATCH_COMMANDS: usize = 64;

fn played() -> Game {
    let mut game = Game::begin(HUNTS);
    for _ in 0..20_000 {
        game.turn();
    }
    game
}

#[library_benchmark(setup = played)]
#[bench::of_1000()]
fn mixed_commands(mut game: Game) -> Game {
    for _ in 0..TURNS {
        game.turn();
    }
    game
}

#[library_benchmark(setup = played)]
#[bench::of_1000()]
fn steps(mut game: Game) -> Game {
    for _ in 0..TURNS {
        game.step();
    }
    game
}

fn snapshot() -> Snapshot {
    played().snapshot()
}

#[library_benchmark(setup = snapshot)]
#[bench::of_250_players()]
fn encode_snapshot(snapshot: Snapshot) -> (Snapshot, Vec<u8>) {
    let encoded = wire::hunt_snapshot(&snapshot).encode_to_vec();
    (snapshot, encoded)
}

/// A server without its sockets, and the bytes of a call.
struct Call {
    shard: Shard,
    runtime: Runtime,
    request: Encoded,
}

impl Call {
    /// All have joined and walked, dug and picked up for a while. Nobody has used anything, so nothing
    /// depends on how long that took.
    fn prepare() -> Self {
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
        let mut mix = Mix::new(HUNTS);
        for (number, id) in (0..).zip(&mix.hunts) {
            let created = shard.create(id, &game::settings(number), 0, 0);
            created.expect("room");
        }
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build();
        let runtime = runtime.expect("a runtime");
        for n in 0..mix.players() {
            play(&shard, &runtime, &mut mix, n, RawAction::Join);
        }
        for _ in 0..20_000 {
            let (n, action) = mix.next();
            if !matches!(action, RawAction::UsePowerUp { .. }) {
                play(&shard, &runtime, &mut mix, n, action);
            }
        }
        let commands = (0..BATCH_COMMANDS).map(|_| {
            let (n, action) = mix.next();
            message(mix.command(n, action).0)
        });
        let batch = pb::ApplyBatchRequest {
            commands: commands.collect(),
        };
        Self {
            shard,
            runtime,
            request: Encoded(batch.encode_to_vec().into()),
        }
    }
}

fn play(shard: &Shard, runtime: &Runtime, mix: &mut Mix, n: usize, action: RawAction<'static>) {
    let commands = vec![message(mix.command(n, action).0)];
    let time = call_time();
    let answers = shard.apply_all(time, &Commands::Copied(commands));
    let answer = runtime.block_on(shard.settle(time, answers));
    let answer = pb::ApplyBatchResponse::decode(answer.0).expect("an answer");
    if let Some(player) = &answer.outcomes[0].player {
        mix.saw(n, player.x, player.y);
    }
}

fn call_time() -> CallTime {
    let arrived = Instant::now();
    CallTime {
        arrived,
        deadline: arrived + Duration::from_secs(3600),
    }
}

fn message(command: RawCommand<'_>) -> pb::Command {
    pb::Command {
        hunt_id: command.hunt_id.to_owned(),
        player_id: command.player_id,
        request_id: command.request_id,
        action: command.action.map(|action| match action {
            RawAction::Join => Action::Join(pb::Join {}),
            RawAction::Leave => Action::Leave(pb::Leave {}),
            RawAction::Move { x, y } => Action::Move(pb::Move { x, y }),
            RawAction::Dig => Action::Dig(pb::Dig {}),
            RawAction::PickUp => Action::PickUp(pb::PickUp {}),
            RawAction::UsePowerUp { power_up, target } => Action::UsePowerUp(pb::UsePowerUp {
                power_up: power_up.to_owned(),
                target_player_id: target,
            }),
        }),
        ..pb::Command::default()
    }
}

#[library_benchmark(setup = Call::prepare)]
#[bench::of_64()]
fn batch_of_commands(call: Call) -> (Call, Encoded) {
    let time = call_time();
    let commands = Commands::of_batch(&call.request).expect("a request");
    let answers = call.shard.apply_all(time, &commands);
    drop(commands);
    let response = call.runtime.block_on(call.shard.settle(time, answers));
    (call, response)
}

library_benchmark_group!(
    name = engine;
    benchmarks = mixed_commands, steps, encode_snapshot, batch_of_commands
);
main!(
    config = LibraryBenchmarkConfig::default()
        .env("GLIBC_TUNABLES", PLAIN_GLIBC)
        .tool(Callgrind::with_args(["--cache-sim=no"]));
    library_benchmark_groups = engine
);
