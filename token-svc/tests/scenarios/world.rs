//! A started service, a clock, and short words for what people do with it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use proto::token::v1 as pb;
use proto::token::v1::queue_token_service_client::QueueTokenServiceClient;
use proto::token::v1::waiting_room_service_client::WaitingRoomServiceClient;
use service_kit::clock::ManualClock;
use service_kit::db::Db;
use service_kit::host::Host;
use service_kit::ids::Ids;
use service_kit::pass::VerifyingKeys;
use service_kit::refusal;
use service_kit::wire::{duration, timestamp};
use token_svc::{Brake, Config, Jobs, Started};
use tonic::service::Routes;
use tonic::{Code, Request, Response, Status};
use uuid::Uuid;

/// When every scenario begins.
pub(crate) const T0: i64 = 1_700_000_000_000;

pub(crate) struct World {
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) host: Host,
    pub(crate) keys: VerifyingKeys,
    pub(crate) jobs: Jobs,
    pub(crate) brake: Brake,
    pub(crate) rooms: WaitingRoomServiceClient<Routes>,
    pub(crate) tokens: QueueTokenServiceClient<Routes>,
    /// Who each token was issued to.
    owners: Mutex<BTreeMap<String, String>>,
}

impl World {
    /// A service whose jobs run only when the scenario says so.
    pub(crate) async fn new() -> Self {
        let world = Self::with_jobs().await;
        world.host.stop.cancel();
        world
    }

    pub(crate) async fn with_jobs() -> Self {
        let clock = Arc::new(ManualClock::at(T0));
        let db = testbed::db(clock.clone()).await;
        Self::over(db, clock).await
    }

    pub(crate) async fn over(db: Db, clock: Arc<ManualClock>) -> Self {
        Self::seeded((db, clock), 1, config()).await
    }

    /// A service with other settings, whose jobs run only when the scenario says so.
    pub(crate) async fn configured(config: Config) -> Self {
        let clock = Arc::new(ManualClock::at(T0));
        let db = testbed::db(clock.clone()).await;
        let world = Self::seeded((db, clock), 1, config).await;
        world.host.stop.cancel();
        world
    }

    /// One of several over the same database, each with ids of its own.
    pub(crate) async fn seeded((db, clock): (Db, Arc<ManualClock>), seed: u64, config: Config) -> Self {
        let host = Host::new(db, clock.clone(), Ids::seeded(seed));
        Self { clock, ..Self::hosted(host, config).await }
    }

    /// A service that lives by the host's own clock.
    pub(crate) async fn hosted(host: Host, config: Config) -> Self {
        let clock = Arc::new(ManualClock::at(T0));
        let started = token_svc::start(&host, config).await.unwrap();
        let rooms = WaitingRoomServiceClient::new(started.routes.clone());
        let tokens = QueueTokenServiceClient::new(started.routes.clone());
        let Started { keys, jobs, brake, .. } = started;
        Self { clock, host, keys, jobs, brake, rooms, tokens, owners: Mutex::default() }
    }

    pub(crate) async fn open(&self, room: pb::WaitingRoom) -> String {
        self.create(room).await.unwrap().name
    }

    pub(crate) async fn create(&self, room: pb::WaitingRoom) -> Result<pb::WaitingRoom, Status> {
        let request = pb::CreateWaitingRoomRequest { waiting_room: Some(room), ..Default::default() };
        self.rooms.clone().create_waiting_room(request).await.map(Response::into_inner)
    }

    pub(crate) async fn room(&self, name: &str) -> pb::WaitingRoom {
        let request = pb::GetWaitingRoomRequest { name: name.into() };
        self.rooms.clone().get_waiting_room(request).await.unwrap().into_inner()
    }

    pub(crate) async fn issue(&self, room: &str, customer: u128) -> Result<pb::QueueToken, Status> {
        let request = pb::IssueQueueTokenRequest {
            parent: room.into(),
            customer: customer_name(customer),
            request_id: String::new(),
        };
        let owner = request.customer.clone();
        let issued = self.tokens.clone().issue_queue_token(request).await.map(Response::into_inner)?;
        self.owners.lock().unwrap().insert(issued.name.clone(), owner);
        Ok(issued)
    }

    /// Customers 1 to `count` come one after the other; the names of their tokens.
    pub(crate) async fn join(&self, room: &str, count: u128) -> Vec<String> {
        let mut names = Vec::new();
        for customer in 1..=count {
            names.push(self.issue(room, customer).await.unwrap().name);
        }
        names
    }

    pub(crate) async fn poll(&self, token: &str) -> pb::QueueToken {
        let request = pb::GetQueueTokenRequest { name: token.into() };
        self.tokens.clone().get_queue_token(request).await.unwrap().into_inner()
    }

    /// The states of tokens as their customers see them, each by its first letter, asked for in order.
    pub(crate) async fn states(&self, tokens: &[String]) -> String {
        let mut states = String::new();
        for token in tokens {
            states.push_str(&self.poll(token).await.state().as_str_name()[..1]);
        }
        states
    }

    pub(crate) async fn leave(&self, token: &str) -> pb::QueueToken {
        let request = pb::LeaveWaitingRoomRequest { name: token.into() };
        self.tokens.clone().leave_waiting_room(request).await.unwrap().into_inner()
    }

    pub(crate) async fn revoke(&self, token: &str) -> pb::QueueToken {
        let request = pb::RevokeQueueTokenRequest { name: token.into(), reason: "a bot".into() };
        self.tokens.clone().revoke_queue_token(request).await.unwrap().into_inner()
    }

    pub(crate) async fn extend(&self, token: &str, until_ms: i64) -> Result<pb::QueueToken, Status> {
        let request = pb::ExtendQueueTokenRequest { name: token.into(), min_expire_time: Some(timestamp(until_ms)) };
        self.tokens.clone().extend_queue_token(request).await.map(Response::into_inner)
    }

    pub(crate) async fn complete(&self, token: &str, saga: u128) -> Result<pb::CompleteQueueTokenResponse, Status> {
        let owner = self.owners.lock().unwrap().get(token).cloned().unwrap_or_else(|| customer_name(1));
        self.tokens.clone().complete_queue_token(completion(token, &owner, saga)).await.map(Response::into_inner)
    }

    pub(crate) async fn pause(&self, room: &str) -> Result<pb::WaitingRoom, Status> {
        let request = pb::PauseWaitingRoomRequest { name: room.into(), reason: "rain".into() };
        self.rooms.clone().pause_waiting_room(request).await.map(Response::into_inner)
    }

    pub(crate) async fn resume(&self, room: &str) -> Result<pb::WaitingRoom, Status> {
        let request = pb::ResumeWaitingRoomRequest { name: room.into(), reason: "rain".into() };
        self.rooms.clone().resume_waiting_room(request).await.map(Response::into_inner)
    }

    /// Says that there is nothing left to sell, or that there is something again.
    pub(crate) async fn sell_out(&self, room: &str, out: bool) -> Result<pb::WaitingRoom, Status> {
        let (name, reason, mut rooms) = (room.to_owned(), "the last seat".to_owned(), self.rooms.clone());
        match out {
            true => rooms.mark_sold_out(pb::MarkSoldOutRequest { name, reason }).await,
            false => rooms.clear_sold_out(pb::ClearSoldOutRequest { name, reason }).await,
        }
        .map(Response::into_inner)
    }

    pub(crate) async fn close(&self, room: &str) -> pb::WaitingRoom {
        let request = pb::CloseWaitingRoomRequest { name: room.into(), reason: "rain".into() };
        self.rooms.clone().close_waiting_room(request).await.unwrap().into_inner()
    }

    pub(crate) async fn update(&self, room: pb::WaitingRoom, paths: &[&str]) -> Result<pb::WaitingRoom, Status> {
        let paths = paths.iter().map(ToString::to_string).collect();
        let update_mask = Some(prost_types::FieldMask { paths });
        let request = pb::UpdateWaitingRoomRequest { waiting_room: Some(room), update_mask };
        self.rooms.clone().update_waiting_room(request).await.map(Response::into_inner)
    }

    /// Lets seconds pass, each with its tick.
    pub(crate) async fn tick(&self, seconds: usize) {
        for _ in 0..seconds {
            self.clock.advance(1_000);
            self.jobs.draw().await.unwrap();
            self.jobs.admit(1_000).await.unwrap();
        }
    }

    pub(crate) async fn sweep(&self) {
        self.jobs.sweep().await.unwrap();
    }

    /// Whether every rule of the service holds.
    pub(crate) async fn verify(&self) {
        for check in token_svc::verify::CHECKS {
            let findings = self.host.db.read(async move |tx| check.findings(tx).await).await.unwrap();
            assert_eq!(findings, [], "{}: {}", check.id, check.rule);
        }
    }
}

/// Scenarios poll as they like; those about polling too often say so. Small batches, so that there are several.
pub(crate) fn config() -> Config {
    Config {
        store: crate::store(),
        poll_burst: 1_000_000,
        sweep_batch: 2,
        draw_batch: 3,
        purge_batch: 2,
        ..Config::default()
    }
}

/// Whether the tables count the line, or only hear of it.
pub(crate) fn counts_in_tables() -> bool {
    crate::store() == "sql"
}

/// Open from the beginning; lets 2 a second through, 5 at once.
pub(crate) fn small_room() -> pb::WaitingRoom {
    pb::WaitingRoom {
        open_time: Some(timestamp(T0)),
        max_active_tokens: 5,
        admissions_per_second: 2.0,
        active_ttl: Some(duration(600_000)),
        claim_ttl: Some(duration(60_000)),
        max_active_lifetime: Some(duration(1_800_000)),
        ..Default::default()
    }
}

pub(crate) fn customer_name(number: u128) -> String {
    format!("customers/{}", Uuid::from_u128(number))
}

pub(crate) fn completion(token: &str, customer: &str, saga: u128) -> Request<pb::CompleteQueueTokenRequest> {
    let mut request = Request::new(pb::CompleteQueueTokenRequest {
        name: token.into(),
        saga: format!("sagas/{}", Uuid::from_u128(saga)),
        request_id: Uuid::from_u128(saga + 1).into(),
        customer: customer.into(),
    });
    request.metadata_mut().insert("saga-step", "complete-token".parse().unwrap());
    request.metadata_mut().insert("saga-epoch", "1".parse().unwrap());
    request
}

/// Code and reason of an answer that is not OK.
pub(crate) fn refusal<T: std::fmt::Debug>(answer: Result<T, Status>) -> (Code, String) {
    let status = answer.unwrap_err();
    (status.code(), refusal::reason(&status).unwrap_or_default())
}

pub(crate) fn refused(code: Code, reason: &str) -> (Code, String) {
    (code, reason.to_owned())
}
