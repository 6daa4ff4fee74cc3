//! A small world to buy tickets in.

use std::sync::Arc;
use std::time::Duration;

use orchestrator::Started;
use orchestrator::journal::{Journal as _, LEASE, Query, SqlJournal};
use orchestrator::participants::{Participant, Participants};
use orchestrator::plans::Plans;
use outside::processor::{Arguments, Processor};
use payment_svc::deliver::Deliveries;
use proto::concert::v1 as concert;
use proto::concert::v1::reservation_service_client::ReservationServiceClient;
use proto::customer::v1 as customer;
use proto::customer::v1::customer_service_client::CustomerServiceClient;
use proto::customer::v1::point_service_client::PointServiceClient;
use proto::orchestrator::v1::checkout_service_client::CheckoutServiceClient;
use proto::orchestrator::v1::saga_service_client::SagaServiceClient;
use proto::orchestrator::v1::{Checkout, CreateCheckoutRequest, GetCheckoutRequest, GetSagaRequest, Saga};
use proto::payment::v1::payment::Method;
use service_kit::clock::{Clock, RuntimeClock};
use service_kit::db::Db;
use service_kit::host::Host;
use service_kit::ids::Ids;
use service_kit::peer::Client;
use service_kit::wire::duration;
use skald::verify::{Books, Report};
use tonic::service::Routes;
use tonic::{Response, Status};
use uuid::Uuid;

use crate::outside::Told;
use crate::{CrashPoint, Crashing, Faults, Hall};

/// When the world begins.
pub const NOW_MS: i64 = 1_800_000_000_000;
/// A data platform that nobody asks: deliveries to it are made, and none is sent.
const PLATFORM: &str = "http://platform.invalid";
/// What every seat costs.
pub const PRICE: i64 = 50_000;

/// The four services, as clients reach them.
struct Services {
    host: Host,
    concert: Participant,
    customer: Participant,
    payment: Participant,
    token: Participant,
    deliveries: Deliveries,
    /// Who is told outside, if anybody is.
    _told: Option<Told>,
}

/// One life of the orchestrator.
struct Life {
    host: Host,
    journal: Arc<Crashing>,
    started: Started,
    face: Participant,
}

/// A world that is no more does not go on behind the next one of its test.
impl Drop for Services {
    fn drop(&mut self) {
        self.host.stop.cancel();
    }
}

impl Drop for Life {
    fn drop(&mut self) {
        self.host.stop.cancel();
    }
}

/// The system under test.
pub struct World {
    /// The one database.
    pub db: Db,
    /// What happens to calls of the orchestrator.
    pub faults: Faults,
    /// The processor of cards, if there is one.
    pub processor: Option<Processor>,
    /// The sagas that the next life of the orchestrator knows.
    pub plans: Plans,
    clock: Arc<dyn Clock>,
    ids: Ids,
    services: Services,
    life: Life,
    performance: String,
}

/// A customer who holds a seat.
#[derive(Debug, Clone)]
pub struct Held {
    /// `customers/{uuid}`.
    pub customer: String,
    /// `reservations/{uuid}`.
    pub reservation: String,
}

impl World {
    /// A world with one performance on sale. Expects a runtime of one thread whose time is paused.
    pub async fn new() -> Self {
        Self::with(CrashPoint::Never).await
    }

    /// The same, with an orchestrator that dies at `point`.
    pub async fn with(point: CrashPoint) -> Self {
        Self::beside(None, point).await
    }

    /// The same, with a processor of cards outside.
    pub async fn with_cards(point: CrashPoint) -> Self {
        let processor = Processor::start(Arguments::loopback(7)).await.expect("a port is free");
        Self::beside(Some(processor), point).await
    }

    /// The same with everybody who is there outside; see [`World::publish`].
    pub async fn whole() -> Self {
        let processor = Processor::start(Arguments::loopback(7)).await.expect("a port is free");
        let clock: Arc<dyn Clock> = Arc::new(RuntimeClock::at(NOW_MS));
        let told = Told::start(clock.clone()).await;
        Self::around(clock, (Some(processor), Some(told)), CrashPoint::Never).await
    }

    async fn beside(processor: Option<Processor>, point: CrashPoint) -> Self {
        Self::around(Arc::new(RuntimeClock::at(NOW_MS)), (processor, None), point).await
    }

    async fn around(
        clock: Arc<dyn Clock>,
        (processor, told): (Option<Processor>, Option<Told>),
        point: CrashPoint,
    ) -> Self {
        let plans = Plans::default();
        let db = testbed::db(clock.clone()).await;
        let ids = Ids::seeded(7);
        let host = Host::new(db.clone(), clock.clone(), ids.clone());
        let token = token_svc::start(&host, token_svc::Config::default()).await.expect("token-svc starts");
        let concert = concert(&host, Client::new(token.routes.clone())).await;
        let customer = customer_svc::start(&host, customer_svc::Config::default()).await;
        let url = processor.as_ref().map(Processor::url).unwrap_or_default();
        let customer = customer.expect("customer-svc starts");
        let mut config = payment_svc::Config { processor: url, ..payment_svc::Config::default() };
        config.platform.url = told.as_ref().map_or_else(|| PLATFORM.into(), Told::platform);
        config.messenger.url = told.as_ref().map(Told::messenger).unwrap_or_default();
        let payment = payment_svc::start(&host, config.clone()).await.expect("payment-svc starts");
        let deliveries = Deliveries::new(&host, &config, || Client::new(customer.clone())).expect("addresses are some");
        let services = Services {
            host,
            concert: Participant::new(concert),
            customer: Participant::new(customer),
            payment: Participant::new(deliveries.beside(payment.routes)),
            token: Participant::new(token.routes),
            deliveries,
            _told: told,
        };
        db.migrate("orchestrator", migrations()).await.expect("the orchestrator's tables are made");
        let faults = Faults::default();
        let life = live(&db, &clock, (&ids, &plans), (&services, &faults), point).await;
        let mut world = Self { db, faults, processor, plans, clock, ids, services, life, performance: String::new() };
        world.performance = world.open(Hall::default()).await;
        world
    }

    /// The orchestrator dies here and now, if it has not yet, and another one starts.
    pub async fn restart(&mut self) {
        self.life.journal.dead.cancel();
        self.life.host.stop.cancel();
        let parts = (&self.services, &self.faults);
        self.life = live(&self.db, &self.clock, (&self.ids, &self.plans), parts, CrashPoint::Never).await;
    }

    /// Waits until the orchestrator dies at its point, or says that it will not.
    pub async fn dies(&self) -> bool {
        tokio::time::timeout(Duration::from_secs(100), self.life.journal.dead.cancelled()).await.is_ok()
    }

    /// How often this life of the orchestrator has written.
    pub fn writes(&self) -> usize {
        self.life.journal.writes()
    }

    /// The runner of this life.
    pub fn started(&self) -> &Started {
        &self.life.started
    }

    /// A new id.
    pub fn id(&self) -> Uuid {
        self.ids.next(self.clock.now_ms())
    }

    /// Whoever serves the methods of a package such as `ticketing.concert.v1`, past the faults.
    pub fn server(&self, package: &str) -> Participant {
        let server = match package {
            "ticketing.concert.v1" => &self.services.concert,
            "ticketing.customer.v1" => &self.services.customer,
            "ticketing.payment.v1" => &self.services.payment,
            "ticketing.token.v1" => &self.services.token,
            _ => &self.life.face,
        };
        server.clone()
    }

    /// What is sent outside, of the events that a test hands in; none of it goes out.
    pub fn deliveries(&self) -> &Deliveries {
        &self.services.deliveries
    }

    /// What the services live in.
    pub(crate) fn host(&self) -> &Host {
        &self.services.host
    }

    /// The one performance: `concerts/{uuid}/performances/{uuid}`.
    pub fn performance(&self) -> &str {
        &self.performance
    }

    /// A client of the checkouts.
    pub fn checkouts(&self) -> CheckoutServiceClient<Participant> {
        CheckoutServiceClient::new(self.life.face.clone())
    }

    /// A client of the sagas.
    pub fn sagas(&self) -> SagaServiceClient<Participant> {
        SagaServiceClient::new(self.life.face.clone())
    }

    /// A client of the reservations, past the faults.
    pub fn reservations(&self) -> ReservationServiceClient<Participant> {
        ReservationServiceClient::new(self.services.concert.clone())
    }

    /// A client of the points, past the faults.
    pub fn points(&self) -> PointServiceClient<Participant> {
        PointServiceClient::new(self.services.customer.clone())
    }

    /// A new customer with so many points.
    pub async fn customer(&self, points: i64) -> String {
        let wanted = customer::Customer { display_name: "Kim".into(), ..Default::default() };
        let request = customer::CreateCustomerRequest { customer: Some(wanted), ..Default::default() };
        let mut client = CustomerServiceClient::new(self.services.customer.clone());
        let name = client.create_customer(request).await.expect("a customer registers").into_inner().name;
        if points > 0 {
            self.give(&name, points).await;
        }
        name
    }

    /// Gives a customer points, or takes them.
    pub async fn give(&self, customer: &str, points: i64) {
        let request = customer::AdjustPointsRequest {
            customer: customer.into(),
            amount: points,
            reason: "test".into(),
            request_id: self.id().to_string(),
        };
        self.points().adjust_points(request).await.expect("points are given");
    }

    /// Points that a customer can spend.
    pub async fn available(&self, customer: &str) -> i64 {
        let request = customer::GetPointAccountRequest { name: format!("{customer}/pointAccount") };
        self.points().get_point_account(request).await.expect("the account is there").into_inner().available_balance
    }

    /// Holds a seat, `A-0` to `A-19`.
    pub async fn hold(&self, customer: &str, seat: usize) -> Result<String, Status> {
        self.hold_at(&self.performance, customer, seat).await
    }

    /// Holds a seat of a performance.
    pub async fn hold_at(&self, performance: &str, customer: &str, seat: usize) -> Result<String, Status> {
        self.hold_with("", performance, customer, seat).await
    }

    /// The same with an admission pass.
    pub async fn hold_with(
        &self,
        admission_pass: &str,
        performance: &str,
        customer: &str,
        seat: usize,
    ) -> Result<String, Status> {
        let request = concert::CreateReservationRequest {
            customer: customer.into(),
            performance: performance.into(),
            seats: vec![format!("{performance}/seats/A-{seat}")],
            admission_pass: admission_pass.into(),
            request_id: self.id().to_string(),
        };
        self.reservations().create_reservation(request).await.map(|held| held.into_inner().name)
    }

    /// A customer with enough points who holds a seat.
    pub async fn held(&self, seat: usize) -> Held {
        let customer = self.customer(PRICE * 2).await;
        let reservation = self.hold(&customer, seat).await.expect("the seat is free");
        Held { customer, reservation }
    }

    /// The state of a reservation.
    pub async fn reservation(&self, name: &str) -> concert::Reservation {
        let request = concert::GetReservationRequest { name: name.into() };
        self.reservations().get_reservation(request).await.expect("the reservation is there").into_inner()
    }

    /// What a customer sends to buy what he holds.
    pub fn order(&self, held: &Held) -> CreateCheckoutRequest {
        let checkout = Checkout {
            customer: held.customer.clone(),
            reservation: held.reservation.clone(),
            payment_method: Method::Point.into(),
            ..Default::default()
        };
        CreateCheckoutRequest {
            checkout: Some(checkout),
            wait: Some(duration(30_000)),
            request_id: self.id().to_string(),
            ..Default::default()
        }
    }

    /// Sends an order.
    pub async fn send(&self, order: CreateCheckoutRequest) -> Result<Checkout, Status> {
        self.checkouts().create_checkout(order).await.map(Response::into_inner)
    }

    /// Buys, and waits until all is over.
    pub async fn buy(&self, held: &Held) -> Checkout {
        let checkout = self.send(self.order(held)).await.expect("the order is accepted");
        self.settle().await;
        self.checkout(&checkout.name).await
    }

    /// A checkout as it stands.
    pub async fn checkout(&self, name: &str) -> Checkout {
        let request = GetCheckoutRequest { name: name.into() };
        self.checkouts().get_checkout(request).await.expect("the checkout is there").into_inner()
    }

    /// The saga of a resource as it stands.
    pub async fn saga(&self, resource: &str) -> Saga {
        let id = resource.split('/').next_back().expect("a name has an id");
        let name = format!("sagas/{id}");
        self.sagas().get_saga(GetSagaRequest { name }).await.expect("the saga is there").into_inner()
    }

    /// Waits until no saga is under way any more; parked ones do not count.
    #[expect(clippy::panic, reason = "a story without an end fails")]
    pub async fn settle(&self) {
        for _ in 0..3_600 {
            let all = self.life.journal.list(&Query { limit: 1000, ..Query::default() }).await;
            let open = all.expect("the journal can be listed");
            if open.iter().all(|record| record.saga.is_terminal() || record.saga.is_suspended()) {
                return;
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        panic!("some saga is still open after an hour");
    }

    /// Waits until whatever is still on its way has arrived.
    pub async fn late_messages_arrive(&self) {
        tokio::time::sleep(Duration::from_secs(150)).await;
        self.settle().await;
    }

    /// Checks all books.
    pub async fn verify(&self) {
        let report = self.report().await;
        assert!(report.is_clean(), "{report}");
    }

    /// What a check of all books finds.
    pub async fn report(&self) -> Report {
        skald::verify::check(&Books::in_one(&self.db)).await.expect("the database can be read")
    }
}

async fn concert(host: &Host, waiting_room: Client) -> Routes {
    let config = concert_svc::Config::default();
    let (keys, held) = concert_svc::waiting_room::attend(host, waiting_room.clone()).await;
    let routes = concert_svc::start(host, config, keys, held).await.expect("concert-svc starts");
    concert_svc::waiting_room::tell_of_stock(host, &config, waiting_room);
    routes
}

fn migrations() -> &'static [service_kit::db::Migration] {
    migrations::orchestrator::MIGRATIONS
}

/// Starts an orchestrator over `db`, with faults between it and the services.
async fn live(
    db: &Db,
    clock: &Arc<dyn Clock>,
    (ids, plans): (&Ids, &Plans),
    (services, faults): (&Services, &Faults),
    point: CrashPoint,
) -> Life {
    let host = Host::new(db.clone(), clock.clone(), ids.clone());
    let participants = Participants::new([
        ("concert", faults.wrap(services.concert.clone())),
        ("customer", faults.wrap(services.customer.clone())),
        ("payment", faults.wrap(services.payment.clone())),
        ("token", faults.wrap(services.token.clone())),
    ]);
    let journal = Arc::new(Crashing::new(Arc::new(SqlJournal::new(db.clone(), LEASE)), point));
    let config = orchestrator::Config::default();
    let started = orchestrator::start_with(&host, config, plans.clone(), participants, journal.clone()).await;
    let started = started.expect("the orchestrator starts");
    let face = Participant::new(started.grpc.clone());
    Life { host, journal, started, face }
}
