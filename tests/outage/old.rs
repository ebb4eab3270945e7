//! A bridge as it was, as small as it can be: two services that call each other.
//!
//! The engine tells the aggregator of every change under the hunt's lock, which keeps changes in order.
//! The aggregator asks the engine for the hunt that changed. Each is reasonable alone. No call has a
//! deadline.

use std::{
    net::SocketAddr,
    sync::{Arc, OnceLock},
};

use player_state::pb::{
    ApplyBatchRequest, ApplyBatchResponse, ApplyRequest, ApplyResponse, CreateHuntRequest,
    CreateHuntResponse, EndHuntRequest, EndHuntResponse, GetHuntRequest, GetHuntResponse,
    GetPlayerRequest, GetPlayerResponse, GetRecordRequest, GetRecordResponse, Outcome,
    ReadRecordsRequest, ReadRecordsResponse, Verdict,
    event_feed_service_client::EventFeedServiceClient,
    event_feed_service_server::{EventFeedService, EventFeedServiceServer},
    player_state_service_client::PlayerStateServiceClient,
    player_state_service_server::{PlayerStateService, PlayerStateServiceServer},
};
use tokio::{
    runtime::Runtime,
    sync::{Mutex, Semaphore},
    time::timeout,
};
use tonic::{
    Request, Response, Status,
    transport::{Channel, Endpoint, Server, server::TcpIncoming},
};

use super::{
    HUNT,
    common::{PATIENCE, game::join},
};

/// What the aggregator does when it is told of a change.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Habit {
    CallsBack,
    OnlyListens,
}

/// Both services, each with threads of its own, as two processes have.
pub(crate) struct OldBridge {
    engine: Option<Runtime>,
    aggregator: Option<Runtime>,
    player: Player,
    told: Arc<Semaphore>,
}

impl OldBridge {
    pub(crate) async fn start(habit: Habit) -> Self {
        let told = Arc::new(Semaphore::new(0));
        let (engine, aggregator) = (process(), process());
        let to_aggregator = Arc::new(OnceLock::new());
        let engine_at = listen(&engine, {
            let engine = Engine {
                sequence: Mutex::new(0),
                aggregator: Arc::clone(&to_aggregator),
            };
            Server::builder().add_service(PlayerStateServiceServer::new(engine))
        });
        let aggregator_at = listen(&aggregator, {
            let aggregator = Aggregator {
                habit,
                told: Arc::clone(&told),
                engine: PlayerStateServiceClient::new(channel(&aggregator, engine_at)),
            };
            Server::builder().add_service(EventFeedServiceServer::new(aggregator))
        });
        let client = EventFeedServiceClient::new(channel(&engine, aggregator_at));
        to_aggregator.set(client).expect("set once");
        let endpoint = endpoint(engine_at).connect().await.expect("a connection");
        Self {
            engine: Some(engine),
            aggregator: Some(aggregator),
            player: Player(PlayerStateServiceClient::new(endpoint)),
            told,
        }
    }

    pub(crate) fn player(&self) -> Player {
        self.player.clone()
    }

    /// Waits until the aggregator was told of a change. If it calls back, nothing stands between it and
    /// that call any more.
    pub(crate) async fn told(&self) {
        let told = timeout(PATIENCE, self.told.acquire()).await;
        told.expect("the aggregator is told")
            .expect("open")
            .forget();
    }

    /// Ends the aggregator's process, as it were: its threads and its connections.
    pub(crate) fn kill_aggregator(&mut self) {
        if let Some(aggregator) = self.aggregator.take() {
            aggregator.shutdown_background();
        }
    }
}

impl Drop for OldBridge {
    fn drop(&mut self) {
        self.kill_aggregator();
        if let Some(engine) = self.engine.take() {
            engine.shutdown_background();
        }
    }
}

/// A caller of the engine, without deadlines.
#[derive(Clone)]
pub(crate) struct Player(PlayerStateServiceClient<Channel>);

impl Player {
    /// A command that changes the hunt.
    pub(crate) async fn join(mut self) -> Result<Outcome, Status> {
        let command = Some(join(HUNT, 1, 1));
        let answer = self.0.apply(ApplyRequest { command }).await?;
        Ok(answer.into_inner().outcome.expect("an outcome"))
    }

    /// A cheap read.
    pub(crate) async fn look(mut self) -> Result<GetHuntResponse, Status> {
        let request = GetHuntRequest {
            hunt_id: HUNT.to_owned(),
            top: 1,
        };
        Ok(self.0.get_hunt(request).await?.into_inner())
    }
}

struct Engine {
    /// All that this engine knows of its hunt, behind the hunt's lock.
    sequence: Mutex<u64>,
    aggregator: Arc<OnceLock<EventFeedServiceClient<Channel>>>,
}

#[tonic::async_trait]
impl PlayerStateService for Engine {
    async fn apply(
        &self,
        request: Request<ApplyRequest>,
    ) -> Result<Response<ApplyResponse>, Status> {
        let command = request.into_inner().command.expect("a command");
        let mut sequence = self.sequence.lock().await;
        *sequence += 1;
        // Here it is: a call, under the lock, to somebody who may call back. GetRecord stands for the
        // push that the old bridge had: it carries the hunt and the sequence.
        let change = GetRecordRequest {
            hunt_id: command.hunt_id,
            sequence: *sequence,
        };
        let mut aggregator = self.aggregator.get().expect("connected").clone();
        aggregator.get_record(change).await?;
        let outcome = Outcome {
            request_id: command.request_id,
            verdict: Verdict::Applied.into(),
            sequence: *sequence,
            ..Outcome::default()
        };
        Ok(Response::new(ApplyResponse {
            outcome: Some(outcome),
        }))
    }

    async fn get_hunt(
        &self,
        _: Request<GetHuntRequest>,
    ) -> Result<Response<GetHuntResponse>, Status> {
        let sequence = *self.sequence.lock().await;
        Ok(Response::new(GetHuntResponse {
            sequence,
            ..GetHuntResponse::default()
        }))
    }

    async fn create_hunt(
        &self,
        _: Request<CreateHuntRequest>,
    ) -> Result<Response<CreateHuntResponse>, Status> {
        not_played()
    }

    async fn end_hunt(
        &self,
        _: Request<EndHuntRequest>,
    ) -> Result<Response<EndHuntResponse>, Status> {
        not_played()
    }

    async fn get_player(
        &self,
        _: Request<GetPlayerRequest>,
    ) -> Result<Response<GetPlayerResponse>, Status> {
        not_played()
    }

    async fn apply_batch(
        &self,
        _: Request<ApplyBatchRequest>,
    ) -> Result<Response<ApplyBatchResponse>, Status> {
        not_played()
    }
}

struct Aggregator {
    habit: Habit,
    told: Arc<Semaphore>,
    engine: PlayerStateServiceClient<Channel>,
}

#[tonic::async_trait]
impl EventFeedService for Aggregator {
    /// Is told of a change.
    async fn get_record(
        &self,
        request: Request<GetRecordRequest>,
    ) -> Result<Response<GetRecordResponse>, Status> {
        self.told.add_permits(1);
        if self.habit == Habit::CallsBack {
            let hunt_id = request.into_inner().hunt_id;
            let mut engine = self.engine.clone();
            engine.get_hunt(GetHuntRequest { hunt_id, top: 10 }).await?;
        }
        Ok(Response::new(GetRecordResponse { record: None }))
    }

    async fn read_records(
        &self,
        _: Request<ReadRecordsRequest>,
    ) -> Result<Response<ReadRecordsResponse>, Status> {
        not_played()
    }
}

fn not_played<T>() -> Result<Response<T>, Status> {
    Err(Status::unimplemented("no part of the story"))
}

fn process() -> Runtime {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build();
    runtime.expect("a runtime")
}

/// Serves on a port of its own.
fn listen(process: &Runtime, server: tonic::transport::server::Router) -> SocketAddr {
    let _threads = process.enter();
    let incoming = TcpIncoming::bind(SocketAddr::from(([127, 0, 0, 1], 0))).expect("a port");
    let addr = incoming.local_addr().expect("an address");
    process.spawn(server.serve_with_incoming(incoming));
    addr
}

fn channel(process: &Runtime, addr: SocketAddr) -> Channel {
    let _threads = process.enter();
    endpoint(addr).connect_lazy()
}

fn endpoint(addr: SocketAddr) -> Endpoint {
    Endpoint::from_shared(format!("http://{addr}")).expect("an address")
}
