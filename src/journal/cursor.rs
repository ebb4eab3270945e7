//! Where a reader stands. Opaque on the wire: a reader stores the bytes and sends them back.

use std::hash::{BuildHasher as _, RandomState};

use super::Place;

const ENCODED_BYTES: usize = 16;

/// A place in one incarnation of a journal. A cursor of another incarnation, or bytes that are no
/// cursor at all, point nowhere here: the reader starts over at the oldest record and is told so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// Which journal: drawn anew when a journal begins empty.
    pub incarnation: u64,
    /// The place of the next record to read.
    pub place: Place,
}

/// A new incarnation, of a journal or of a start. The standard hasher's keys come from the system's randomness:
/// enough to tell one from another, which is all that an incarnation is for. Never 0, which is none.
#[must_use]
pub fn draw_incarnation() -> u64 {
    RandomState::new().hash_one(0_u8) | 1
}

impl Cursor {
    /// The bytes that a reader keeps.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(ENCODED_BYTES);
        bytes.extend_from_slice(&self.incarnation.to_be_bytes());
        bytes.extend_from_slice(&self.place.0.to_be_bytes());
        bytes
    }

    /// Reads a cursor back; `None` for bytes that no journal of ours ever handed out.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let (incarnation, place) = bytes.split_first_chunk::<8>()?;
        Some(Self {
            incarnation: u64::from_be_bytes(*incarnation),
            place: Place(u64::from_be_bytes(place.try_into().ok()?)),
        })
    }
}
