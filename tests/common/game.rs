//! Plays hunts over a connection: requests with a deadline, and the commands that tests send.

use std::time::Duration;

use player_state::pb::{
    ApplyBatchRequest, ApplyRequest, Command, CreateHuntRequest, CreateHuntResponse, Dig,
    EndHuntRequest, EndHuntResponse, GetHuntRequest, GetHuntResponse, GetPlayerRequest,
    GetPlayerResponse, GetRecordRequest, HuntSettings, Join, Leave, Move, Outcome,
    ReadRecordsRequest, ReadRecordsResponse, Record, UsePowerUp, command::Action,
    event_feed_service_client::EventFeedServiceClient,
    player_state_service_client::PlayerStateServiceClient,
};
use tonic::{Request, Status};

use super::{Client, PATIENCE, origin};

type Answer<T> = Result<T, Status>;

/// A caller of both services.
#[derive(Clone)]
pub struct Game {
    client: Client,
    deadline: Duration,
}

/// One call of a client, with the deadline of the game.
macro_rules! call {
    ($self:ident, $service:ident, $method:ident, $request:expr) => {{
        let mut client = $service::with_origin($self.client.service(), origin());
        let mut request = Request::new($request);
        request.set_timeout($self.deadline);
        client
            .$method(request)
            .await
            .map(tonic::Response::into_inner)
    }};
}

impl Game {
    pub fn new(client: Client) -> Self {
        Self {
            client,
            deadline: PATIENCE,
        }
    }

    /// The same with a deadline of its own.
    pub fn within(&self, deadline: Duration) -> Self {
        Self {
            client: self.client.clone(),
            deadline,
        }
    }

    /// Creates a hunt where the engine claims by itself.
    pub async fn create(
        &self,
        hunt_id: &str,
        settings: HuntSettings,
    ) -> Answer<CreateHuntResponse> {
        self.create_as(hunt_id, settings, 0, 0).await
    }

    pub async fn create_as(
        &self,
        hunt_id: &str,
        settings: HuntSettings,
        epoch: u64,
        router_incarnation: u64,
    ) -> Answer<CreateHuntResponse> {
        let request = CreateHuntRequest {
            hunt_id: hunt_id.to_owned(),
            settings: Some(settings),
            epoch,
            router_incarnation,
        };
        call!(self, PlayerStateServiceClient, create_hunt, request)
    }

    pub async fn end(&self, hunt_id: &str) -> Answer<EndHuntResponse> {
        let hunt_id = hunt_id.to_owned();
        call!(
            self,
            PlayerStateServiceClient,
            end_hunt,
            EndHuntRequest { hunt_id }
        )
    }

    pub async fn hunt(&self, hunt_id: &str, top: u32) -> Answer<GetHuntResponse> {
        let hunt_id = hunt_id.to_owned();
        call!(
            self,
            PlayerStateServiceClient,
            get_hunt,
            GetHuntRequest { hunt_id, top }
        )
    }

    pub async fn player(&self, hunt_id: &str, player_id: u64) -> Answer<GetPlayerResponse> {
        let hunt_id = hunt_id.to_owned();
        let request = GetPlayerRequest { hunt_id, player_id };
        call!(self, PlayerStateServiceClient, get_player, request)
    }

    pub async fn apply(&self, command: Command) -> Answer<Outcome> {
        let command = Some(command);
        let answer: ApplyAnswer = call!(
            self,
            PlayerStateServiceClient,
            apply,
            ApplyRequest { command }
        )?;
        Ok(answer.outcome.expect("an outcome"))
    }

    pub async fn apply_batch(&self, commands: Vec<Command>) -> Answer<Vec<Outcome>> {
        let request = ApplyBatchRequest { commands };
        let answer: BatchAnswer = call!(self, PlayerStateServiceClient, apply_batch, request)?;
        Ok(answer.outcomes)
    }

    pub async fn read(&self, request: ReadRecordsRequest) -> Answer<ReadRecordsResponse> {
        call!(self, EventFeedServiceClient, read_records, request)
    }

    pub async fn record(&self, hunt_id: &str, sequence: u64) -> Answer<Record> {
        let hunt_id = hunt_id.to_owned();
        let request = GetRecordRequest { hunt_id, sequence };
        let answer: RecordAnswer = call!(self, EventFeedServiceClient, get_record, request)?;
        Ok(answer.record.expect("a record"))
    }

    /// All records of a hunt, read from the oldest on.
    pub async fn records(&self, hunt_id: &str) -> Vec<Record> {
        let mut records = Vec::new();
        let mut cursor = Vec::new();
        loop {
            let request = ReadRecordsRequest {
                cursor,
                hunt_id: hunt_id.to_owned(),
                max_records: 10_000,
                ..ReadRecordsRequest::default()
            };
            let page = self.read(request).await.expect("a page");
            assert!(!page.gap, "nothing was dropped");
            records.extend(page.records);
            cursor = page.cursor;
            if page.behind == 0 {
                return records;
            }
        }
    }
}

type ApplyAnswer = player_state::pb::ApplyResponse;
type BatchAnswer = player_state::pb::ApplyBatchResponse;
type RecordAnswer = player_state::pb::GetRecordResponse;

/// A small hunt of ten minutes.
pub fn settings() -> HuntSettings {
    HuntSettings {
        seed: 7,
        width: 20,
        height: 20,
        treasures: 100,
        caches: 100,
        max_players: 100,
        duration_ms: 600_000,
        ruleset: String::new(),
    }
}

/// A command without conditions.
pub fn command(hunt_id: &str, player_id: u64, request_id: u64, action: Action) -> Command {
    Command {
        hunt_id: hunt_id.to_owned(),
        player_id,
        request_id,
        action: Some(action),
        ..Command::default()
    }
}

pub fn join(hunt_id: &str, player_id: u64, request_id: u64) -> Command {
    command(hunt_id, player_id, request_id, Action::Join(Join {}))
}

pub fn leave(hunt_id: &str, player_id: u64, request_id: u64) -> Command {
    command(hunt_id, player_id, request_id, Action::Leave(Leave {}))
}

pub fn dig(hunt_id: &str, player_id: u64, request_id: u64) -> Command {
    command(hunt_id, player_id, request_id, Action::Dig(Dig {}))
}

pub fn step(hunt_id: &str, player_id: u64, request_id: u64, x: u32, y: u32) -> Command {
    command(hunt_id, player_id, request_id, Action::Move(Move { x, y }))
}

pub fn use_power_up(hunt_id: &str, player_id: u64, request_id: u64, power_up: &str) -> Command {
    let usage = UsePowerUp {
        power_up: power_up.to_owned(),
        target_player_id: 0,
    };
    command(hunt_id, player_id, request_id, Action::UsePowerUp(usage))
}
