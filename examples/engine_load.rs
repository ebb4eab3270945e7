//! Plays the mix of `benches/game/mod.rs`, which says what it is, in the engine alone, on one thread, with a
//! million players resident; and prints one line of JSON: commands and those of them that were applied,
//! `seconds` they took and `processor_seconds` of those (less, where the machine has other work), players, and
//! the process's resident bytes at the end.
//!
//! `cargo run --release --example engine_load -- --seconds 10 --hunts 4000`

#[path = "../benches/game/mod.rs"]
mod game;

use std::{
    fs,
    time::{Duration, Instant},
};

use clap::Parser;
use game::{Game, PLAYERS};
use player_state::engine::Verdict;

/// As the server has it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Commands between two looks at the clock.
const SLICE: u64 = 10_000;

/// Plays mixed commands in the engine alone, and says how many.
#[derive(Parser)]
struct Args {
    /// How long to play, in seconds
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// Hunts, of 250 players each
    #[arg(long, default_value_t = 4_000)]
    hunts: usize,
}

#[expect(clippy::print_stdout, reason = "its one line is what it is run for")]
fn main() {
    let args = Args::parse();
    let mut game = Game::begin(args.hunts);
    let length = Duration::from_secs(args.seconds);
    let (mut commands, mut applied) = (0, 0_u64);
    let (began, processor) = (Instant::now(), processor_time());
    let mut took = Duration::ZERO;
    while took < length {
        for _ in 0..SLICE {
            applied += u64::from(matches!(game.turn(), Verdict::Applied { .. }));
        }
        commands += SLICE;
        took = began.elapsed();
    }
    let report = serde_json::json!({
        "commands": commands,
        "seconds": took.as_secs_f64(),
        "processor_seconds": (processor_time() - processor).as_secs_f64(),
        "applied": applied,
        "players": args.hunts * PLAYERS,
        "rss_bytes": resident_bytes(),
    });
    println!("{report}");
}

/// What the one thread has had of a processor.
fn processor_time() -> Duration {
    let stat = fs::read_to_string("/proc/self/schedstat").expect("Linux");
    let ns = stat.split(' ').next().and_then(|ns| ns.parse().ok());
    Duration::from_nanos(ns.expect("schedstat"))
}

fn resident_bytes() -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().next());
    1024 * kib.and_then(|kib| kib.parse::<u64>().ok()).expect("VmRSS")
}
