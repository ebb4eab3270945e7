//! Seats by a hash: what says where a player's record is, in three bytes a slot.
//!
//! Linear probing in a table that grows by a quarter. A library's table doubles, and keeps its marks apart from what
//! they mark: that takes half as much again of the memory that hunts of a few hundred players have beside their records,
//! and another wait for memory a command. (docs/decisions/player-memory.md)
//!
//! What must stay true: a fifth of the slots is empty, at least, so that every search ends; nothing is taken out.

#[derive(Clone, Debug, Default)]
pub(super) struct Index {
    slots: Box<[Slot]>,
    /// Slots that are not empty.
    len: usize,
}

/// A seat, and eight bits of the hash that it was found by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Slot {
    mark: u8,
    /// In bytes, so that it need not be aligned.
    seat: [u8; 2],
}

impl Slot {
    /// Of a seat that there is not: see `PLAYERS_PRESENT_MAX`.
    const EMPTY: Self = Self {
        mark: 0,
        seat: [u8::MAX; 2],
    };
}

impl Index {
    /// The seat of this hash that `is` the one.
    pub(super) fn find(&self, hash: u64, is: impl Fn(u16) -> bool) -> Option<u16> {
        let (before, from) = self.slots.split_at(self.own(hash));
        from.iter()
            .chain(before)
            .take_while(|slot| **slot != Slot::EMPTY)
            .filter(|slot| slot.mark == mark(hash))
            .map(|slot| u16::from_le_bytes(slot.seat))
            .find(|seat| is(*seat))
    }

    /// Puts a seat in that is not there. `hash_of` answers the hash of any that is, and of this one.
    pub(super) fn insert(&mut self, seat: u16, hash_of: impl Fn(u16) -> u64) {
        if 5 * (self.len + 1) > 4 * self.slots.len() {
            let slots = self.slots.len() + self.slots.len() / 4 + 8;
            let mut grown = Self {
                slots: vec![Slot::EMPTY; slots].into(),
                len: self.len,
            };
            for slot in self.slots.iter().filter(|slot| **slot != Slot::EMPTY) {
                let seat = u16::from_le_bytes(slot.seat);
                grown.put(seat, hash_of(seat));
            }
            *self = grown;
        }
        self.len += 1;
        self.put(seat, hash_of(seat));
    }

    fn put(&mut self, seat: u16, hash: u64) {
        let own = self.own(hash);
        let (before, from) = self.slots.split_at_mut(own);
        let mut slots = from.iter_mut().chain(before);
        let empty = slots.find(|slot| **slot == Slot::EMPTY);
        *empty.expect("a fifth is") = Slot {
            mark: mark(hash),
            seat: seat.to_le_bytes(),
        };
    }

    /// The slot that a hash would have. The search goes on from there, and around.
    fn own(&self, hash: u64) -> usize {
        ((u128::from(hash) * self.slots.len() as u128) >> 64) as usize
    }
}

/// Of the bits of a hash that have the least to do with its slot.
fn mark(hash: u64) -> u8 {
    hash as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Seats 0 to 299 under the hashes that `hash_of` gives them, looked for after each that comes in.
    fn fill(hash_of: impl Fn(u16) -> u64) {
        let mut index = Index::default();
        for seat in 0..300 {
            let is = |known| known == seat;
            assert_eq!(index.find(hash_of(seat), is), None, "seat {seat}");
            index.insert(seat, &hash_of);
            for known in 0..=seat {
                assert_eq!(index.find(hash_of(known), |it| it == known), Some(known));
            }
            assert!(5 * index.len <= 4 * index.slots.len(), "{index:?}");
        }
    }

    #[test]
    fn every_seat_is_found_again() {
        fill(|seat| u64::from(seat).wrapping_mul(0x9E37_79B9_7F4A_7C15));
    }

    #[test]
    fn seats_of_one_hash_are_told_apart() {
        fill(|_| 7);
    }

    #[test]
    fn a_search_goes_on_at_the_begin_when_it_comes_to_the_end() {
        fill(|seat| u64::MAX - u64::from(seat % 2));
    }
}
