//! The services on the wire: each handler checks, calls the shard, and converts.
//!
//! Never decides a rule of the game, never calls anybody, and keeps nothing between calls.

mod call;
mod commands;
mod errors;
mod feed;
mod fields;
mod hunts;

use std::sync::Arc;

use tonic::{Request, Response, Status};

use crate::{
    pb::{
        ApplyBatchRequest, ApplyBatchResponse, ApplyRequest, ApplyResponse, CreateHuntRequest,
        CreateHuntResponse, EndHuntRequest, EndHuntResponse, GetHuntRequest, GetHuntResponse,
        GetPlayerRequest, GetPlayerResponse, GetRecordRequest, GetRecordResponse,
        ReadRecordsRequest, ReadRecordsResponse, event_feed_service_server::EventFeedService,
        player_state_service_server::PlayerStateService,
    },
    shard::Shard,
};

/// The services over one shard. Cloning shares it.
#[derive(Clone)]
pub struct Services {
    shard: Arc<Shard>,
}

impl Services {
    /// The services of `shard`. Every request must have passed the deadline layer, which puts a
    /// [`CallTime`](crate::shard::CallTime) into its extensions.
    pub fn new(shard: Arc<Shard>) -> Self {
        Self { shard }
    }
}

#[tonic::async_trait]
impl PlayerStateService for Services {
    async fn create_hunt(
        &self,
        request: Request<CreateHuntRequest>,
    ) -> Result<Response<CreateHuntResponse>, Status> {
        Ok(Response::new(hunts::create(&self.shard, request).await?))
    }

    async fn end_hunt(
        &self,
        request: Request<EndHuntRequest>,
    ) -> Result<Response<EndHuntResponse>, Status> {
        Ok(Response::new(hunts::end(&self.shard, request).await?))
    }

    async fn get_hunt(
        &self,
        request: Request<GetHuntRequest>,
    ) -> Result<Response<GetHuntResponse>, Status> {
        Ok(Response::new(hunts::get(&self.shard, request).await?))
    }

    async fn get_player(
        &self,
        request: Request<GetPlayerRequest>,
    ) -> Result<Response<GetPlayerResponse>, Status> {
        Ok(Response::new(
            hunts::get_player(&self.shard, request).await?,
        ))
    }

    async fn apply(
        &self,
        request: Request<ApplyRequest>,
    ) -> Result<Response<ApplyResponse>, Status> {
        Ok(Response::new(commands::apply(&self.shard, request).await?))
    }

    async fn apply_batch(
        &self,
        request: Request<ApplyBatchRequest>,
    ) -> Result<Response<ApplyBatchResponse>, Status> {
        Ok(Response::new(
            commands::apply_batch(&self.shard, request).await?,
        ))
    }
}

#[tonic::async_trait]
impl EventFeedService for Services {
    async fn read_records(
        &self,
        request: Request<ReadRecordsRequest>,
    ) -> Result<Response<ReadRecordsResponse>, Status> {
        Ok(Response::new(
            feed::read_records(&self.shard, request).await?,
        ))
    }

    async fn get_record(
        &self,
        request: Request<GetRecordRequest>,
    ) -> Result<Response<GetRecordResponse>, Status> {
        Ok(Response::new(
            feed::get_record(&self.shard, request.into_inner()).await?,
        ))
    }
}
