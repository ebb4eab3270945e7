//! What a command costs in the engine alone: found, locked, applied, and hashed when its record would carry
//! the digest. No wire, no journal.

use std::{hint::black_box, sync::Arc, time::Duration};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use player_state::engine::{
    Directory, HuntId, Limits, Now, Outcome, RawAction, RawCommand, Ruleset, Settings,
};

const HUNTS: usize = 400;
const PLAYERS: u64 = 250; // a hunt
const SIDE: u32 = 128;

/// Hunts full of players who walk, dig, pick up and use what they hold.
struct Game {
    hunts: Directory,
    ids: Vec<HuntId>,
    /// Where each player was last seen.
    places: Vec<(u32, u32)>,
    random: u64,
    request: u64,
    outcome: Outcome,
}

impl Game {
    fn begin() -> Self {
        let hunts = Directory::new(Limits {
            hunts: HUNTS,
            players: 1_000_000,
        });
        let rules = Arc::new(Ruleset::classic());
        let ids: Vec<_> = (0..HUNTS)
            .map(|n| HuntId::parse(&format!("bench-hunt-{n:06}")).expect("valid"))
            .collect();
        let now = Now {
            wall_ms: 0,
            mono_ms: 0,
        };
        for (seed, id) in (0..).zip(&ids) {
            let settings = Settings {
                seed,
                width: SIDE,
                height: SIDE,
                treasures: 4_000,
                caches: 4_000,
                max_players: PLAYERS as u32,
                duration_ms: 1 << 31,
                ruleset: String::new(),
            };
            hunts
                .create(id, &settings, &rules, 1, now, |_| ())
                .expect("room");
        }
        let places = vec![(0, 0); HUNTS * PLAYERS as usize];
        let mut game = Self {
            hunts,
            ids,
            places,
            random: 1,
            request: 0,
            outcome: Outcome::default(),
        };
        for n in 0..game.places.len() {
            game.ask(n, RawAction::Join);
        }
        game
    }

    fn draw(&mut self, below: u64) -> u64 {
        self.random = self
            .random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (self.random >> 33) % below
    }

    /// One command of a mix: six steps, two digs, a cache, a power-up.
    fn turn(&mut self) {
        let n = self.draw(self.places.len() as u64) as usize;
        let action = match self.draw(10) {
            0 | 1 => RawAction::Dig,
            2 => RawAction::PickUp,
            3 => self.power_up(n),
            _ => self.step(n),
        };
        self.ask(n, action);
    }

    fn step(&mut self, n: usize) -> RawAction<'static> {
        let (x, y) = self.places[n];
        let (dx, dy) = (self.draw(3) as u32, self.draw(3) as u32);
        RawAction::Move {
            x: (x + dx).clamp(1, SIDE) - 1,
            y: (y + dy).clamp(1, SIDE) - 1,
        }
    }

    fn power_up(&mut self, n: usize) -> RawAction<'static> {
        let neighbour = 1 + (n as u64 + 1) % PLAYERS;
        match self.draw(4) {
            0 => RawAction::UsePowerUp {
                power_up: "shield",
                target: 0,
            },
            1 => RawAction::UsePowerUp {
                power_up: "spyglass",
                target: 0,
            },
            2 => RawAction::UsePowerUp {
                power_up: "blizzard",
                target: 0,
            },
            _ => RawAction::UsePowerUp {
                power_up: "freeze_ray",
                target: neighbour,
            },
        }
    }

    fn ask(&mut self, n: usize, action: RawAction<'_>) {
        self.request += 1;
        let raw = RawCommand {
            hunt_id: self.ids[n / PLAYERS as usize].as_str(),
            player_id: 1 + n as u64 % PLAYERS,
            request_id: self.request,
            expected_version: 0,
            epoch: 0,
            action: Some(action),
        };
        let command = raw.check().expect("well-formed");
        let now = Now {
            wall_ms: 0,
            mono_ms: self.request / 10_000,
        };
        let found = self.hunts.get(command.hunt_id()).expect("created");
        let mut hunt = found.lock().expect("in service");
        let ended = hunt.apply(now, &command, &mut self.outcome);
        black_box((ended, hunt.applied_digest()));
        if let Some(player) = self.outcome.player {
            self.places[n] = (player.x.into(), player.y.into());
        }
    }
}

fn commands(c: &mut Criterion) {
    let mut game = Game::begin();
    let mut group = c.benchmark_group("engine");
    group
        .measurement_time(Duration::from_secs(3))
        .throughput(Throughput::Elements(1));
    group.bench_function("mixed command, 100,000 players", |bench| {
        bench.iter(|| game.turn())
    });
    group.bench_function("step, 100,000 players", |bench| {
        bench.iter(|| {
            let n = game.draw(game.places.len() as u64) as usize;
            let step = game.step(n);
            game.ask(n, step);
        });
    });
    group.finish();
}

fn digests(c: &mut Criterion) {
    let settings = Settings {
        seed: 1,
        width: SIDE,
        height: SIDE,
        treasures: 8_000,
        caches: 8_000,
        max_players: 1,
        duration_ms: 1,
        ruleset: String::new(),
    };
    let rules = Arc::new(Ruleset::classic());
    let id = HuntId::parse("bench").expect("valid");
    c.bench_function(
        "create a hunt of 8,000 treasures and 8,000 caches",
        |bench| {
            bench.iter(|| {
                player_state::engine::Hunt::create(
                    id.clone(),
                    settings.clone(),
                    rules.clone(),
                    1,
                    0,
                )
            });
        },
    );
}

criterion_group!(benches, commands, digests);
criterion_main!(benches);
