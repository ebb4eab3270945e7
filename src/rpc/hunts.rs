//! Hunts on the wire: made, ended, read.
//!
//! Each is done, or not, before its first await: a caller who leaves loses the answer at most, and
//! gets the same one when it asks again.

use std::ops::RangeInclusive;

use tonic::Request;

use super::{
    call::call_time,
    errors::Failure,
    fields::{hunt_id, in_range, player_id},
};
use crate::{
    engine::TOP_MAX,
    pb::{
        CreateHuntRequest, CreateHuntResponse, EndHuntRequest, EndHuntResponse, GetHuntRequest,
        GetHuntResponse, GetPlayerRequest, GetPlayerResponse,
    },
    shard::{CallTime, Shard},
    wire,
};

const TOP: RangeInclusive<u32> = 0..=TOP_MAX as u32;

pub(super) async fn create(
    shard: &Shard,
    request: Request<CreateHuntRequest>,
) -> Result<CreateHuntResponse, Failure> {
    let time = call_time(&request)?;
    let request = request.into_inner();
    let id = hunt_id(&request.hunt_id)?;
    let settings = request.settings.map(wire::settings);
    let settings = settings.ok_or_else(|| Failure::field("settings", "are missing"))?;
    let created = shard.create(&id, &settings, request.epoch, request.router_incarnation);
    // Whatever became of the hunt: a router that came is known from now on, also after a restart.
    if !shard.fence_kept(time.wait_until()).await {
        return Err(Failure::NotKeptInTime);
    }
    let created = created.map_err(|why| Failure::create(&id, why))?;
    let response = CreateHuntResponse {
        epoch: created.epoch,
        starts_at_ms: created.starts_at_ms,
    };
    when_kept(shard, time, response).await
}

pub(super) async fn end(
    shard: &Shard,
    request: Request<EndHuntRequest>,
) -> Result<EndHuntResponse, Failure> {
    let time = call_time(&request)?;
    let id = hunt_id(&request.get_ref().hunt_id)?;
    let (standings, players) = shard.end(&id).map_err(|why| Failure::hunt(&id, why))?;
    when_kept(shard, time, wire::end_hunt_response(&standings, players)).await
}

pub(super) async fn get(
    shard: &Shard,
    request: Request<GetHuntRequest>,
) -> Result<GetHuntResponse, Failure> {
    let time = call_time(&request)?;
    let request = request.into_inner();
    let id = hunt_id(&request.hunt_id)?;
    let top = in_range("top", request.top, TOP)?;
    let view = shard
        .view(&id, top as usize)
        .map_err(|why| Failure::hunt(&id, why))?;
    when_kept(shard, time, wire::get_hunt_response(&view)).await
}

pub(super) async fn get_player(
    shard: &Shard,
    request: Request<GetPlayerRequest>,
) -> Result<GetPlayerResponse, Failure> {
    let time = call_time(&request)?;
    let request = request.into_inner();
    let id = hunt_id(&request.hunt_id)?;
    let player = player_id(request.player_id)?;
    let view = shard
        .player(&id, player)
        .map_err(|why| Failure::hunt(&id, why))?;
    when_kept(shard, time, wire::get_player_response(&view)).await
}

/// An answer leaves when all that it tells is durable.
async fn when_kept<T>(shard: &Shard, time: CallTime, response: T) -> Result<T, Failure> {
    if shard.kept(time.wait_until()).await {
        return Ok(response);
    }
    Err(Failure::NotKeptInTime)
}
