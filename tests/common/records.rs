//! Records as a journal sees them: it never looks inside.

use player_state::{
    engine::HuntId,
    journal::{Entry, Journal, Place},
};

pub fn id(hunt: &str) -> HuntId {
    HuntId::parse(hunt).expect("a hunt's id")
}

pub fn entry(hunt: &str, sequence: u64) -> Entry {
    Entry {
        hunt: id(hunt),
        sequence,
        is_move: sequence.is_multiple_of(2),
        record: format!("{hunt}#{sequence}").into_bytes().into(),
    }
}

pub fn push(journal: &dyn Journal, entry: Entry) -> Place {
    let room = journal.reserve(entry.record.len()).expect("room");
    journal.append(room, entry.borrowed())
}

/// Appends a record that says which it is.
pub fn append(journal: &dyn Journal, hunt: &str, sequence: u64) -> Place {
    push(journal, entry(hunt, sequence))
}
