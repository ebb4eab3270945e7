//! The load of the benches: hunts full of players who walk, dig, pick up and use what they hold.
//!
//! Another engine can be given the same commands, one by one:
//! - **Hunts.** `hunts` hunts `bench-hunt-000000`, `-000001` … of 250 players each (ids 1 to 250), of
//!   [`settings`]: 128 × 128 cells, 4,000 treasures, 4,000 caches, the seed the hunt's number, `classic` rules.
//!   Player `n` of all (from 0) is player `1 + n % 250` of hunt `n / 250`. All join first, `n` ascending.
//! - **Chance** is one generator for all: its state begins at 1; each draw makes it
//!   `state * 6364136223846793005 + 1` (wrapping, 64 bits), and `draw(m)` is `(state >> 33) % m`.
//! - **A command** ([`Mix::next`]) draws in this order: the player `n = draw(players)`; `draw(10)`: 0 and 1 dig,
//!   2 picks up, 3 uses a power-up, all others step.
//!   - A power-up: `draw(4)`: 0 `shield`, 1 `spyglass`, 2 `blizzard`, each without a target, and 3 `freeze_ray` at
//!     the player of the same hunt with the id `1 + (n + 1) % 250`.
//!   - A step: `dx = draw(3)`, then `dy = draw(3)`, from where the player was seen last, `(x, y)`, to
//!     `clamp(x + dx, 1, 128) - 1`, `clamp(y + dy, 1, 128) - 1`. Where the last outcome carried the player, that
//!     is where they were seen; before that (0, 0).
//! - **Requests** are numbered from 1 over all commands, Joins too. No expected version, no epoch.
//! - **Time** is the request's: all hunts begin at 0 ms, and request `r` comes at `r / 10000` ms.
#![allow(
    dead_code,
    unreachable_pub,
    reason = "every program has its own copy, and uses a part of it"
)]

use std::{hint::black_box, sync::Arc};

use player_state::engine::{
    Directory, HuntId, Limits, Now, Outcome, RawAction, RawCommand, Ruleset, Settings, Snapshot,
    Verdict,
};

/// Players of a hunt.
pub const PLAYERS: usize = 250;
/// Cells of a side of a hunt's map.
const SIDE: u32 = 128;

/// Settings of the hunt of this number.
pub fn settings(number: u64) -> Settings {
    Settings {
        seed: number,
        width: SIDE,
        height: SIDE,
        treasures: 4_000,
        caches: 4_000,
        max_players: PLAYERS as u32,
        duration_ms: 1 << 31,
        ruleset: String::new(),
    }
}

/// Says what comes next. It sees outcomes only for where players are.
pub struct Mix {
    pub hunts: Vec<HuntId>,
    /// Where each player was seen last.
    places: Vec<(u32, u32)>,
    random: u64,
    request: u64,
}

impl Mix {
    pub fn new(hunts: usize) -> Self {
        let id = |n| HuntId::parse(&format!("bench-hunt-{n:06}")).expect("valid");
        Self {
            hunts: (0..hunts).map(id).collect(),
            places: vec![(0, 0); hunts * PLAYERS],
            random: 1,
            request: 0,
        }
    }

    /// How many players there are.
    pub fn players(&self) -> usize {
        self.places.len()
    }

    /// The next of the mix: who, and what.
    pub fn next(&mut self) -> (usize, RawAction<'static>) {
        let n = self.someone();
        let action = match self.draw(10) {
            0 | 1 => RawAction::Dig,
            2 => RawAction::PickUp,
            3 => self.power_up(n),
            _ => self.step(n),
        };
        (n, action)
    }

    pub fn someone(&mut self) -> usize {
        self.draw(self.players() as u64) as usize
    }

    pub fn step(&mut self, n: usize) -> RawAction<'static> {
        let (x, y) = self.places[n];
        let (dx, dy) = (self.draw(3) as u32, self.draw(3) as u32);
        RawAction::Move {
            x: (x + dx).clamp(1, SIDE) - 1,
            y: (y + dy).clamp(1, SIDE) - 1,
        }
    }

    fn power_up(&mut self, n: usize) -> RawAction<'static> {
        let neighbour = 1 + (n as u64 + 1) % PLAYERS as u64;
        let (power_up, target) = match self.draw(4) {
            0 => ("shield", 0),
            1 => ("spyglass", 0),
            2 => ("blizzard", 0),
            _ => ("freeze_ray", neighbour),
        };
        RawAction::UsePowerUp { power_up, target }
    }

    fn draw(&mut self, below: u64) -> u64 {
        self.random = self
            .random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (self.random >> 33) % below
    }

    /// The command as it comes in, with the next request's number, and its time.
    pub fn command(&mut self, n: usize, action: RawAction<'static>) -> (RawCommand<'_>, Now) {
        self.request += 1;
        let now = self.now();
        let command = RawCommand {
            hunt_id: self.hunts[n / PLAYERS].as_str(),
            player_id: 1 + (n % PLAYERS) as u64,
            request_id: self.request,
            expected_version: 0,
            epoch: 0,
            action: Some(action),
        };
        (command, now)
    }

    /// The time of the last command.
    fn now(&self) -> Now {
        Now {
            wall_ms: 0,
            mono_ms: self.request / 10_000,
        }
    }

    /// Sees where a player is.
    pub fn saw(&mut self, n: usize, x: u32, y: u32) {
        self.places[n] = (x, y);
    }
}

/// The mix played in the engine alone. No wire, no journal.
pub struct Game {
    hunts: Directory,
    mix: Mix,
    outcome: Outcome,
}

impl Game {
    /// `hunts` hunts that all their players have joined.
    pub fn begin(hunts: usize) -> Self {
        let mix = Mix::new(hunts);
        let directory = Directory::new(Limits {
            hunts,
            players: mix.players(),
        });
        let rules = Arc::new(Ruleset::classic());
        for (number, id) in (0..).zip(&mix.hunts) {
            let created = directory.create(id, &settings(number), &rules, 1, mix.now(), |_| ());
            created.expect("room");
        }
        let mut game = Self {
            hunts: directory,
            mix,
            outcome: Outcome::default(),
        };
        for n in 0..game.mix.players() {
            game.ask(n, RawAction::Join);
        }
        game
    }

    /// One command of the mix.
    pub fn turn(&mut self) -> Verdict {
        let (n, action) = self.mix.next();
        self.ask(n, action)
    }

    /// A step of somebody.
    pub fn step(&mut self) -> Verdict {
        let n = self.mix.someone();
        let step = self.mix.step(n);
        self.ask(n, step)
    }

    /// A step of somebody in the first hunt.
    pub fn step_in_one_hunt(&mut self) -> Verdict {
        let n = self.mix.someone() % PLAYERS;
        let step = self.mix.step(n);
        self.ask(n, step)
    }

    /// The first hunt, as it stands.
    pub fn snapshot(&self) -> Snapshot {
        let found = self.hunts.get(self.mix.hunts[0].as_str()).expect("created");
        found.lock().expect("in service").snapshot()
    }

    /// Found, locked, applied, and hashed when the record would carry the digest.
    fn ask(&mut self, n: usize, action: RawAction<'static>) -> Verdict {
        let (raw, now) = self.mix.command(n, action);
        let command = raw.check().expect("well-formed");
        let found = self.hunts.get(command.hunt_id()).expect("created");
        let mut hunt = found.lock().expect("in service");
        let ended = hunt.apply(now, &command, &mut self.outcome);
        black_box((ended, hunt.applied_digest()));
        if let Some(player) = self.outcome.player {
            self.mix.saw(n, player.x.into(), player.y.into());
        }
        self.outcome.verdict
    }
}
