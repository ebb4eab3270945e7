//! Places on the map, and what lies in its cells.
//!
//! Treasures and caches lie in [`Spots`]: sorted by cell, two bytes each, with the sum of their hashes for
//! the digest. A spot that was taken stays as an empty one; a map is never filled again.
//! (docs/decisions/player-memory.md)

use std::ops::RangeInclusive;

use super::{POWER_UPS_MAX, canonical, random::Random, ruleset::Ruleset, settings::Settings};

/// A cell by its coordinates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub(super) struct Place {
    pub(super) x: u16,
    pub(super) y: u16,
}

impl Place {
    /// Steps to another place, diagonals counting one (Chebyshev).
    pub(super) fn distance(self, other: Self) -> u32 {
        self.x
            .abs_diff(other.x)
            .max(self.y.abs_diff(other.y))
            .into()
    }
}

/// The size of a map, in cells.
#[derive(Clone, Copy, Debug)]
pub(super) struct Size {
    pub(super) width: u32,
    pub(super) height: u32,
}

impl Size {
    pub(super) fn of(settings: &Settings) -> Self {
        Self {
            width: settings.width,
            height: settings.height,
        }
    }

    /// How many cells there are.
    fn cells(self) -> u32 {
        self.width * self.height
    }

    /// Cells are numbered row by row.
    pub(super) fn cell(self, place: Place) -> u32 {
        u32::from(place.y) * self.width + u32::from(place.x)
    }

    pub(super) fn place(self, cell: u32) -> Place {
        Place {
            x: (cell % self.width) as u16,
            y: (cell / self.width) as u16,
        }
    }

    /// `None` outside of the map.
    pub(super) fn place_at(self, x: u32, y: u32) -> Option<Place> {
        (x < self.width && y < self.height).then_some(Place {
            x: x as u16,
            y: y as u16,
        })
    }

    pub(super) fn draw_place(self, random: &mut Random) -> Place {
        let x = random.below(self.width.into()) as u16;
        let y = random.below(self.height.into()) as u16;
        Place { x, y }
    }

    /// The cells within `radius` of a place, as one range of cells a row, ascending.
    fn rows(self, centre: Place, radius: u8) -> impl Iterator<Item = RangeInclusive<u32>> {
        let (x, y, radius) = (u32::from(centre.x), u32::from(centre.y), u32::from(radius));
        let columns = x.saturating_sub(radius)..=(x + radius).min(self.width - 1);
        let rows = y.saturating_sub(radius)..=(y + radius).min(self.height - 1);
        rows.map(move |row| row * self.width + columns.start()..=row * self.width + columns.end())
    }
}

/// What lies in spots: it decides how a spot's content is read, and how a spot is hashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Treasure,
    Cache,
}

impl Kind {
    /// The content of a spot as the schema has it: a treasure's value, a cache's index in the ruleset.
    fn meaning(self, content: u8) -> u32 {
        match self {
            Self::Treasure => 10 * u32::from(content),
            Self::Cache => u32::from(content) - 1,
        }
    }

    /// The other way round; `None` for what no hunt can hold.
    fn content(self, meaning: u32, ruleset: &Ruleset) -> Option<u8> {
        let content = match self {
            Self::Treasure if meaning.is_multiple_of(10) => meaning / 10,
            Self::Treasure => return None,
            Self::Cache => meaning.checked_add(1)?,
        };
        let most = match self {
            Self::Treasure => 10,
            Self::Cache => ruleset.power_ups().len() as u32,
        };
        (1..=most).contains(&content).then_some(content as u8)
    }
}

/// How many cells are a block.
const BLOCK_CELLS: u32 = 1 << 11;

/// A cell of a block and its content in two bytes: 11 bits and 5, content 0 for one that was taken.
#[derive(Clone, Copy, Debug)]
struct Spot(u16);

const _: () = assert!(POWER_UPS_MAX < 1 << 5);

impl Spot {
    fn new(cell: u32, content: u8) -> Self {
        Self(((cell % BLOCK_CELLS) as u16) << 5 | u16::from(content))
    }

    /// The cell's number in its block.
    fn in_block(self) -> u32 {
        (self.0 >> 5).into()
    }

    fn content(self) -> u8 {
        self.0 as u8 & 0x1F
    }
}

/// All treasures, or all caches, of a hunt.
#[derive(Clone, Debug)]
pub(super) struct Spots {
    kind: Kind,
    size: Size,
    by_cell: Box<[Spot]>,
    /// How many spots lie before each block, and before what would be the next after the last.
    before: Box<[u32]>,
    left: u32,
    hash_sum: u64,
}

/// A spot that is still there, as the schema has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) place: Place,
    pub(super) meaning: u32,
}

impl Spots {
    /// Draws the treasures of a new hunt.
    pub(super) fn draw_treasures(settings: &Settings, random: &mut Random) -> Self {
        let value = |random: &mut Random| 1 + random.below(10) as u8;
        Self::draw(
            Kind::Treasure,
            Size::of(settings),
            settings.treasures,
            random,
            value,
        )
    }

    /// Draws the caches of a new hunt, by the weights of its ruleset.
    pub(super) fn draw_caches(settings: &Settings, ruleset: &Ruleset, random: &mut Random) -> Self {
        let power_up =
            |random: &mut Random| 1 + ruleset.by_weight(random.below(ruleset.weight_sum()));
        Self::draw(
            Kind::Cache,
            Size::of(settings),
            settings.caches,
            random,
            power_up,
        )
    }

    fn draw(
        kind: Kind,
        size: Size,
        count: u32,
        random: &mut Random,
        mut content: impl FnMut(&mut Random) -> u8,
    ) -> Self {
        let cells = size.cells();
        let mut occupied = Bits::new(cells);
        let mut drawn = Vec::with_capacity(count as usize);
        for _ in 0..count {
            let mut cell = random.below(cells.into()) as u32;
            while occupied.contains(cell) {
                cell = (cell + 1) % cells;
            }
            occupied.insert(cell);
            drawn.push((cell, content(random)));
        }
        drawn.sort_unstable_by_key(|(cell, _)| *cell);
        Self::new(kind, size, &drawn)
    }

    /// Lays out cells that ascend, each with its content.
    fn new(kind: Kind, size: Size, by_cell: &[(u32, u8)]) -> Self {
        let blocks = size.cells().div_ceil(BLOCK_CELLS);
        let before =
            |block| by_cell.partition_point(|(cell, _)| *cell < block * BLOCK_CELLS) as u32;
        let spot = |(cell, content): &(u32, u8)| Spot::new(*cell, *content);
        let mut spots = Self {
            kind,
            size,
            by_cell: by_cell.iter().map(spot).collect(),
            before: (0..=blocks).map(before).collect(),
            left: by_cell.len() as u32,
            hash_sum: 0,
        };
        let hashes = spots.iter().map(|found| spots.hash(found));
        spots.hash_sum = hashes.fold(0, u64::wrapping_add);
        spots
    }

    /// Rebuilds the spots of a snapshot; `None` unless they ascend, lie on the map and hold what a hunt of
    /// this ruleset can hold.
    pub(super) fn restore(
        kind: Kind,
        size: Size,
        ruleset: &Ruleset,
        spots: impl Iterator<Item = (u32, u32, u32)>,
    ) -> Option<Self> {
        let spot = |(x, y, meaning)| {
            let cell = size.cell(size.place_at(x, y)?);
            Some((cell, kind.content(meaning, ruleset)?))
        };
        let by_cell = spots.map(spot).collect::<Option<Vec<_>>>()?;
        let ascend = by_cell.is_sorted_by(|(a, _), (b, _)| a < b);
        ascend.then(|| Self::new(kind, size, &by_cell))
    }

    /// How many were not taken.
    pub(super) fn left(&self) -> u32 {
        self.left
    }

    /// The wrapping sum of the hashes of those left.
    pub(super) fn hash_sum(&self) -> u64 {
        self.hash_sum
    }

    /// Those left, by cell.
    pub(super) fn iter(&self) -> impl Iterator<Item = Found> {
        let blocks = (0..self.size.cells()).step_by(BLOCK_CELLS as usize);
        blocks.flat_map(|first| self.in_cells(first..=first + (BLOCK_CELLS - 1)))
    }

    /// What lies in a cell.
    pub(super) fn at(&self, place: Place) -> Option<Found> {
        let cell = self.size.cell(place);
        let index = self.index(cell)?;
        self.found(cell, self.by_cell[index])
    }

    /// Those left within `radius` of a place, by cell.
    pub(super) fn within(&self, centre: Place, radius: u8) -> impl Iterator<Item = Found> {
        let rows = self.size.rows(centre, radius);
        rows.flat_map(|cells| self.in_cells(cells))
    }

    /// Those left in cells that are no more than a block's.
    fn in_cells(&self, cells: RangeInclusive<u32>) -> impl Iterator<Item = Found> {
        let (first, last) = cells.into_inner();
        let spots = &self.by_cell[self.seek(first)..self.seek(last + 1)];
        spots.iter().filter_map(move |spot| {
            // The range may go over to the next block: a spot's number is counted from where the range begins.
            let beyond = spot.in_block().wrapping_sub(first) % BLOCK_CELLS;
            self.found(first + beyond, *spot)
        })
    }

    /// Takes what lies in a cell: it lies there no more.
    pub(super) fn take(&mut self, place: Place) -> Option<Found> {
        let cell = self.size.cell(place);
        let index = self.index(cell)?;
        let found = self.found(cell, self.by_cell[index])?;
        self.by_cell[index] = Spot::new(cell, 0);
        self.left -= 1;
        self.hash_sum = self.hash_sum.wrapping_sub(self.hash(found));
        Some(found)
    }

    fn index(&self, cell: u32) -> Option<usize> {
        let index = self.seek(cell);
        // The next of the same number may be a later block's.
        let here = index < self.before[(cell / BLOCK_CELLS) as usize + 1] as usize
            && self.by_cell[index].in_block() == cell % BLOCK_CELLS;
        here.then_some(index)
    }

    /// How many spots lie before a cell, or before the block after the last.
    ///
    /// Spots are drawn evenly, so the search begins where the cell is to be expected, and widens from there until it
    /// has the cell between two: that reads a line of memory or two, of which halving the block reads five.
    fn seek(&self, cell: u32) -> usize {
        let (block, cell) = ((cell / BLOCK_CELLS) as usize, cell % BLOCK_CELLS);
        let first = self.before[block] as usize;
        let Some(end) = self.before.get(block + 1) else {
            return first;
        };
        let spots = &self.by_cell[first..*end as usize];
        let before = |spot: &Spot| spot.in_block() < cell;
        let expected = spots.len() * cell as usize / BLOCK_CELLS as usize;
        let (mut from, mut to, mut step) = (expected, expected, 16);
        while from > 0 && !before(&spots[from - 1]) {
            (to, from) = (from - 1, from.saturating_sub(step));
            step *= 2;
        }
        while to < spots.len() && before(&spots[to]) {
            (from, to) = (to + 1, (to + step).min(spots.len()));
            step *= 2;
        }
        first + from + spots[from..to].partition_point(before)
    }

    fn found(&self, cell: u32, spot: Spot) -> Option<Found> {
        (spot.content() != 0).then(|| Found {
            place: self.size.place(cell),
            meaning: self.kind.meaning(spot.content()),
        })
    }

    fn hash(&self, found: Found) -> u64 {
        match self.kind {
            Kind::Treasure => canonical::treasure_hash(found),
            Kind::Cache => canonical::cache_hash(found),
        }
    }
}

/// A set of cells, a bit each: at most 2 MiB while a hunt is drawn.
struct Bits(Vec<u64>);

impl Bits {
    fn new(cells: u32) -> Self {
        Self(vec![0; cells.div_ceil(64) as usize])
    }

    fn contains(&self, cell: u32) -> bool {
        self.0[cell as usize / 64] >> (cell % 64) & 1 != 0
    }

    fn insert(&mut self, cell: u32) {
        self.0[cell as usize / 64] |= 1 << (cell % 64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(width: u32, height: u32, treasures: u32) -> Settings {
        Settings {
            seed: 1,
            width,
            height,
            treasures,
            caches: treasures,
            max_players: 1,
            duration_ms: 1,
            ruleset: String::new(),
        }
    }

    #[test]
    fn a_taken_cell_moves_the_next_draw_on_and_around() {
        let mut moved = 0;
        for seed in 0..50 {
            let settings = settings(3, 2, 3);
            let mut random = Random::new(seed);
            let spots = Spots::draw_treasures(&settings, &mut random);

            let mut replay = Random::new(seed);
            let mut expected = Vec::new();
            for _ in 0..3 {
                let mut cell = replay.below(6) as u32;
                while expected.iter().any(|(taken, _)| *taken == cell) {
                    cell = (cell + 1) % 6;
                    moved += 1;
                }
                expected.push((cell, 10 * (1 + replay.below(10) as u32)));
            }
            expected.sort_unstable();
            let size = Size::of(&settings);
            let found = |found: Found| (size.cell(found.place), found.meaning);
            let drawn: Vec<_> = spots.iter().map(found).collect();
            assert_eq!(drawn, expected, "seed {seed}");
            assert_eq!(random.state(), replay.state(), "seed {seed}");
        }
        assert!(moved > 10, "{moved}");
    }

    #[test]
    fn a_radius_is_a_square_cut_at_the_edges_in_ascending_order() {
        let all = (0..20u32).map(|cell| (cell % 5, cell / 5, 10));
        let size = Size {
            width: 5,
            height: 4,
        };
        let spots = Spots::restore(Kind::Treasure, size, &Ruleset::classic(), all).expect("valid");
        let cells = |centre, radius| {
            spots
                .within(centre, radius)
                .map(|found| size.cell(found.place))
                .collect::<Vec<_>>()
        };
        assert_eq!(cells(Place { x: 0, y: 0 }, 1), [0, 1, 5, 6]);
        assert_eq!(cells(Place { x: 4, y: 3 }, 1), [13, 14, 18, 19]);
        assert_eq!(cells(Place { x: 2, y: 1 }, 0), [7]);
        assert_eq!(cells(Place { x: 2, y: 1 }, 16), (0..20).collect::<Vec<_>>());
    }

    #[test]
    fn a_cell_is_found_wherever_the_spots_lie() {
        // Some blocks, the last of them not full; rows go over from one to the next.
        let size = Size {
            width: 100,
            height: 83,
        };
        let all = 0..size.cells();
        let lists: [Vec<u32>; 7] = [
            vec![],
            all.clone().collect(),
            (0..100).collect(),
            (8000..8300).collect(),
            vec![2047, 4096],
            all.clone().filter(|cell| cell % 7 == 3).collect(),
            all.clone().filter(|cell| cell % 1000 < 90).collect(),
        ];
        for cells in lists {
            let spots = cells.iter().map(|cell| (cell % 100, cell / 100, 10));
            let spots = Spots::restore(Kind::Treasure, size, &Ruleset::classic(), spots);
            let spots = spots.expect("valid");
            let cell_of = |found: Found| size.cell(found.place);
            assert!(spots.iter().map(cell_of).eq(cells.iter().copied()));
            for cell in all.clone() {
                let expected = cells.partition_point(|it| *it < cell);
                assert_eq!(spots.seek(cell), expected, "cell {cell} of {}", cells.len());
                let place = size.place(cell);
                let at = spots.at(place).map(cell_of);
                assert_eq!(at, cells.contains(&cell).then_some(cell));
                let near = |cell: &u32| size.place(*cell).distance(place) <= 2;
                let from = expected.saturating_sub(203);
                let near: Vec<_> = cells[from..]
                    .iter()
                    .copied()
                    .take(500)
                    .filter(near)
                    .collect();
                assert!(spots.within(place, 2).map(cell_of).eq(near), "cell {cell}");
            }
        }
    }

    #[test]
    fn what_was_taken_is_gone_from_every_view() {
        let settings = settings(4, 4, 8);
        let mut spots = Spots::draw_treasures(&settings, &mut Random::new(3));
        let first = spots.iter().next().expect("eight");
        assert_eq!(spots.take(first.place), Some(first));
        assert_eq!(spots.take(first.place), None);
        assert_eq!(spots.at(first.place), None);
        assert_eq!((spots.left(), spots.iter().count()), (7, 7));
        let rebuilt = spots
            .iter()
            .map(|found| (found.place.x.into(), found.place.y.into(), found.meaning));
        let rebuilt = Spots::restore(
            Kind::Treasure,
            Size::of(&settings),
            &Ruleset::classic(),
            rebuilt,
        );
        assert_eq!(rebuilt.expect("valid").hash_sum(), spots.hash_sum());
    }
}
