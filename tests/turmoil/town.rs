//! What outlives every host: the databases, and whoever makes ids; and the hosts that are started over them.

use std::error::Error;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use futures_util::future::BoxFuture;
use http::{Request, Response};
use orchestrator::journal::{LEASE, SqlJournal};
use orchestrator::participants::{BoxError, Participant, Participants};
use orchestrator::plans::Plans;
use payment_svc::deliver::Deliveries;
use proto::concert::v1 as concert;
use proto::concert::v1::concert_service_client::ConcertServiceClient;
use proto::concert::v1::reservation_service_client::ReservationServiceClient;
use proto::customer::v1 as customer;
use proto::customer::v1::customer_service_client::CustomerServiceClient;
use proto::customer::v1::point_service_client::PointServiceClient;
use service_kit::clock::Clock;
use service_kit::db::Db;
use service_kit::host::Host;
use service_kit::ids::Ids;
use service_kit::peer::{Addresses, Client, Connections, Peer};
use service_kit::serve::{Limits, Served, Server};
use skald_tests::hall::{self, Hall};
use skald_tests::world::PRICE;
use tokio_util::sync::CancellationToken;
use tonic::body::Body;
use tonic::service::Routes;
use turmoil::Sim;

use crate::net::{Net, PORT, SimClock, incoming};

/// The services, by the names of their hosts.
pub(crate) const SERVICES: [&str; 4] = ["concert", "customer", "payment", "token"];
/// The two orchestrators over one journal.
pub(crate) const ORCHESTRATORS: [&str; 2] = ["orchestrator-1", "orchestrator-2"];
/// Where the customers are.
pub(crate) const CUSTOMERS: &str = "customers";
/// Fewer than usual, so that there is less to simulate.
const PER_ADDRESS: usize = 2;

/// One line for each call of an orchestrator or a customer, as it ended.
pub(crate) type Trace = Arc<Mutex<Vec<String>>>;

/// Somebody who holds a seat.
#[derive(Debug, Clone)]
pub(crate) struct Buyer {
    pub(crate) customer: String,
    pub(crate) reservation: String,
}

/// The town under test.
#[derive(Debug)]
pub(crate) struct Town {
    pub(crate) db: Db,
    pub(crate) ids: Ids,
    clock: Arc<dyn Clock>,
    pub(crate) trace: Trace,
}

impl Town {
    /// A town with so many who hold seats. `seed` makes its ids.
    pub(crate) async fn found(seed: u64, buyers: usize) -> (Rc<Self>, Vec<Buyer>) {
        let clock: Arc<dyn Clock> = Arc::new(SimClock::default());
        let db = Db::open_inline(None, clock.clone()).expect("a database in memory opens");
        db.migrate("orchestrator", migrations::orchestrator::MIGRATIONS).await.expect("tables are made");
        let town = Rc::new(Self { db, ids: Ids::seeded(seed), clock, trace: Arc::default() });
        // What is there before the first host starts comes from services without a network.
        let host = town.host();
        let mut routes = Vec::new();
        for service in SERVICES {
            routes.push(start(service, &host, Client::new(Routes::default())).await.expect("a service starts"));
        }
        let [concert, customer] = [0, 1].map(|service| Participant::new(routes[service].clone()));
        let performance = hall::open(ConcertServiceClient::new(concert.clone()), Hall::default()).await;
        let mut all = Vec::new();
        for number in 0..buyers {
            all.push(town.buyer(&performance, number, (&concert, &customer)).await);
        }
        host.shut_down().await;
        (town, all)
    }

    async fn buyer(
        &self,
        performance: &str,
        number: usize,
        (concert, customer): (&Participant, &Participant),
    ) -> Buyer {
        let wanted = customer::Customer { display_name: "Kim".into(), ..Default::default() };
        let request = customer::CreateCustomerRequest { customer: Some(wanted), ..Default::default() };
        let created = CustomerServiceClient::new(customer.clone()).create_customer(request).await;
        let name = created.expect("a customer registers").into_inner().name;
        let request = customer::AdjustPointsRequest {
            customer: name.clone(),
            // Now and then too few.
            amount: if number % 5 == 4 { PRICE / 2 } else { PRICE * 2 },
            reason: "test".into(),
            request_id: self.ids.next(self.clock.now_ms()).to_string(),
        };
        PointServiceClient::new(customer.clone()).adjust_points(request).await.expect("points are given");
        let request = concert::CreateReservationRequest {
            customer: name.clone(),
            performance: performance.into(),
            seats: vec![format!("{performance}/seats/A-{number}")],
            request_id: self.ids.next(self.clock.now_ms()).to_string(),
            ..Default::default()
        };
        let held = ReservationServiceClient::new(concert.clone()).create_reservation(request).await;
        Buyer { customer: name, reservation: held.expect("the seat is free").into_inner().name }
    }

    /// Surroundings for one life of a host.
    fn host(&self) -> Host {
        Host::new(self.db.clone(), self.clock.clone(), self.ids.clone())
    }

    /// Gives every service and orchestrator a host in the simulation.
    pub(crate) fn inhabit(self: &Rc<Self>, sim: &mut Sim<'_>) {
        for service in SERVICES {
            let town = self.clone();
            sim.host(service, move || {
                let town = town.clone();
                async move {
                    let routes = start(service, &town.host(), Client::new(peer("token"))).await;
                    let routes = routes.map_err(|error| -> Box<dyn Error> { error })?;
                    serve(routes).await
                }
            });
        }
        for name in ORCHESTRATORS {
            let town = self.clone();
            sim.host(name, move || {
                let town = town.clone();
                async move { town.orchestrate(name).await }
            });
        }
    }

    async fn orchestrate(&self, name: &'static str) -> turmoil::Result {
        let host = self.host();
        let at = |service| {
            let inner = peer(service);
            (
                service,
                Participant::new(Traced { inner, caller: name, clock: self.clock.clone(), trace: self.trace.clone() }),
            )
        };
        let journal = Arc::new(SqlJournal::shared(self.db.clone(), LEASE));
        let participants = Participants::new(SERVICES.map(at));
        let started =
            orchestrator::start_with(&host, orchestrator::Config::default(), Plans::default(), participants, journal);
        serve(started.await?.grpc).await
    }
}

/// A way to a host.
pub(crate) fn peer(name: &'static str) -> Peer {
    let addresses: Addresses = toml_of(&format!("http://{name}:{PORT}"));
    Peer::over(Net, name, &addresses, Connections { per_address: PER_ADDRESS, ..Connections::default() })
}

fn toml_of(address: &str) -> Addresses {
    serde_json::from_value(address.into()).expect("it is an address")
}

async fn start(service: &str, host: &Host, token: Client) -> Result<Routes, BoxError> {
    Ok(match service {
        "concert" => {
            let config = concert_svc::Config::default();
            let (keys, held) = concert_svc::waiting_room::attend(host, token.clone()).await;
            let routes = concert_svc::start(host, config, keys, held).await?;
            concert_svc::waiting_room::tell_of_stock(host, &config, token);
            routes
        }
        "customer" => customer_svc::start(host, customer_svc::Config::default()).await?,
        "payment" => {
            let mut config = payment_svc::Config::default();
            config.platform.url = "http://platform.invalid".into();
            let payment = payment_svc::start(host, config.clone()).await?;
            Deliveries::new(host, &config, || Client::new(peer("customer")))?.beside(payment.routes)
        }
        _ => token_svc::start(host, token_svc::Config::default()).await?.routes,
    })
}

async fn serve(grpc: Routes) -> turmoil::Result {
    let served = Served { grpc, services: Vec::new(), http: None, descriptors: None };
    let server = Server::new(served, Limits::default()).await?;
    Ok(server.serve_streams(incoming().await?, CancellationToken::new()).await?)
}

/// A peer whose calls are noted as they end.
#[derive(Debug, Clone)]
struct Traced {
    inner: Peer,
    caller: &'static str,
    clock: Arc<dyn Clock>,
    trace: Trace,
}

impl tower::Service<Request<Body>> for Traced {
    type Response = Response<Body>;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Response<Body>, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let path = request.uri().path().to_owned();
        let answer = self.inner.call(request);
        let Self { caller, clock, trace, .. } = self.clone();
        Box::pin(async move {
            let sent = clock.now_ms();
            let answer = answer.await;
            let how = match &answer {
                Ok(answer) => format!("{:?}", answer.headers().get("grpc-status")),
                Err(error) => error.to_string(),
            };
            let line = format!("{sent} {} {caller} {path} {how}", clock.now_ms());
            trace.lock().expect("nobody panics with it").push(line);
            answer
        })
    }
}
