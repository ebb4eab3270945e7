//! All players that a hunt knows: their records, an index from id to seat, and their part of the digest.
//!
//! A player who joined once stays for good, so a seat is never reused. What must stay true: a record changes
//! only through [`Players::change`], which keeps the digest: the first change since the digest was last
//! asked for takes the player's old hash, which is kept, out of the sum and puts the seat on a list; asking puts
//! the new hashes in. So a player who acts a hundred times between two digests is hashed once, and nobody pays for
//! those who did nothing. (docs/decisions/lazy-digest.md)

use hashbrown::HashTable;

use super::{
    PlayerId, PlayerSummary, RequestId, Standing, canonical,
    player::{PlayerRecord, Recall, Remembered},
};

/// A player's place in the slab.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Seat(u32);

impl Seat {
    fn index(self) -> usize {
        self.0 as usize
    }
}

/// The two cache lines of a player, side by side: a command needs both.
#[derive(Clone, Debug)]
struct Lines {
    record: PlayerRecord,
    remembered: Remembered,
}

const _: () = assert!(size_of::<Lines>() == 128);

#[derive(Clone, Debug)]
pub(super) struct Players {
    lines: Vec<Lines>,
    ids: Vec<PlayerId>,
    /// Of each player when the digest was last asked for: what to take out of the sum, where it changed since.
    hashes: Vec<u64>,
    /// Seats by the hash of their id.
    index: HashTable<u32>,
    /// Mixed into that hash, so that ids chosen to collide in one hunt do not in another.
    salt: u64,
    present: u32,
    /// Counts in an inventory, for the hashes.
    kinds: u8,
    /// The wrapping sum of the hashes of the players that are not dirty.
    hash_sum: u64,
    dirty: Vec<u32>,
    scratch: Vec<u8>,
}

impl Players {
    pub(super) fn new(salt: u64, kinds: u8) -> Self {
        Self {
            lines: Vec::new(),
            ids: Vec::new(),
            hashes: Vec::new(),
            index: HashTable::new(),
            salt,
            present: 0,
            kinds,
            hash_sum: 0,
            dirty: Vec::new(),
            scratch: Vec::new(),
        }
    }

    /// How many ever joined.
    pub(super) fn len(&self) -> u32 {
        self.ids.len() as u32
    }

    /// How many are present.
    pub(super) fn present(&self) -> u32 {
        self.present
    }

    pub(super) fn find(&self, id: PlayerId) -> Option<Seat> {
        let same = |seat: &u32| self.ids[*seat as usize] == id;
        self.index
            .find(hash(id, self.salt), same)
            .copied()
            .map(Seat)
    }

    pub(super) fn id(&self, seat: Seat) -> PlayerId {
        self.ids[seat.index()]
    }

    pub(super) fn record(&self, seat: Seat) -> &PlayerRecord {
        &self.lines[seat.index()].record
    }

    pub(super) fn remembered(&self, seat: Seat) -> &Remembered {
        &self.lines[seat.index()].remembered
    }

    pub(super) fn recall(&self, seat: Seat, request: RequestId) -> Recall {
        self.remembered(seat).recall(request)
    }

    pub(super) fn summary(&self, seat: Seat) -> PlayerSummary {
        let record = self.record(seat);
        let place = record.place;
        PlayerSummary {
            x: place.x,
            y: place.y,
            score: record.score,
            version: record.version,
        }
    }

    pub(super) fn seats(&self) -> impl Iterator<Item = Seat> + use<> {
        (0..self.len()).map(Seat)
    }

    /// Seats by ascending id.
    pub(super) fn seats_by_id(&self) -> Vec<Seat> {
        let mut seats: Vec<_> = self.seats().collect();
        seats.sort_unstable_by_key(|seat| self.id(*seat));
        seats
    }

    /// The best `count`: score descending, then id ascending. Who left counts too.
    pub(super) fn standings(&self, count: usize) -> Vec<Standing> {
        let standing = |seat| Standing {
            player: self.id(seat),
            score: self.record(seat).score,
        };
        let by_place =
            |a: &Standing, b: &Standing| b.score.cmp(&a.score).then(a.player.cmp(&b.player));
        let mut standings: Vec<_> = self.seats().map(standing).collect();
        if count < standings.len() {
            standings.select_nth_unstable_by(count, by_place);
            standings.truncate(count);
        }
        standings.sort_unstable_by(by_place);
        standings
    }

    /// A record to change.
    pub(super) fn change(&mut self, seat: Seat) -> &mut PlayerRecord {
        &mut self.touch(seat).record
    }

    /// Lets a player in, or back in.
    pub(super) fn set_present(&mut self, seat: Seat, present: bool) {
        match (self.record(seat).is_present(), present) {
            (false, true) => self.present += 1,
            (true, false) => self.present -= 1,
            (false, false) | (true, true) => {}
        }
        self.change(seat).set_present(present);
    }

    /// The last step of every applied command: the player is one version on, and remembers the request.
    pub(super) fn commit(&mut self, seat: Seat, request: RequestId, sequence: u64) {
        let lines = self.touch(seat);
        lines.record.version += 1;
        lines.remembered.remember(request, sequence);
    }

    /// A new player, not present yet, as the record says. The id must not be known.
    pub(super) fn add(
        &mut self,
        id: PlayerId,
        mut record: PlayerRecord,
        remembered: Remembered,
    ) -> Seat {
        let seat = self.len();
        self.present += u32::from(record.is_present());
        record.set_dirty(true);
        self.dirty.push(seat);
        grow(&mut self.lines);
        self.lines.push(Lines { record, remembered });
        grow(&mut self.ids);
        self.ids.push(id);
        grow(&mut self.hashes);
        self.hashes.push(0); // it is dirty: set before it is read
        let (ids, salt) = (&self.ids, self.salt);
        self.index
            .insert_unique(hash(id, salt), seat, |seat| hash(ids[*seat as usize], salt));
        Seat(seat)
    }

    /// The wrapping sum of the hashes of all players, brought up to date.
    pub(super) fn hash_sum(&mut self) -> u64 {
        while let Some(seat) = self.dirty.pop() {
            self.lines[seat as usize].record.set_dirty(false);
            let hash = self.hash(Seat(seat));
            self.hashes[seat as usize] = hash;
            self.hash_sum = self.hash_sum.wrapping_add(hash);
        }
        self.hash_sum
    }

    fn touch(&mut self, seat: Seat) -> &mut Lines {
        if !self.record(seat).is_dirty() {
            let hash = self.hashes[seat.index()];
            self.hash_sum = self.hash_sum.wrapping_sub(hash);
            self.dirty.push(seat.0);
            self.lines[seat.index()].record.set_dirty(true);
        }
        &mut self.lines[seat.index()]
    }

    fn hash(&mut self, seat: Seat) -> u64 {
        let Lines { record, remembered } = &self.lines[seat.index()];
        canonical::player_hash(
            &mut self.scratch,
            self.ids[seat.index()],
            record,
            remembered,
            self.kinds,
        )
    }
}

/// Makes room in eighths: doubling would waste half of a large hunt's memory.
fn grow<T>(list: &mut Vec<T>) {
    if list.len() == list.capacity() {
        list.reserve_exact((list.len() / 8).max(4));
    }
}

/// The finish of SplitMix64, which spreads every bit of an id over the whole hash.
fn hash(id: PlayerId, salt: u64) -> u64 {
    let mut z = id.get() ^ salt;
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}
