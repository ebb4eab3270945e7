//! Who owns which hunt, on the wire: what a router asks and says after a restart. The rest of docs/handoff.md, by
//! which hunts move, is answered UNIMPLEMENTED until it is built.
//!
//! Each call is done, or not, before its first await, and answered when what it did is kept.

use std::ops::RangeInclusive;

use tonic::Request;

use super::{
    call::call_time,
    errors::Failure,
    fields::{hunt_id, in_range},
};
use crate::{
    BUILD,
    engine::{Activation, RULES_VERSION},
    pb::{
        ActivateRequest, ActivateResponse, Fence, HelloRequest, HelloResponse, ListHuntsRequest,
        ListHuntsResponse, ProbeRequest, ProbeResponse, SCHEMA_SHA256,
    },
    shard::{Caller, ENGINE, Shard},
    wire,
};

/// Statuses of one page; at their longest they fit a message.
const HUNTS: RangeInclusive<u32> = 1..=1_000;

pub(super) async fn hello(
    shard: &Shard,
    request: Request<HelloRequest>,
) -> Result<HelloResponse, Failure> {
    let time = call_time(&request)?;
    let request = request.into_inner();
    shard.admit_router(&caller(request.fence)?)?;
    if request.schema_hash != SCHEMA_SHA256 {
        tracing::warn!(router = %shown(&request.router), theirs = %shown(&request.schema_hash), ours = SCHEMA_SHA256, "a router was built from another schema");
    }
    if !shard.fence_kept(time.wait_until()).await {
        return Err(Failure::NotKeptInTime);
    }
    let identity = shard.identity();
    Ok(HelloResponse {
        engine: ENGINE.to_owned(),
        engine_incarnation: identity.incarnation,
        router_incarnation_seen: shard.router_incarnation_seen(),
        schema_hash: SCHEMA_SHA256.to_owned(),
        features: Vec::new(),
        rules_version: RULES_VERSION,
        durability: identity.durability.to_owned(),
        build: BUILD.to_owned(),
    })
}

pub(super) async fn list_hunts(
    shard: &Shard,
    request: Request<ListHuntsRequest>,
) -> Result<ListHuntsResponse, Failure> {
    let time = call_time(&request)?;
    let request = request.into_inner();
    let hunts_max = in_range("max_hunts", request.max_hunts, HUNTS)?;
    let (locks, more) = shard.list(&request.after_hunt_id, hunts_max as usize);
    let status = |lock: &std::sync::Arc<crate::engine::HuntLock>| {
        wire::hunt_status(lock.id(), shard.status(lock, request.with_digest))
    };
    let hunts = locks.iter().map(status).collect();
    if !shard.kept(time.wait_until()).await {
        return Err(Failure::NotKeptInTime);
    }
    Ok(ListHuntsResponse { hunts, more })
}

pub(super) async fn probe(
    shard: &Shard,
    request: Request<ProbeRequest>,
) -> Result<ProbeResponse, Failure> {
    let time = call_time(&request)?;
    if shard.synced(time.wait_until()).await {
        return Ok(ProbeResponse {});
    }
    Err(Failure::NotKeptInTime)
}

pub(super) async fn activate(
    shard: &Shard,
    request: Request<ActivateRequest>,
) -> Result<ActivateResponse, Failure> {
    let time = call_time(&request)?;
    let request = request.into_inner();
    let id = hunt_id(&request.hunt_id)?;
    shard.admit_call(&caller(request.fence)?)?;
    let asked = Activation {
        epoch: request.epoch,
        at: Some((request.sequence, request.digest)),
        not_before_ms: request.not_before_ms,
    };
    let activated = shard.activate(&id, asked, request.missed);
    let sequence = activated.map_err(|why| Failure::activate(&id, why))?;
    let until = time.wait_until();
    if shard.fence_kept(until).await && shard.durable(until).await {
        return Ok(ActivateResponse { sequence });
    }
    Err(Failure::NotKeptInTime)
}

/// What came may be long or unprintable: its start, escaped, is enough to recognise it by.
fn shown(text: &str) -> String {
    text.chars().take(64).flat_map(char::escape_debug).collect()
}

fn caller(fence: Option<Fence>) -> Result<Caller, Failure> {
    let fence = fence.ok_or_else(|| Failure::field("fence", "is missing"))?;
    let is_router = !fence.ledger_id.is_empty() && fence.ledger_id.len() <= LEDGER_ID_BYTES_MAX;
    if !is_router {
        let problem = format!(
            "must be 1..{LEDGER_ID_BYTES_MAX} bytes, and has {}",
            fence.ledger_id.len()
        );
        return Err(Failure::field("fence.ledger_id", problem));
    }
    if fence.router_incarnation == 0 {
        return Err(Failure::field("fence.router_incarnation", "must not be 0"));
    }
    Ok(Caller {
        ledger_id: fence.ledger_id,
        router_incarnation: fence.router_incarnation,
        engine_incarnation: fence.engine_incarnation,
    })
}

/// A ledger's id is never longer, in bytes.
const LEDGER_ID_BYTES_MAX: usize = 128;
