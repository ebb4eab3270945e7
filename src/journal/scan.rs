//! One reader's way through the records: what it takes, what it passes over, and where it stops.

use std::ops::RangeInclusive;

use prost::bytes::Bytes;

use super::{Cursor, Page, Place, Query, Start};
use crate::engine::HuntId;

/// One reader's way through the records.
pub(super) struct Scan<'a> {
    query: &'a Query,
    /// Where to look next.
    pub(super) next: Place,
    found: Vec<Bytes>,
    bytes: usize,
    scanned: usize,
}

impl<'a> Scan<'a> {
    pub(super) fn new(query: &'a Query, start: Place) -> Self {
        Self {
            query,
            next: start,
            found: Vec::new(),
            bytes: 0,
            scanned: 0,
        }
    }

    /// What was found. The journal's records ended at `end` when this began.
    pub(super) fn into_page(self, incarnation: u64, gap: bool, end: Place) -> Page {
        Page {
            records: self.found,
            cursor: Cursor {
                incarnation,
                place: self.next,
            },
            gap,
            behind: end.0 - self.next.0,
            scanned: self.scanned,
        }
    }

    pub(super) fn goes_on(&self) -> bool {
        self.scanned < self.query.scan_max && self.found.len() < self.query.records_max
    }

    /// Takes or passes over one record; false when it no longer fits.
    pub(super) fn take(
        &mut self,
        hunt: &HuntId,
        is_move: bool,
        record: impl FnOnce() -> Bytes,
    ) -> bool {
        if self.query.wants(hunt, is_move) {
            let record = record();
            let bytes = framed_bytes(record.len());
            if !self.found.is_empty() && self.bytes + bytes > self.query.bytes_max {
                return false;
            }
            self.bytes += bytes;
            self.found.push(record);
        }
        self.scanned += 1;
        self.next = self.next.next();
        true
    }
}

impl Start {
    /// Where a reader of the records `kept` begins, and whether it misses anything by that.
    pub(super) fn place(self, incarnation: u64, kept: RangeInclusive<Place>) -> (Place, bool) {
        let oldest = *kept.start();
        match self {
            Self::At(cursor)
                if cursor.incarnation == incarnation && kept.contains(&cursor.place) =>
            {
                (cursor.place, false)
            }
            Self::At(_) | Self::Unreadable => (oldest, true),
            Self::Oldest => (oldest, oldest > Place(0)),
        }
    }
}

impl Query {
    fn wants(&self, hunt: &HuntId, is_move: bool) -> bool {
        !(self.skip_moves && is_move) && self.hunt.as_ref().is_none_or(|wanted| wanted == hunt)
    }
}

/// A record's bytes in an answer: itself, its tag and its length.
fn framed_bytes(record: usize) -> usize {
    record + 1 + prost::length_delimiter_len(record)
}
