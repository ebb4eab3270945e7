//! A lock a player against one lock a hunt, in a storm of power-ups: 64 callers on 2 threads, 16 hunts of 250
//! players on 40 × 40 cells. Three of four commands move one player; the fourth freezes all within 3 cells of
//! its user.
//!
//! Of an area's players, a lock a player is taken one after the other, so what is frozen is no state that the
//! hunt ever had, and commands have no order that could be written down. That is in their favour here.
//!
//! `cargo run --release --bin locks -- ROUNDS SECONDS` has the arms in turn, and says of each round commands a
//! second, nanoseconds of processor time a command, so that others on the machine count for less, and the 99th
//! percentile of a command, which begins when its caller has the thread.

use std::{
    env, fs,
    hint::black_box,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{runtime::Runtime, task::yield_now};

const CALLERS: u64 = 64;
const THREADS: usize = 2;
const HUNTS: usize = 16;
const PLAYERS: usize = 250;
const SIDE: u64 = 40;
const RADIUS: u16 = 3;

/// As large as the engine's record.
#[derive(Clone, Default)]
struct Player {
    x: u16,
    y: u16,
    version: u32,
    frozen_until: u64,
    _rest: [u64; 6],
}

impl Player {
    fn at(place: (u16, u16)) -> Self {
        let (x, y) = place;
        Self {
            x,
            y,
            ..Self::default()
        }
    }

    fn step(&mut self, place: (u16, u16)) {
        (self.x, self.y) = place;
        self.version += 1;
    }

    fn place(&self) -> (u16, u16) {
        (self.x, self.y)
    }

    fn is_near(&self, (x, y): (u16, u16)) -> bool {
        self.x.abs_diff(x) <= RADIUS && self.y.abs_diff(y) <= RADIUS
    }

    fn freeze(&mut self) {
        self.frozen_until += 1;
    }
}

/// A hunt's players behind some locks.
trait Locked: Send + Sync + 'static {
    fn of(players: Vec<Player>) -> Self;
    fn step(&self, n: usize, place: (u16, u16)) -> impl Future<Output = ()> + Send;
    fn blizzard(&self, n: usize) -> impl Future<Output = ()> + Send;
}

struct MutexEach(Vec<Arc<parking_lot::Mutex<Player>>>);

impl Locked for MutexEach {
    fn of(players: Vec<Player>) -> Self {
        let locked = |player| Arc::new(parking_lot::Mutex::new(player));
        Self(players.into_iter().map(locked).collect())
    }

    async fn step(&self, n: usize, place: (u16, u16)) {
        self.0[n].lock().step(place);
    }

    async fn blizzard(&self, n: usize) {
        let centre = self.0[n].lock().place();
        for player in &self.0 {
            let mut player = player.lock();
            if player.is_near(centre) {
                player.freeze();
            }
        }
    }
}

struct RwLockEach(Vec<Arc<tokio::sync::RwLock<Player>>>);

impl Locked for RwLockEach {
    fn of(players: Vec<Player>) -> Self {
        let locked = |player| Arc::new(tokio::sync::RwLock::new(player));
        Self(players.into_iter().map(locked).collect())
    }

    async fn step(&self, n: usize, place: (u16, u16)) {
        self.0[n].write().await.step(place);
    }

    async fn blizzard(&self, n: usize) {
        let centre = self.0[n].read().await.place();
        for player in &self.0 {
            if player.read().await.is_near(centre) {
                player.write().await.freeze();
            }
        }
    }
}

struct OneLock(parking_lot::Mutex<Vec<Player>>);

impl Locked for OneLock {
    fn of(players: Vec<Player>) -> Self {
        Self(parking_lot::Mutex::new(players))
    }

    async fn step(&self, n: usize, place: (u16, u16)) {
        self.0.lock()[n].step(place);
    }

    async fn blizzard(&self, n: usize) {
        let mut players = self.0.lock();
        let centre = players[n].place();
        for player in players.iter_mut().filter(|player| player.is_near(centre)) {
            player.freeze();
        }
    }
}

struct Chance(u64);

impl Chance {
    fn draw(&mut self, below: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (self.0 >> 33) % below
    }

    fn place(&mut self) -> (u16, u16) {
        (self.draw(SIDE) as u16, self.draw(SIDE) as u16)
    }
}

/// What all threads of this process have had of a processor, in nanoseconds.
fn processor_ns() -> u64 {
    let threads = fs::read_dir("/proc/self/task").expect("Linux");
    let of_thread = |thread: fs::DirEntry| {
        let stat = fs::read_to_string(thread.path().join("schedstat")).ok()?;
        stat.split(' ').next()?.parse::<u64>().ok()
    };
    threads.flatten().filter_map(of_thread).sum()
}

/// Commands a second, nanoseconds of processor time a command, and the 99th percentile.
fn storm<L: Locked>(runtime: &Runtime, length: Duration) -> (f64, u64, Duration) {
    let mut chance = Chance(7);
    let hunts: Arc<Vec<L>> = Arc::new(
        (0..HUNTS)
            .map(|_| L::of((0..PLAYERS).map(|_| Player::at(chance.place())).collect()))
            .collect(),
    );
    let (began, processor) = (Instant::now(), processor_ns());
    let callers: Vec<_> = (0..CALLERS)
        .map(|seed| runtime.spawn(call(Arc::clone(&hunts), seed, began + length)))
        .collect();
    let mut took = Vec::new();
    for caller in callers {
        took.extend(runtime.block_on(caller).expect("no panic"));
    }
    let rate = took.len() as f64 / began.elapsed().as_secs_f64();
    let cost_ns = (processor_ns() - processor) / took.len() as u64;
    let at = took.len() * 99 / 100;
    let (_, p99, _) = took.select_nth_unstable(at);
    (rate, cost_ns, Duration::from_nanos((*p99).into()))
}

async fn call<L: Locked>(hunts: Arc<Vec<L>>, seed: u64, until: Instant) -> Vec<u32> {
    let mut chance = Chance(seed);
    let mut took = Vec::new();
    loop {
        let hunt = &hunts[chance.draw(HUNTS as u64) as usize];
        let n = chance.draw(PLAYERS as u64) as usize;
        let place = chance.place();
        let is_area = chance.draw(4) == 0;
        let began = Instant::now();
        if is_area {
            hunt.blizzard(n).await;
        } else {
            hunt.step(n, place).await;
        }
        black_box(hunt as *const L as usize);
        let now = Instant::now();
        took.push(u32::try_from((now - began).as_nanos()).unwrap_or(u32::MAX));
        if now >= until {
            return took;
        }
        yield_now().await;
    }
}

fn main() {
    let mut args = env::args()
        .skip(1)
        .map(|arg| arg.parse().expect("a number"));
    let (rounds, seconds) = (args.next().unwrap_or(5), args.next().unwrap_or(3));
    let length = Duration::from_secs(seconds);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(THREADS)
        .build()
        .expect("a runtime");
    for round in 1..=rounds {
        let arms = [
            (
                "Arc<parking_lot::Mutex> a player",
                storm::<MutexEach>(&runtime, length),
            ),
            (
                "Arc<tokio::sync::RwLock> a player",
                storm::<RwLockEach>(&runtime, length),
            ),
            ("one lock a hunt", storm::<OneLock>(&runtime, length)),
        ];
        for (arm, (rate, cost_ns, p99)) in arms {
            println!(
                "round={round} arm={arm:?} commands/s={rate:.0} processor_ns={cost_ns} p99={p99:?}"
            );
        }
    }
}
