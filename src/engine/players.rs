//! All players that a hunt knows: their records, an index from id to seat, and their part of the digest.
//!
//! A player who joined once stays for good, so a seat is never reused. What must stay true: a record changes
//! only through [`Players::change`], which keeps the digest: it marks the seat as changed; who asks for the digest
//! takes the old hashes of those, which are kept, out of the sum and puts the new ones in. So a player who acts a
//! hundred times between two digests is hashed once, and nobody pays for those who did nothing.
//! (docs/decisions/lazy-digest.md)

use super::{
    PLAYERS_PRESENT_MAX, PlayerId, PlayerSummary, RequestId, Standing, canonical,
    index::Index,
    player::{PlayerRecord, Recall, Remembered},
};

/// A player's place in the slab.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Seat(u32);

impl Seat {
    /// Its piece, and where in it.
    fn place(self) -> (usize, usize) {
        let seat = self.0 as usize;
        (seat / PIECE_PLAYERS, seat % PIECE_PLAYERS)
    }
}

impl From<u16> for Seat {
    fn from(seat: u16) -> Self {
        Self(seat.into())
    }
}

/// Two cache lines of a player, side by side: a command needs both.
#[derive(Clone, Debug, Default)]
struct Lines {
    record: PlayerRecord,
    remembered: Remembered,
}

const _: () = assert!(size_of::<Lines>() == 128);

/// How many players are allocated together, in a KiB.
const PIECE_PLAYERS: usize = 7;

/// Players by seat, in pieces of one size that stay where they are: a list that grows leaves holes of every size that
/// it had, and room at its end. The order is that of cache lines: those of the players, and one for what finding a
/// player and marking a change need.
#[derive(Clone, Debug)]
#[repr(C)]
struct Piece {
    lines: [Lines; PIECE_PLAYERS],
    ids: [PlayerId; PIECE_PLAYERS],
    /// A bit a player: changed since the digest was last asked for.
    changed: u8,
    /// When that was, and 0 for who was not there yet.
    hashes: [u64; PIECE_PLAYERS],
}

const _: () = assert!(size_of::<Piece>() == 1024);

impl Default for Piece {
    fn default() -> Self {
        Self {
            lines: Default::default(),
            ids: [PlayerId::ANY; PIECE_PLAYERS], // of seats that nobody has, and so never read
            changed: 0,
            hashes: [0; PIECE_PLAYERS],
        }
    }
}

#[derive(Clone, Debug)]
#[expect(
    clippy::vec_box,
    reason = "a piece stays where it is when the list of them grows"
)]
pub(super) struct Players {
    pieces: Vec<Box<Piece>>,
    /// Players, not pieces.
    len: u32,
    /// Seats by the hash of their id.
    index: Index,
    /// Mixed into that hash, so that ids chosen to collide in one hunt do not in another.
    salt: u64,
    present: u32,
    /// Counts in an inventory, for the hashes.
    kinds: u8,
    /// The wrapping sum of all players' hashes when the digest was last asked for.
    hash_sum: u64,
    /// The pieces with a change since.
    changed: Vec<u16>,
}

/// Twice as many join as are present at once (docs/rules.md).
const _: () = assert!(2 * PLAYERS_PRESENT_MAX <= u16::MAX as u32);

impl Players {
    pub(super) fn new(salt: u64, kinds: u8) -> Self {
        Self {
            pieces: Vec::new(),
            len: 0,
            index: Index::default(),
            salt,
            present: 0,
            kinds,
            hash_sum: 0,
            changed: Vec::new(),
        }
    }

    /// How many ever joined.
    pub(super) fn len(&self) -> u32 {
        self.len
    }

    /// How many are present.
    pub(super) fn present(&self) -> u32 {
        self.present
    }

    pub(super) fn find(&self, id: PlayerId) -> Option<Seat> {
        let same = |seat: u16| self.id(Seat::from(seat)) == id;
        self.index.find(hash(id, self.salt), same).map(Seat::from)
    }

    pub(super) fn id(&self, seat: Seat) -> PlayerId {
        let (piece, nth) = seat.place();
        self.pieces[piece].ids[nth]
    }

    fn lines(&self, seat: Seat) -> &Lines {
        let (piece, nth) = seat.place();
        &self.pieces[piece].lines[nth]
    }

    pub(super) fn record(&self, seat: Seat) -> &PlayerRecord {
        &self.lines(seat).record
    }

    pub(super) fn remembered(&self, seat: Seat) -> &Remembered {
        &self.lines(seat).remembered
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
        record: PlayerRecord,
        remembered: Remembered,
    ) -> Seat {
        let seat = Seat(self.len);
        let (piece, nth) = seat.place();
        self.len += 1;
        self.present += u32::from(record.is_present());
        if piece == self.pieces.len() {
            if piece == self.pieces.capacity() {
                // By a quarter, where a list doubles: hunts are many. Marking a change allocates nothing.
                self.pieces.reserve_exact(piece / 4 + 4);
                let pieces = self.pieces.capacity();
                self.changed.reserve_exact(pieces - self.changed.len());
            }
            self.pieces.push(Box::default());
        }
        let into = self.touch(seat);
        *into = Lines { record, remembered };
        self.pieces[piece].ids[nth] = id;
        let (pieces, salt) = (&self.pieces, self.salt);
        let hash_of = |seat: u16| {
            let (piece, nth) = Seat::from(seat).place();
            hash(pieces[piece].ids[nth], salt)
        };
        self.index.insert(seat.0 as u16, hash_of);
        seat
    }

    /// The wrapping sum of the hashes of all players, brought up to date.
    pub(super) fn hash_sum(&mut self) -> u64 {
        let mut scratch = Vec::with_capacity(256);
        for piece in self.changed.drain(..) {
            let piece = &mut *self.pieces[usize::from(piece)];
            for nth in (0..PIECE_PLAYERS).filter(|nth| piece.changed & 1 << nth != 0) {
                let Lines { record, remembered } = &piece.lines[nth];
                let id = piece.ids[nth];
                let hash = canonical::player_hash(&mut scratch, id, record, remembered, self.kinds);
                self.hash_sum = self
                    .hash_sum
                    .wrapping_sub(piece.hashes[nth])
                    .wrapping_add(hash);
                piece.hashes[nth] = hash;
            }
            piece.changed = 0;
        }
        self.hash_sum
    }

    fn touch(&mut self, seat: Seat) -> &mut Lines {
        let (number, nth) = seat.place();
        let piece = &mut self.pieces[number];
        if piece.changed == 0 {
            self.changed.push(number as u16);
        }
        piece.changed |= 1 << nth;
        &mut piece.lines[nth]
    }
}

/// The finish of SplitMix64, which spreads every bit of an id over the whole hash.
fn hash(id: PlayerId, salt: u64) -> u64 {
    let mut z = id.get() ^ salt;
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}
