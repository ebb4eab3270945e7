//! The services on the wire: each handler checks, calls the shard, and converts.
//!
//! Never decides a rule of the game, never calls anybody, and keeps nothing between calls.

mod call;
pub mod codec;
mod commands;
mod errors;
mod feed;
mod fields;
mod hunts;
mod ownership;
mod routes;

/// The servers of the schema's services, generated, over [`codec`].
#[allow(missing_docs, clippy::all, clippy::pedantic)]
pub mod server {
    include!(concat!(
        env!("OUT_DIR"),
        "/server/treasurehunt.playerstate.v1.rs"
    ));
}

use std::sync::Arc;

use tonic::{Request, Response, Status};

pub use self::routes::Routes;
use self::{
    errors::Failure,
    server::{
        event_feed_service_server::EventFeedService, ownership_service_server::OwnershipService,
        player_state_service_server::PlayerStateService,
    },
};
use crate::{
    pb::{
        ActivateRequest, ActivateResponse, CreateHuntRequest, CreateHuntResponse, DiscardRequest,
        DiscardResponse, EndHuntRequest, EndHuntResponse, FollowRequest, FollowResponse,
        GetHuntRequest, GetHuntResponse, GetPlayerRequest, GetPlayerResponse, GetRecordRequest,
        GetRecordResponse, GetSnapshotRequest, GetSnapshotResponse, HelloRequest, HelloResponse,
        ListHuntsRequest, ListHuntsResponse, OfferRequest, OfferResponse, ProbeRequest,
        ProbeResponse, ReadRecordsRequest, ReadRecordsResponse, ReopenRequest, ReopenResponse,
        RetireRequest, RetireResponse, SealRequest, SealResponse, StageRequest, StageResponse,
    },
    shard::Shard,
    wire::Encoded,
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

    async fn apply(&self, request: Request<Encoded>) -> Result<Response<Encoded>, Status> {
        Ok(Response::new(commands::apply(&self.shard, request).await?))
    }

    async fn apply_batch(&self, request: Request<Encoded>) -> Result<Response<Encoded>, Status> {
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

#[tonic::async_trait]
impl OwnershipService for Services {
    async fn hello(
        &self,
        request: Request<HelloRequest>,
    ) -> Result<Response<HelloResponse>, Status> {
        Ok(Response::new(ownership::hello(&self.shard, request).await?))
    }

    async fn list_hunts(
        &self,
        request: Request<ListHuntsRequest>,
    ) -> Result<Response<ListHuntsResponse>, Status> {
        Ok(Response::new(
            ownership::list_hunts(&self.shard, request).await?,
        ))
    }

    async fn probe(
        &self,
        request: Request<ProbeRequest>,
    ) -> Result<Response<ProbeResponse>, Status> {
        Ok(Response::new(ownership::probe(&self.shard, request).await?))
    }

    async fn activate(
        &self,
        request: Request<ActivateRequest>,
    ) -> Result<Response<ActivateResponse>, Status> {
        Ok(Response::new(
            ownership::activate(&self.shard, request).await?,
        ))
    }

    async fn get_snapshot(
        &self,
        _: Request<GetSnapshotRequest>,
    ) -> Result<Response<GetSnapshotResponse>, Status> {
        Err(Failure::NotBuilt("GetSnapshot").into())
    }

    async fn offer(&self, _: Request<OfferRequest>) -> Result<Response<OfferResponse>, Status> {
        Err(Failure::NotBuilt("Offer").into())
    }

    async fn seal(&self, _: Request<SealRequest>) -> Result<Response<SealResponse>, Status> {
        Err(Failure::NotBuilt("Seal").into())
    }

    async fn stage(&self, _: Request<StageRequest>) -> Result<Response<StageResponse>, Status> {
        Err(Failure::NotBuilt("Stage").into())
    }

    async fn reopen(&self, _: Request<ReopenRequest>) -> Result<Response<ReopenResponse>, Status> {
        Err(Failure::NotBuilt("Reopen").into())
    }

    async fn discard(
        &self,
        _: Request<DiscardRequest>,
    ) -> Result<Response<DiscardResponse>, Status> {
        Err(Failure::NotBuilt("Discard").into())
    }

    async fn retire(&self, _: Request<RetireRequest>) -> Result<Response<RetireResponse>, Status> {
        Err(Failure::NotBuilt("Retire").into())
    }

    async fn follow(&self, _: Request<FollowRequest>) -> Result<Response<FollowResponse>, Status> {
        Err(Failure::NotBuilt("Follow").into())
    }
}
