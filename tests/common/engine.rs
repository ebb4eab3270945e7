//! One start of the engine in this process, over a journal that outlives it.

use std::{sync::Arc, time::Duration};

use player_state::{
    config::Claim,
    journal::{Damage, Recovery},
    pb::{
        ActivateRequest, Command, CreateHuntRequest, CreateHuntResponse, Fence, GetHuntRequest,
        GetHuntResponse, HelloRequest, HelloResponse, HuntSettings, HuntStatus, ListHuntsRequest,
        Outcome, Record, Refusal,
    },
    rpc::{
        Services,
        server::{
            ownership_service_server::OwnershipService as _,
            player_state_service_server::PlayerStateService as _,
        },
    },
    shard::{Identity, Progress, Recovered, Rulesets, Shard},
};
use prost::Message as _;
use tonic::Status;

use super::journal::{self, Disk, Recording, call};

/// More than any call here takes.
pub const LONG: Duration = Duration::from_secs(20);

/// A start of the engine.
pub struct Engine {
    pub journal: Arc<Recording>,
    pub shard: Arc<Shard>,
    pub services: Services,
    pub recovered: Recovered,
    pub incarnation: u64,
}

impl Engine {
    /// The first start, on an empty disk.
    pub async fn first(claim: Claim) -> Self {
        Self::start(&Disk::default(), claim, Rulesets::default()).await
    }

    /// A later start, after the last one was killed.
    pub async fn again(&self, claim: Claim) -> Self {
        let disk = self.journal.disk.lock().clone();
        Self::start(&disk, claim, Rulesets::default()).await
    }

    pub async fn start(disk: &Disk, claim: Claim, rulesets: Rulesets) -> Self {
        // Another at every start of a disk.
        let incarnation = 1 + disk.records.len() as u64;
        let recovery = disk.recovery(incarnation);
        let started = Self::recover(disk, recovery, claim, rulesets).await;
        started.expect("a journal without damage")
    }

    pub async fn recover(
        disk: &Disk,
        recovery: Recovery,
        claim: Claim,
        rulesets: Rulesets,
    ) -> Result<Self, Damage> {
        let incarnation = recovery.engine_incarnation;
        let journal = Recording::on(disk);
        let shard = journal.shard(claim, rulesets).known_as(Identity {
            incarnation,
            durability: "sync",
        });
        let recovered = shard.recover(recovery, &Progress::default())?;
        shard.claim_recovered().await;
        let shard = Arc::new(shard);
        Ok(Self {
            journal,
            services: Services::new(Arc::clone(&shard)),
            shard,
            recovered,
            incarnation,
        })
    }

    pub async fn create(
        &self,
        hunt_id: &str,
        settings: HuntSettings,
    ) -> Result<CreateHuntResponse, Status> {
        self.create_as(hunt_id, settings, 0, 0).await
    }

    pub async fn create_as(
        &self,
        hunt_id: &str,
        settings: HuntSettings,
        epoch: u64,
        router_incarnation: u64,
    ) -> Result<CreateHuntResponse, Status> {
        let request = CreateHuntRequest {
            hunt_id: hunt_id.to_owned(),
            settings: Some(settings),
            epoch,
            router_incarnation,
        };
        let created = self.services.create_hunt(call(request, LONG)).await;
        created.map(tonic::Response::into_inner)
    }

    pub async fn apply(&self, command: Command) -> Outcome {
        let outcome = journal::apply(&self.services, command, LONG).await;
        outcome.expect("an answer")
    }

    pub async fn hunt(&self, hunt_id: &str) -> Result<GetHuntResponse, Status> {
        let hunt_id = hunt_id.to_owned();
        let request = GetHuntRequest { hunt_id, top: 100 };
        let hunt = self.services.get_hunt(call(request, LONG)).await;
        hunt.map(tonic::Response::into_inner)
    }

    pub async fn hello(&self, fence: Option<Fence>) -> Result<HelloResponse, Status> {
        let request = HelloRequest {
            router: "a test".to_owned(),
            fence,
            ..HelloRequest::default()
        };
        let hello = self.services.hello(call(request, LONG)).await;
        hello.map(tonic::Response::into_inner)
    }

    /// All hunts, with their digests.
    pub async fn list(&self) -> Vec<HuntStatus> {
        let request = ListHuntsRequest {
            after_hunt_id: String::new(),
            max_hunts: 1_000,
            with_digest: true,
        };
        let listed = self.services.list_hunts(call(request, LONG)).await;
        let listed = listed.expect("a list").into_inner();
        assert!(!listed.more, "all of them");
        listed.hunts
    }

    pub async fn status(&self, hunt_id: &str) -> HuntStatus {
        let mut hunts = self.list().await.into_iter();
        let found = hunts.find(|hunt| hunt.hunt_id == hunt_id);
        found.expect("the hunt is listed")
    }

    /// An activation as a router asks for it: at exactly where the hunt is.
    pub async fn activation(&self, hunt_id: &str, epoch: u64) -> ActivateRequest {
        let at = self.status(hunt_id).await;
        ActivateRequest {
            hunt_id: hunt_id.to_owned(),
            epoch,
            fence: Some(self.fence("ledger", 7)),
            sequence: at.sequence,
            digest: at.digest,
            not_before_ms: 0,
            missed: 0,
        }
    }

    pub async fn activate(&self, request: ActivateRequest) -> Result<u64, Status> {
        let activated = self.services.activate(call(request, LONG)).await;
        activated.map(|response| response.into_inner().sequence)
    }

    /// Of a router that knows this start.
    pub fn fence(&self, ledger_id: &str, router_incarnation: u64) -> Fence {
        Fence {
            ledger_id: ledger_id.to_owned(),
            router_incarnation,
            engine_incarnation: self.incarnation,
        }
    }

    /// All that was recorded of a hunt.
    pub fn records(&self, hunt_id: &str) -> Vec<Record> {
        let disk = self.journal.disk.lock();
        let of_hunt = disk.records.iter().map(|(_, entry)| entry);
        let of_hunt = of_hunt.filter(|entry| entry.hunt.as_str() == hunt_id);
        of_hunt
            .map(|entry| Record::decode(entry.record.clone()).expect("a record"))
            .collect()
    }
}

/// The `Refusal` in the details of a status.
pub fn refusal(status: &Status) -> Refusal {
    let details = tonic_types::pb::Status::decode(status.details()).expect("a google.rpc.Status");
    Refusal::decode(&*details.details[0].value).expect("a Refusal")
}
