//! The event feed: readers pull what happened, from cursors that they keep themselves.
//!
//! Holds no state of a reader. A reader that waits is one future in its call; one that left is gone
//! with it.

use std::{
    ops::RangeInclusive,
    time::{Duration, Instant},
};

use prost::{Message as _, bytes::Bytes};
use tonic::Request;

use super::{
    call::call_time,
    errors::Failure,
    fields::{hunt_id, in_range},
};
use crate::{
    journal::{Cursor, Page, Place, Query, SCAN_RECORDS_MAX, Start},
    pb::{GetRecordRequest, GetRecordResponse, ReadRecordsRequest, ReadRecordsResponse, Record},
    shard::Shard,
};

const RECORDS: RangeInclusive<u32> = 1..=10_000;
const WAIT_MS: RangeInclusive<u32> = 0..=30_000;

pub(super) async fn read_records(
    shard: &Shard,
    request: Request<ReadRecordsRequest>,
) -> Result<ReadRecordsResponse, Failure> {
    let time = call_time(&request)?;
    let request = request.into_inner();
    let wait = Duration::from_millis(in_range("wait_ms", request.wait_ms, WAIT_MS)?.into());
    let until = (time.arrived + wait).min(time.wait_until());
    let mut query = query(request, shard.limits().reply_bytes_max)?;
    loop {
        let page = shard.journal().read(query.clone()).await?;
        let idle = page.records.is_empty() && !page.gap && page.scanned < query.scan_max;
        if !idle || !news(shard, page.cursor.place, until).await {
            return reply(shard, page);
        }
        query.from = Start::At(page.cursor);
        query.scan_max -= page.scanned;
    }
}

pub(super) async fn get_record(
    shard: &Shard,
    request: GetRecordRequest,
) -> Result<GetRecordResponse, Failure> {
    let hunt = hunt_id(&request.hunt_id)?;
    if request.sequence == 0 {
        return Err(Failure::field(
            "sequence",
            "must not be 0: the records of a hunt are 1, 2, 3 …",
        ));
    }
    shard
        .check_record(&hunt)
        .map_err(|why| Failure::hunt(&hunt, why))?;
    let record = shard.journal().get(&hunt, request.sequence).await?;
    let record = record.ok_or(Failure::RecordNotKept {
        hunt_id: request.hunt_id,
        sequence: request.sequence,
    })?;
    Ok(GetRecordResponse {
        record: Some(decode(&record)?),
    })
}

/// Waits for a record at `place`. False when the time is over, or the engine drains: a reader is
/// answered with what there is, and comes back to whoever serves then.
async fn news(shard: &Shard, place: Place, until: Instant) -> bool {
    tokio::select! {
        () = shard.journal().durable(place) => true,
        () = shard.draining() => false,
        () = tokio::time::sleep_until(until.into()) => false,
    }
}

fn query(request: ReadRecordsRequest, reply_bytes_max: usize) -> Result<Query, Failure> {
    let records_max = in_range("max_records", request.max_records, RECORDS)?;
    let hunt = match request.hunt_id.as_str() {
        "" => None,
        id => Some(hunt_id(id)?),
    };
    Ok(Query {
        from: start(&request.cursor),
        records_max: records_max as usize,
        bytes_max: reply_bytes(request.max_bytes, reply_bytes_max),
        scan_max: SCAN_RECORDS_MAX,
        skip_moves: request.skip_moves,
        hunt,
    })
}

fn start(cursor: &[u8]) -> Start {
    if cursor.is_empty() {
        return Start::Oldest;
    }
    Cursor::decode(cursor).map_or(Start::Unreadable, Start::At)
}

/// What a reader asks for beyond the most that a reply holds, it gets with the next one.
fn reply_bytes(max_bytes: u32, reply_bytes_max: usize) -> usize {
    match max_bytes as usize {
        0 => reply_bytes_max,
        asked => asked.min(reply_bytes_max),
    }
}

fn reply(shard: &Shard, page: Page) -> Result<ReadRecordsResponse, Failure> {
    let metrics = shard.metrics();
    let behind = i64::try_from(page.behind).unwrap_or(i64::MAX);
    metrics.player_state_feed_behind_records.set(behind);
    if page.gap {
        metrics.player_state_feed_gaps_total.inc();
    }
    Ok(ReadRecordsResponse {
        records: page.records.iter().map(decode).collect::<Result<_, _>>()?,
        cursor: page.cursor.encode(),
        gap: page.gap,
        behind: page.behind,
    })
}

fn decode(record: &Bytes) -> Result<Record, Failure> {
    Record::decode(record.clone()).map_err(|error| {
        tracing::error!(%error, "a kept record cannot be decoded");
        Failure::Internal
    })
}
