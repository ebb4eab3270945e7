//! The form of a row: the records of one commit, or of a part of a large one.
//!
//! Key: the place of the first record, big-endian, so that rows lie in the journal's order. Value: version,
//! checksum, number of records, time of the commit, then the records one behind the other. All numbers are
//! little-endian.

use std::time::{SystemTime, UNIX_EPOCH};

use prost::{
    bytes::{Buf as _, BufMut as _, Bytes},
    encoding::{decode_varint, encode_varint},
};

use crate::{
    engine::HuntId,
    journal::{Damage, Entry, EntryRef, Place},
};

/// The form that is written, and the only one that is read.
const VERSION: u8 = 2;

/// Version, checksum, number of records, Unix milliseconds.
const HEAD_BYTES: usize = 1 + 4 + 4 + 8;

/// A row that has so many bytes gets no more records: who looks for one record reads its whole row.
const FULL_BYTES: usize = 64 * 1024;

/// What is set in a record's first byte if it is a `Move`.
const IS_MOVE: u8 = 1;

/// What is set there if the record names its hunt first, as every `Record` of the schema does: the row then does
/// not, for twice is four bytes a record on disk.
const NAMES_ITSELF: u8 = 2;

/// The tag of a protobuf message's first field, if that is a string.
const FIRST_STRING: u8 = 0x0A;

/// A row that is being written.
pub(super) struct Building {
    /// The place of its first record.
    pub(super) first: Place,
    records: u32,
    bytes: Vec<u8>,
}

impl Building {
    pub(super) fn new(first: Place) -> Self {
        let mut bytes = Vec::with_capacity(4 * 1024);
        bytes.put_bytes(0, HEAD_BYTES);
        Self {
            first,
            records: 0,
            bytes,
        }
    }

    pub(super) fn is_full(&self) -> bool {
        self.bytes.len() >= FULL_BYTES
    }

    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// The place after its last record.
    pub(super) fn end(&self) -> Place {
        Place(self.first.0 + u64::from(self.records))
    }

    pub(super) fn push(&mut self, entry: EntryRef<'_>) {
        let hunt = entry.hunt.as_str().as_bytes();
        let names_itself = first_string(entry.record) == Some(hunt);
        self.bytes
            .put_u8((u8::from(entry.is_move) * IS_MOVE) | (u8::from(names_itself) * NAMES_ITSELF));
        if !names_itself {
            encode_varint(hunt.len() as u64, &mut self.bytes);
            self.bytes.put_slice(hunt);
        }
        encode_varint(entry.sequence, &mut self.bytes);
        encode_varint(entry.record.len() as u64, &mut self.bytes);
        self.bytes.put_slice(entry.record);
        self.records += 1;
    }

    /// The row, sealed with its checksum: key and value.
    pub(super) fn finish(self) -> ([u8; 8], Vec<u8>) {
        let Self {
            first,
            records,
            mut bytes,
        } = self;
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let now_ms = now.unwrap_or_default().as_millis() as u64;
        bytes[0] = VERSION;
        bytes[5..9].copy_from_slice(&records.to_le_bytes());
        bytes[9..17].copy_from_slice(&now_ms.to_le_bytes());
        let key = key(first);
        let checksum = checksum(&key, &bytes);
        bytes[1..5].copy_from_slice(&checksum.to_le_bytes());
        (key, bytes)
    }
}

/// The key of the row that begins at `place`.
pub(super) fn key(place: Place) -> [u8; 8] {
    place.0.to_be_bytes()
}

/// The key counts too, so that a row in the wrong place is found.
fn checksum(key: &[u8], value: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(key);
    hasher.update(&value[5..]);
    hasher.finalize()
}

/// A row that was read and checked.
pub(super) struct Row {
    pub(super) first: Place,
    records: u32,
    body: Bytes,
}

impl Row {
    /// Checks a row as it was kept.
    ///
    /// # Errors
    /// Its key or value is none of ours, or its checksum is wrong.
    pub(super) fn open(key: &[u8], value: Bytes) -> Result<Self, Damage> {
        let Ok(place) = key.try_into() else {
            return Err(damaged(
                "a row of records",
                format!("its key has {} bytes", key.len()),
            ));
        };
        let first = Place(u64::from_be_bytes(place));
        let at = || format!("the records from place {} on", first.0);
        if value.len() < HEAD_BYTES {
            return Err(damaged(at(), format!("{} bytes are no row", value.len())));
        }
        if value[0] != VERSION {
            let found = value[0];
            let what = format!("it has form {found}, and this version reads form {VERSION}");
            return Err(damaged(at(), what));
        }
        let mut head = &value[1..HEAD_BYTES];
        let stored = head.get_u32_le();
        if stored != checksum(key, &value) {
            return Err(damaged(at(), "its checksum is wrong"));
        }
        let records = head.get_u32_le();
        let body = value.slice(HEAD_BYTES..);
        Ok(Self {
            first,
            records,
            body,
        })
    }

    /// The place after its last record.
    pub(super) fn end(&self) -> Place {
        Place(self.first.0 + u64::from(self.records))
    }

    /// The records, with their places.
    ///
    /// # Errors
    /// Its bytes are no records, although their checksum is right.
    pub(super) fn entries(&self) -> Result<Vec<(Place, Entry)>, Damage> {
        let mut rest = self.body.clone();
        let mut entries = Vec::with_capacity(self.records as usize);
        for nth in 0..u64::from(self.records) {
            let place = Place(self.first.0 + nth);
            let entry = entry(&mut rest)
                .ok_or_else(|| damaged(format!("place {}", place.0), "it is no record"))?;
            entries.push((place, entry));
        }
        if !rest.is_empty() {
            let what = format!("{} bytes follow its last record", rest.len());
            return Err(damaged(
                format!("the records from place {} on", self.first.0),
                what,
            ));
        }
        Ok(entries)
    }
}

fn entry(rest: &mut Bytes) -> Option<Entry> {
    let head = rest.try_get_u8().ok()?;
    let named = if head & NAMES_ITSELF == 0 {
        Some(sized(rest)?)
    } else {
        None
    };
    let sequence = decode_varint(rest).ok()?;
    let record = sized(rest)?;
    let hunt = named.as_deref().or_else(|| first_string(&record))?;
    Some(Entry {
        hunt: HuntId::parse(std::str::from_utf8(hunt).ok()?).ok()?,
        sequence,
        is_move: head & IS_MOVE != 0,
        record,
    })
}

fn sized(rest: &mut Bytes) -> Option<Bytes> {
    let len = usize::try_from(decode_varint(rest).ok()?).ok()?;
    (len <= rest.len()).then(|| rest.split_to(len))
}

/// The first field of an encoded message, if it is a string of at most 127 bytes: no hunt's id is longer.
fn first_string(record: &[u8]) -> Option<&[u8]> {
    match record {
        [FIRST_STRING, len @ 0..=0x7F, rest @ ..] => rest.get(..usize::from(*len)),
        _ => None,
    }
}

fn damaged(at: impl Into<String>, what: impl Into<String>) -> Damage {
    Damage {
        at: at.into(),
        what: what.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Three records: the first names its hunt, the second another, the third is no message.
    fn records() -> [Entry; 3] {
        let record = [&b"\x0a\x01h"[..], b"\x0a\x01i", b"\x0a\x7f"];
        [1, 2, 3].map(|sequence| Entry {
            hunt: HuntId::parse("h").expect("an id"),
            sequence,
            is_move: sequence == 2,
            record: [record[sequence as usize - 1], &[sequence as u8; 40]]
                .concat()
                .into(),
        })
    }

    fn row() -> ([u8; 8], Vec<u8>) {
        let mut row = Building::new(Place(7));
        for entry in &records() {
            row.push(entry.borrowed());
        }
        row.finish()
    }

    #[test]
    fn a_row_gives_back_what_was_put_in() {
        let (key, value) = row();
        let row = Row::open(&key, value.into()).expect("a whole row");
        let told = row.entries().expect("records");
        for ((place, got), (nth, put)) in told.iter().zip((7..).zip(records())) {
            assert_eq!(place.0, nth);
            assert_eq!(got.hunt.as_str(), put.hunt.as_str());
            assert_eq!(got.sequence, put.sequence);
            assert_eq!(got.is_move, put.is_move);
            assert_eq!(got.record, put.record);
        }
        assert_eq!(told.len(), 3);
    }

    #[test]
    fn every_flipped_bit_and_every_cut_is_found() {
        let (key, value) = row();
        for bit in 0..value.len() * 8 {
            let mut value = value.clone();
            value[bit / 8] ^= 1 << (bit % 8);
            assert!(
                Row::open(&key, value.into()).is_err(),
                "bit {bit} of the value"
            );
        }
        for bit in 0..key.len() * 8 {
            let mut key = key;
            key[bit / 8] ^= 1 << (bit % 8);
            assert!(
                Row::open(&key, value.clone().into()).is_err(),
                "bit {bit} of the key"
            );
        }
        for len in 0..value.len() {
            let cut = value[..len].to_vec();
            assert!(Row::open(&key, cut.into()).is_err(), "cut to {len} bytes");
        }
    }
}
