//! Churn of 64-byte blocks: 2 threads, each with a million of them, free 64 at random and allocate 64 others, again and
//! again; at the end they free half of theirs at random. Prints one line: nanoseconds of processor time a
//! pair, so that others on the machine count for little, and the resident bytes then, over the bytes that are in use.
//!
//! `story/allocators ROUNDS` builds it with each allocator, and has them in turn.

use std::{fs, hint::black_box, sync::Barrier, thread};

#[cfg(feature = "mimalloc")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[cfg(feature = "jemalloc")]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

const THREADS: usize = 2;
const BLOCKS: usize = 1_000_000; // a thread
const BATCH: usize = 64;
const PAIRS: u32 = 10_000_000; // a thread

type Block = Option<Box<[u8; 64]>>;

struct Chance(u64);

impl Chance {
    fn draw(&mut self, below: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (self.0 >> 33) as usize % below
    }
}

fn block(byte: u8) -> Block {
    Some(black_box(Box::new([byte; 64])))
}

/// Fills, churns, and frees half. How long the churn had a processor, in nanoseconds.
fn churn(blocks: &mut [Block], seed: u64, together: &Barrier) -> u64 {
    blocks.fill_with(|| block(1));
    let mut chance = Chance(seed);
    together.wait();
    let began = processor_ns();
    let mut places = [0; BATCH];
    for n in 0..PAIRS / BATCH as u32 {
        for place in &mut places {
            *place = chance.draw(blocks.len());
            blocks[*place] = None;
        }
        for place in places {
            blocks[place] = block(n as u8);
        }
    }
    let took = processor_ns() - began;
    let mut left = blocks.len() / 2;
    while left > 0 {
        left -= usize::from(blocks[chance.draw(blocks.len())].take().is_some());
    }
    took
}

/// What this thread has had of a processor.
fn processor_ns() -> u64 {
    let stat = fs::read_to_string("/proc/thread-self/schedstat").expect("Linux");
    let ns = stat.split(' ').next().and_then(|ns| ns.parse().ok());
    ns.expect("schedstat")
}

fn resident_bytes() -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().next());
    1024 * kib.and_then(|kib| kib.parse::<u64>().ok()).expect("VmRSS")
}

fn main() {
    // Made and touched beforehand, so that they are in no figure.
    let mut blocks: Vec<Vec<Block>> = (0..THREADS)
        .map(|_| (0..BLOCKS).map(|_| None).collect())
        .collect();
    let before = resident_bytes();
    let together = &Barrier::new(THREADS);
    let took: Vec<u64> = thread::scope(|scope| {
        let threads: Vec<_> = (1..)
            .zip(&mut blocks)
            .map(|(seed, blocks)| scope.spawn(move || churn(blocks, seed, together)))
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().expect("no panic"))
            .collect()
    });
    let resident = resident_bytes() - before;
    let live = blocks.iter().flatten().flatten().count() * 64;
    let total: u64 = took.iter().sum();
    let pair_ns = total as f64 / f64::from(PAIRS) / THREADS as f64;
    let over = resident as f64 / live as f64;
    println!("pair_ns={pair_ns:.1} resident_over_live={over:.2} live_bytes={live}");
}
