//! Sagas spread over two PostgreSQL servers by their buckets: when one is down, its sagas wait and the others go on.

use std::sync::Arc;
use std::time::Duration;

use orchestrator::Config;
use orchestrator::participants::Participant;
use orchestrator::plans::Plans;
use orchestrator::runner::Limits;
use pb::checkout::State;
use proto::orchestrator::v1 as pb;
use proto::orchestrator::v1::checkout_service_client::CheckoutServiceClient;
use proto::orchestrator::v1::saga_service_client::SagaServiceClient;
use service_kit::db::{Db, Durability, Postgres};
use service_kit::ids;
use testbed::postgres::{DATABASE, Options, Server};
use tokio::time::{Instant, sleep};
use tonic::{Code, Status};
use uuid::Uuid;

use crate::fakes::Fakes;
use crate::world::{CUSTOMER, clients, fakes, host, request, seconds};

/// How long anything that must happen may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);
/// The first bucket of the second server.
const BORDER: i64 = 512;

async fn connect(server: &Server) -> Db {
    let options = Postgres::new(server.url(DATABASE), "orchestrator");
    Db::connect(&Postgres { durability: Durability::Unchecked, ..options }).await.unwrap()
}

/// The bucket of the checkout that a request starts.
fn bucket(number: u128) -> i64 {
    ids::bucket(ids::saga_id("checkout", CUSTOMER, Uuid::from_u128(number)))
}

/// Requests whose checkouts lie on the first server, and such that lie on the second.
fn numbers(from: u128, count: usize) -> (Vec<u128>, Vec<u128>) {
    let of = |first: bool| (from..).filter(|number| (bucket(*number) < BORDER) == first).take(count).collect();
    (of(true), of(false))
}

struct House {
    fakes: Arc<Fakes>,
    checkouts: CheckoutServiceClient<Participant>,
    sagas: SagaServiceClient<Participant>,
}

impl House {
    async fn place(&self, number: u128, wait: Option<i64>) -> Result<pb::Checkout, Status> {
        let wait = wait.map_or(seconds(20), seconds);
        let request = pb::CreateCheckoutRequest { wait, ..request(number) };
        self.checkouts.clone().create_checkout(request).await.map(tonic::Response::into_inner)
    }

    async fn state(&self, name: &str) -> Result<State, Status> {
        let request = pb::GetCheckoutRequest { name: name.into() };
        Ok(self.checkouts.clone().get_checkout(request).await?.into_inner().state())
    }

    async fn completes(&self, name: &str) {
        let until = Instant::now() + PATIENCE;
        while !matches!(self.state(name).await, Ok(State::Completed)) {
            assert!(Instant::now() < until, "{name} does not complete: {:?}", self.state(name).await);
            sleep(Duration::from_millis(20)).await;
        }
    }

    async fn listed(&self) -> Result<usize, Status> {
        let page =
            self.sagas.clone().list_sagas(pb::ListSagasRequest { page_size: 1000, ..Default::default() }).await?;
        Ok(page.into_inner().sagas.len())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_down_holds_up_its_own_sagas_only() {
    let (one, two) = (Server::start(Options::default()).unwrap(), Server::start(Options::default()).unwrap());
    let spread = vec![(0..=BORDER - 1, connect(&one).await), (BORDER..=1023, connect(&two).await)];
    let fakes = fakes();
    // Nobody is given up for a wait; a call that is held is let go before its time is over.
    let limits = Limits { call_timeout_ms: 120_000, ..Limits::default() };
    let config = Config { limits, undecided_ms: 300_000, ..Config::default() };
    let started =
        orchestrator::start(&host().await, config, Plans::default(), fakes.participants(), spread).await.unwrap();
    let (checkouts, sagas) = clients(&started);
    let house = House { fakes, checkouts, sagas };

    let (first, second) = numbers(1, 10);
    for number in first.iter().chain(&second) {
        house.completes(&house.place(*number, None).await.unwrap().name).await;
    }
    for (server, count) in [(&one, "10"), (&two, "10")] {
        let stored = server.execute("select count(*) from orchestrator.orchestrator_saga").unwrap();
        assert_eq!(stored.trim(), count);
    }
    assert_eq!(house.listed().await.unwrap(), 20);

    // Under way on both when the second one dies.
    let release = house.fakes.hold("AuthorizePayment");
    let (first, second) = numbers(1_000, 3);
    let mut open = Vec::new();
    for number in first.iter().chain(&second) {
        open.push(house.place(*number, Some(0)).await.unwrap().name);
    }
    two.kill9().unwrap();
    release.send(true).unwrap();
    let (going_on, waiting) = open.split_at(3);
    for name in going_on {
        house.completes(name).await;
    }
    let (first, second) = numbers(2_000, 10);
    for number in &first {
        house.completes(&house.place(*number, None).await.unwrap().name).await;
    }
    for number in second.iter().take(2) {
        assert_eq!(house.place(*number, Some(1)).await.unwrap_err().code(), Code::Unavailable);
    }
    assert_eq!(house.listed().await.unwrap_err().code(), Code::Unavailable, "no list without half of it");

    two.restart().unwrap();
    for name in waiting {
        house.completes(name).await;
    }
    for number in &second {
        let until = Instant::now() + PATIENCE;
        let checkout = loop {
            match house.place(*number, None).await {
                Ok(checkout) => break checkout,
                Err(status) => assert_eq!(status.code(), Code::Unavailable, "{status:?}"),
            }
            assert!(Instant::now() < until, "nobody accepts {number}");
            sleep(Duration::from_millis(50)).await;
        };
        house.completes(&checkout.name).await;
    }
    assert_eq!(house.listed().await.unwrap(), 46);
    started.shards.shut_down(Duration::from_secs(5)).await.unwrap();

    // Where a saga lies is settled for ever.
    let swapped = vec![(0..=BORDER - 1, connect(&two).await), (BORDER..=1023, connect(&one).await)];
    let refused = orchestrator::start(&host().await, config, Plans::default(), house.fakes.participants(), swapped)
        .await
        .unwrap_err();
    assert!(matches!(refused, orchestrator::Error::Moved { .. }), "{refused}");
}
