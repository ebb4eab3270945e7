//! Commands on the wire: one, or a batch of them.
//!
//! A caller who leaves before its call is begun has nothing applied; one who leaves later has all of
//! it applied, and loses the answer.

use tonic::{Request, Status};

use super::{call::call_time, codec::undecodable, errors::Failure, fields::in_range};
use crate::{
    shard::{Panicked, Shard},
    wire::{Commands, Encoded},
};

pub(super) async fn apply(shard: &Shard, request: Request<Encoded>) -> Result<Encoded, Status> {
    let time = call_time(&request)?;
    let answers = {
        let request = request.into_inner();
        let commands = Commands::of_one(&request).map_err(|err| undecodable(&err))?;
        let span = tracing::debug_span!("apply", commands = 1);
        let applied = span.in_scope(|| shard.apply(time, &commands));
        applied.map_err(|Panicked| Failure::Internal)?
    };
    Ok(shard.settle(time, answers).await)
}

pub(super) async fn apply_batch(
    shard: &Shard,
    request: Request<Encoded>,
) -> Result<Encoded, Status> {
    let time = call_time(&request)?;
    let answers = {
        let request = request.into_inner();
        let commands = Commands::of_batch(&request).map_err(|err| undecodable(&err))?;
        let range = 1..=shard.limits().batch_commands_max;
        in_range("commands", commands.len(), range)?;
        let span = tracing::debug_span!("apply", commands = commands.len());
        span.in_scope(|| shard.apply_all(time, &commands))
    };
    Ok(shard.settle(time, answers).await)
}
