//! What a journal holds, apart from how it is kept: what a backup is of, and what a new journal is built from.

use super::{Damage, Entry, Fence, KeptHunt, Place};
use crate::engine::HuntId;

/// All that one journal holds. Its records are numbered from place 0, without a hole.
pub struct Contents {
    /// What is known of it before its parts are read.
    pub head: Head,
    /// The records in their order, then the rest.
    pub parts: Parts,
}

/// What is known of a journal's contents before they are read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Head {
    /// When they were as they are, in Unix milliseconds.
    pub at_ms: u64,
    /// How many records there are.
    pub records: u64,
    /// No record before this place is needed to recover any hunt.
    pub recovery_start: Place,
}

/// A piece of a journal's contents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// The next record, in the journal's order.
    Record(Entry),
    /// A hunt's last snapshot.
    Snapshot(KeptHunt),
    /// The id of a hunt that was let go, the oldest first.
    Gone(HuntId),
    /// Who may call the ownership service. The last part.
    Fence(Fence),
}

/// Parts one after the other. The last may be damage, after which nothing comes.
pub type Parts = Box<dyn Iterator<Item = Result<Part, Damage>> + Send>;
