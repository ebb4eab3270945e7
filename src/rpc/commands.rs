//! Commands on the wire: one, or a batch of them.
//!
//! A caller who leaves before its call is begun has nothing applied; one who leaves later has all of
//! it applied, and loses the answer.

use tonic::Request;

use super::{call::call_time, errors::Failure, fields::in_range};
use crate::{
    pb::{ApplyBatchRequest, ApplyBatchResponse, ApplyRequest, ApplyResponse},
    shard::{Panicked, Shard},
};

pub(super) async fn apply(
    shard: &Shard,
    request: Request<ApplyRequest>,
) -> Result<ApplyResponse, Failure> {
    let time = call_time(&request)?;
    // A command that is absent is one without a single field: malformed, with that for an outcome.
    let command = request.into_inner().command.unwrap_or_default();
    let applied =
        tracing::debug_span!("apply", commands = 1).in_scope(|| shard.apply(time, command));
    let outcome = applied.map_err(|Panicked| Failure::Internal)?;
    let mut outcomes = [outcome];
    shard.settle(time, &mut outcomes).await;
    let [outcome] = outcomes;
    Ok(ApplyResponse {
        outcome: Some(outcome),
    })
}

pub(super) async fn apply_batch(
    shard: &Shard,
    request: Request<ApplyBatchRequest>,
) -> Result<ApplyBatchResponse, Failure> {
    let time = call_time(&request)?;
    let commands = request.into_inner().commands;
    in_range(
        "commands",
        commands.len(),
        1..=shard.limits().batch_commands_max,
    )?;
    let span = tracing::debug_span!("apply", commands = commands.len());
    let mut outcomes = span.in_scope(|| shard.apply_all(time, commands));
    shard.settle(time, &mut outcomes).await;
    Ok(ApplyBatchResponse { outcomes })
}
