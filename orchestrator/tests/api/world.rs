//! An orchestrator over a journal in memory, its clients, and the requests that the scenarios vary.

use std::sync::Arc;

use orchestrator::participants::Participant;
use orchestrator::plans::Plans;
use orchestrator::runner::Limits;
use orchestrator::{Config, Started};
use proto::concert::v1::Reservation;
use proto::concert::v1::reservation::{Item, State as Held};
use proto::orchestrator::v1 as pb;
use proto::orchestrator::v1::checkout_service_client::CheckoutServiceClient;
use proto::orchestrator::v1::saga_service_client::SagaServiceClient;
use proto::payment::v1::payment::Method;
use service_kit::clock::SystemClock;
use service_kit::host::Host;
use service_kit::ids::Ids;
use service_kit::refusal::{Refusal, SagaOutcome, reason};
use tonic::{Code, Status};
use uuid::Uuid;

use crate::fakes::{AMOUNT, Fakes, Shaky};

pub(crate) const CUSTOMER: &str = "customers/00000000-0000-7000-8000-0000000000c1";
pub(crate) const OTHER: &str = "customers/00000000-0000-7000-8000-0000000000c2";
pub(crate) const RESERVATION: &str = "reservations/00000000-0000-7000-8000-0000000000d1";

pub(crate) struct World {
    pub(crate) fakes: Arc<Fakes>,
    pub(crate) journal: Arc<Shaky>,
    pub(crate) host: Host,
    pub(crate) pages: axum::Router,
    pub(crate) shards: orchestrator::shards::Shards,
    pub(crate) checkouts: CheckoutServiceClient<Participant>,
    pub(crate) sagas: SagaServiceClient<Participant>,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(Config::default()).await
    }

    pub(crate) async fn with(config: Config) -> Self {
        let fakes = fakes();
        let journal = Arc::new(Shaky::default());
        let host = host().await;
        host.db.migrate("orchestrator", migrations::orchestrator::MIGRATIONS).await.unwrap();
        let started = orchestrator::start_with(&host, config, Plans::default(), fakes.participants(), journal.clone())
            .await
            .unwrap();
        let (checkouts, sagas) = clients(&started);
        let Started { pages, shards, .. } = started;
        Self { fakes, journal, host, pages, shards, checkouts, sagas }
    }

    pub(crate) async fn create(&self, request: pb::CreateCheckoutRequest) -> Result<pb::Checkout, Status> {
        self.checkouts.clone().create_checkout(request).await.map(tonic::Response::into_inner)
    }

    /// A checkout that has come to its end.
    pub(crate) async fn ended(&self, number: u128) -> pb::Checkout {
        let placed = self.create(request(number)).await.unwrap();
        self.end_of(&placed.name).await
    }

    pub(crate) async fn end_of(&self, name: &str) -> pb::Checkout {
        let request = pb::WatchCheckoutRequest { name: name.into() };
        let mut versions = self.checkouts.clone().watch_checkout(request).await.unwrap().into_inner();
        let mut last = None;
        while let Some(version) = versions.message().await.unwrap() {
            last = Some(version);
        }
        last.unwrap()
    }
}

/// What is held stays where it is, however slow the machine.
pub(crate) fn patient() -> Config {
    let limits = Limits { call_timeout_ms: 600_000, ..Limits::default() };
    Config { limits, undecided_ms: 600_000, ..Config::default() }
}

pub(crate) async fn host() -> Host {
    let clock = Arc::new(SystemClock);
    Host::new(testbed::db(clock.clone()).await, clock, Ids::seeded(7))
}

pub(crate) fn clients(started: &Started) -> (CheckoutServiceClient<Participant>, SagaServiceClient<Participant>) {
    let server = Participant::new(started.grpc.clone());
    (CheckoutServiceClient::new(server.clone()), SagaServiceClient::new(server))
}

/// Participants that agree to everything.
pub(crate) fn fakes() -> Arc<Fakes> {
    let fakes = Arc::new(Fakes::default());
    *fakes.title.lock().unwrap() = "The Weaving".into();
    *fakes.points.lock().unwrap() = AMOUNT;
    let mut reservation = Reservation {
        name: RESERVATION.into(),
        customer: CUSTOMER.into(),
        items: vec![Item { seat: "concerts/c/performances/p/seats/A-12".into(), ..Default::default() }],
        total_amount: AMOUNT,
        ..Default::default()
    };
    reservation.set_state(Held::Held);
    *fakes.reservation.lock().unwrap() = reservation;
    fakes
}

/// A request that is fine; one number is one request id.
pub(crate) fn request(number: u128) -> pb::CreateCheckoutRequest {
    pb::CreateCheckoutRequest {
        checkout: Some(pb::Checkout {
            customer: CUSTOMER.into(),
            reservation: RESERVATION.into(),
            payment_method: Method::Point.into(),
            ..Default::default()
        }),
        request_id: Uuid::from_u128(number).to_string(),
        ..Default::default()
    }
}

pub(crate) fn seconds(seconds: i64) -> Option<prost_types::Duration> {
    Some(prost_types::Duration { seconds, nanos: 0 })
}

/// A refusal as a participant gives it to a step.
pub(crate) fn refused(reason: &'static str) -> Status {
    let refusal = Refusal::precondition(reason, "said no").with("shortfall", 1);
    SagaOutcome::Refused.mark(refusal.into_status("ticketing.fake.v1"))
}

/// Code and reason of an error.
pub(crate) fn told<T: std::fmt::Debug>(answer: Result<T, Status>) -> (Code, String) {
    let status = answer.unwrap_err();
    (status.code(), reason(&status).unwrap_or_default())
}

/// The reason that a failure carries.
pub(crate) fn reason_of(failure: Option<&tonic_types::Status>) -> String {
    use prost::Message as _;
    let failure = failure.unwrap();
    let details = failure.encode_to_vec().into();
    reason(&Status::with_details(Code::from_i32(failure.code), failure.message.clone(), details)).unwrap_or_default()
}
