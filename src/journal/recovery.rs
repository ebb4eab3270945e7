//! What a journal hands back when it is opened again: each hunt's last snapshot, and the records after it.

use prost::bytes::Bytes;

use super::{Damage, Entry, Place};
use crate::engine::HuntId;

/// A hunt's state as it was kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptHunt {
    /// Which.
    pub hunt: HuntId,
    /// The snapshot holds every record of the hunt before this place, and none from it on.
    pub upto: Place,
    /// The encoded `HuntSnapshot`.
    pub snapshot: Bytes,
    /// The hash of the ruleset that the hunt began with.
    pub ruleset_hash: String,
    /// That ruleset's bytes; kept once for all hunts that share it.
    pub ruleset: Bytes,
}

/// Who may call the ownership service: kept, so that a restart forgets no fence.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fence {
    /// The ledger of the shard; empty until a router came.
    pub ledger_id: String,
    /// The highest incarnation of a router that came.
    pub router_incarnation: u64,
    /// The highest epoch that any hunt here ever had.
    pub epoch: u64,
}

/// Records in the journal's order, one commit at a time. The last may be damage, after which nothing comes.
pub type Rows = Box<dyn Iterator<Item = Result<Vec<(Place, Entry)>, Damage>> + Send>;

/// All that a process needs to go on from where the last one stopped.
pub struct Recovery {
    /// New with every start.
    pub engine_incarnation: u64,
    /// As last kept.
    pub fence: Fence,
    /// Ids of hunts that were let go, the oldest first.
    pub gone: Vec<HuntId>,
    /// Every hunt that has a snapshot. Those without one are created by the rows.
    pub hunts: Vec<KeptHunt>,
    /// Every record that no snapshot holds, among others that one does: those of a hunt before its `upto`, and
    /// those of hunts that are gone, are to be passed over.
    pub rows: Rows,
    /// How many records the rows hold at most, to show how far recovery is.
    pub rows_records_max: u64,
    /// The bytes of a torn end that were cut off: a write that nobody was answered for.
    pub torn_bytes: u64,
}
