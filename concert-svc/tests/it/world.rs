//! The service with one concert on sale, and short ways to speak to it.

use std::path::Path;
use std::sync::Arc;

use concert_svc::{Config, HoldPlaced};
use proto::concert::v1 as pb;
use proto::concert::v1::concert_service_client::ConcertServiceClient;
use proto::concert::v1::reservation_service_client::ReservationServiceClient;
use service_kit::barrier::{SAGA_EPOCH, SAGA_STEP};
use service_kit::clock::ManualClock;
use service_kit::db::{self, Db};
use service_kit::host::Host;
use service_kit::ids::{self, Ids};
use service_kit::pass::{SigningKey, VerifyingKeys};
use service_kit::refusal::{self, SagaOutcome};
use service_kit::wire::timestamp;
use tokio::sync::mpsc;
use tonic::service::Routes;
use tonic::{Request, Status};
use uuid::Uuid;

pub(crate) const NOW_MS: i64 = 1_700_000_000_000;
pub(crate) const LOCK: &str = "lock-reservation";
pub(crate) const CONFIRM: &str = "confirm-reservation";
pub(crate) const BEGIN: &str = "begin-cancellation";
pub(crate) const COMMIT: &str = "commit-cancellation";

pub(crate) struct World {
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) host: Host,
    pub(crate) keys: VerifyingKeys,
    pub(crate) concerts: ConcertServiceClient<Routes>,
    pub(crate) reservations: ReservationServiceClient<Routes>,
    pub(crate) placed: mpsc::Receiver<HoldPlaced>,
    /// Name of the performance on sale; its seats are, 1,000 each, and F-1, which is free.
    pub(crate) performance: String,
}

/// A concert that is on sale for an hour from now on.
pub(crate) fn concert() -> pb::Concert {
    pb::Concert {
        title: "Winter".into(),
        artist: "Seo".into(),
        booking_open_time: Some(timestamp(NOW_MS)),
        booking_close_time: Some(timestamp(NOW_MS + 3_600_000)),
        ..Default::default()
    }
}

/// A customer, a saga, a payment … by number.
pub(crate) fn id(number: u128) -> Uuid {
    Uuid::from_u128(number)
}

pub(crate) fn customer(number: u128) -> String {
    format!("customers/{}", id(number))
}

pub(crate) fn seat(id: &str) -> pb::Seat {
    let (row, number) = id.split_once('-').unwrap();
    let price = if row == "F" { 0 } else { 1_000 };
    pb::Seat {
        name: id.into(),
        section: "Floor".into(),
        row: row.into(),
        number: number.into(),
        grade: "VIP".into(),
        price,
        ..Default::default()
    }
}

/// `ErrorInfo.reason` of a refusal.
pub(crate) fn reason<T: std::fmt::Debug>(answer: &Result<T, Status>) -> String {
    refusal::reason(answer.as_ref().unwrap_err()).unwrap()
}

/// Metadata of a refusal.
pub(crate) fn fact<T: std::fmt::Debug>(answer: &Result<T, Status>, key: &str) -> String {
    use tonic_types::StatusExt as _;
    let info = answer.as_ref().unwrap_err().get_details_error_info().unwrap();
    info.metadata[key].clone()
}

/// The reason of an answer that decides the saga.
pub(crate) fn refused<T: std::fmt::Debug>(answer: &Result<T, Status>) -> String {
    let outcome = SagaOutcome::of(answer.as_ref().unwrap_err());
    assert_eq!(outcome, Some(SagaOutcome::Refused), "{answer:?}");
    reason(answer)
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(concert()).await
    }

    /// With this concert on sale.
    pub(crate) async fn with(concert: pb::Concert) -> Self {
        let clock = Arc::new(ManualClock::at(NOW_MS));
        let db = testbed::db(clock.clone()).await;
        Self::over(db, clock, concert, Config::default()).await
    }

    /// With other limits than the default ones.
    pub(crate) async fn configured(config: Config) -> Self {
        let clock = Arc::new(ManualClock::at(NOW_MS));
        let db = testbed::db(clock.clone()).await;
        Self::over(db, clock, concert(), config).await
    }

    /// On a file, with the writer on a thread of its own.
    pub(crate) async fn threaded(directory: &Path, concert: pb::Concert) -> Self {
        let clock = Arc::new(ManualClock::at(NOW_MS));
        let db = testbed::threaded(directory, clock.clone()).await;
        Self::over(db, clock, concert, Config::default()).await
    }

    pub(crate) async fn over(db: Db, clock: Arc<ManualClock>, concert: pb::Concert, config: Config) -> Self {
        let host = Host::new(db, clock.clone(), Ids::seeded(7));
        let keys = VerifyingKeys::default();
        let (held, placed) = mpsc::channel(16);
        let routes = concert_svc::start(&host, config, keys.clone(), held).await.unwrap();
        let mut world = Self {
            clock,
            host,
            keys,
            concerts: ConcertServiceClient::new(routes.clone()),
            reservations: ReservationServiceClient::new(routes),
            placed,
            performance: String::new(),
        };
        world.performance = world.put_on_sale(concert).await;
        let seats: Vec<_> = (1..=8).map(|number| format!("A-{number}")).collect();
        let seats = seats.iter().map(String::as_str).chain(["F-1"]).map(seat).collect();
        world.create_seats(seats).await.unwrap();
        world
    }

    async fn put_on_sale(&mut self, concert: pb::Concert) -> String {
        let request = pb::CreateConcertRequest { concert: Some(concert), ..Default::default() };
        let name = self.concerts.create_concert(request).await.unwrap().into_inner().name;
        let publish = pb::PublishConcertRequest { name: name.clone(), etag: String::new() };
        self.concerts.publish_concert(publish).await.unwrap();
        self.create_performance(&name).await.unwrap().name
    }

    pub(crate) async fn create_performance(&self, concert: &str) -> Result<pb::Performance, Status> {
        let request = pb::CreatePerformanceRequest {
            parent: concert.into(),
            performance: Some(pb::Performance {
                start_time: Some(timestamp(NOW_MS + 86_400_000)),
                venue: "Hall".into(),
                ..Default::default()
            }),
            ..Default::default()
        };
        Ok(self.concerts.clone().create_performance(request).await?.into_inner())
    }

    pub(crate) async fn create_seats(&self, seats: Vec<pb::Seat>) -> Result<Vec<pb::Seat>, Status> {
        let request =
            pb::BatchCreateSeatsRequest { parent: self.performance.clone(), seats, request_id: String::new() };
        Ok(self.concerts.clone().batch_create_seats(request).await?.into_inner().seats)
    }

    pub(crate) fn order(&self, number: u128, seats: &[&str]) -> pb::CreateReservationRequest {
        let name = |seat: &&str| format!("{}/seats/{seat}", self.performance);
        pb::CreateReservationRequest {
            customer: customer(number),
            performance: self.performance.clone(),
            seats: seats.iter().map(name).collect(),
            ..Default::default()
        }
    }

    pub(crate) async fn place(&self, order: pb::CreateReservationRequest) -> Result<pb::Reservation, Status> {
        Ok(self.reservations.clone().create_reservation(order).await?.into_inner())
    }

    /// A customer holds the seats.
    pub(crate) async fn hold(&self, number: u128, seats: &[&str]) -> Result<pb::Reservation, Status> {
        self.place(self.order(number, seats)).await
    }

    pub(crate) async fn release(&self, number: u128, held: &pb::Reservation) -> Result<pb::Reservation, Status> {
        let request = pb::ReleaseReservationRequest { name: held.name.clone(), customer: customer(number) };
        Ok(self.reservations.clone().release_reservation(request).await?.into_inner())
    }

    pub(crate) fn lock_request(saga: u128, held: &pb::Reservation) -> pb::LockReservationRequest {
        pb::LockReservationRequest {
            name: held.name.clone(),
            customer: held.customer.clone(),
            saga: format!("sagas/{}", id(saga)),
            expected_total_amount: None,
            request_id: ids::operation_id(id(saga), LOCK, "forward").to_string(),
        }
    }

    pub(crate) async fn lock(&self, saga: u128, held: &pb::Reservation) -> Result<pb::LockReservationResponse, Status> {
        self.lock_with(Self::lock_request(saga, held)).await
    }

    pub(crate) async fn lock_with(
        &self,
        request: pb::LockReservationRequest,
    ) -> Result<pb::LockReservationResponse, Status> {
        let request = step(LOCK, request);
        Ok(self.reservations.clone().lock_reservation(request).await?.into_inner())
    }

    pub(crate) async fn unlock(
        &self,
        saga: u128,
        held: &pb::Reservation,
    ) -> Result<pb::UnlockReservationResponse, Status> {
        let request = pb::UnlockReservationRequest {
            name: held.name.clone(),
            saga: format!("sagas/{}", id(saga)),
            request_id: ids::operation_id(id(saga), LOCK, "compensate").to_string(),
        };
        Ok(self.reservations.clone().unlock_reservation(step(LOCK, request)).await?.into_inner())
    }

    /// The saga confirms; paid by the payment of that number, free without one.
    pub(crate) async fn confirm(
        &self,
        saga: u128,
        held: &pb::Reservation,
        payment: Option<u128>,
    ) -> Result<pb::ConfirmReservationResponse, Status> {
        let request = pb::ConfirmReservationRequest {
            name: held.name.clone(),
            saga: format!("sagas/{}", id(saga)),
            payment: payment.map(|number| format!("payments/{}", id(number))).unwrap_or_default(),
            request_id: ids::operation_id(id(saga), CONFIRM, "forward").to_string(),
        };
        let request = step(CONFIRM, request);
        Ok(self.reservations.clone().confirm_reservation(request).await?.into_inner())
    }

    /// A customer has bought the seats, by a saga and a payment of his number; free seats cost no payment.
    pub(crate) async fn buy(&self, number: u128, seats: &[&str]) -> pb::Reservation {
        let held = self.hold(number, seats).await.unwrap();
        self.lock(number, &held).await.unwrap();
        let payment = Some(number).filter(|_| held.total_amount > 0);
        self.confirm(number, &held, payment).await.unwrap().reservation.unwrap()
    }

    pub(crate) fn begin_request(saga: u128, sold: &pb::Reservation) -> pb::BeginReservationCancellationRequest {
        pb::BeginReservationCancellationRequest {
            name: sold.name.clone(),
            customer: sold.customer.clone(),
            saga: format!("sagas/{}", id(saga)),
            waive_fee: false,
            request_id: ids::operation_id(id(saga), BEGIN, "forward").to_string(),
        }
    }

    pub(crate) async fn begin(
        &self,
        saga: u128,
        sold: &pb::Reservation,
    ) -> Result<pb::BeginReservationCancellationResponse, Status> {
        self.begin_with(Self::begin_request(saga, sold)).await
    }

    pub(crate) async fn begin_with(
        &self,
        request: pb::BeginReservationCancellationRequest,
    ) -> Result<pb::BeginReservationCancellationResponse, Status> {
        let request = step(BEGIN, request);
        Ok(self.reservations.clone().begin_reservation_cancellation(request).await?.into_inner())
    }

    pub(crate) async fn abort(
        &self,
        saga: u128,
        sold: &pb::Reservation,
    ) -> Result<pb::AbortReservationCancellationResponse, Status> {
        let request = pb::AbortReservationCancellationRequest {
            name: sold.name.clone(),
            saga: format!("sagas/{}", id(saga)),
            request_id: ids::operation_id(id(saga), BEGIN, "compensate").to_string(),
        };
        let request = step(BEGIN, request);
        Ok(self.reservations.clone().abort_reservation_cancellation(request).await?.into_inner())
    }

    pub(crate) async fn commit(
        &self,
        saga: u128,
        sold: &pb::Reservation,
    ) -> Result<pb::CommitReservationCancellationResponse, Status> {
        let request = pb::CommitReservationCancellationRequest {
            name: sold.name.clone(),
            saga: format!("sagas/{}", id(saga)),
            request_id: ids::operation_id(id(saga), COMMIT, "forward").to_string(),
        };
        let request = step(COMMIT, request);
        Ok(self.reservations.clone().commit_reservation_cancellation(request).await?.into_inner())
    }

    pub(crate) async fn tickets(&self, sold: &pb::Reservation) -> Vec<pb::Ticket> {
        let request = pb::ListTicketsRequest { parent: sold.name.clone(), ..Default::default() };
        self.reservations.clone().list_tickets(request).await.unwrap().into_inner().tickets
    }

    pub(crate) async fn check_in(&self, ticket: &pb::Ticket, request: u128) -> Result<pb::Ticket, Status> {
        let request_id = if request == 0 { String::new() } else { id(request).to_string() };
        let request = pb::CheckInTicketRequest { name: ticket.name.clone(), request_id };
        Ok(self.reservations.clone().check_in_ticket(request).await?.into_inner())
    }

    pub(crate) fn cancel_request(&self) -> pb::CancelPerformanceRequest {
        pb::CancelPerformanceRequest {
            name: self.performance.clone(),
            reason: "The singer is ill.".into(),
            ..Default::default()
        }
    }

    pub(crate) async fn cancel_performance(
        &self,
        request: pb::CancelPerformanceRequest,
    ) -> Result<pb::Performance, Status> {
        Ok(self.concerts.clone().cancel_performance(request).await?.into_inner())
    }

    /// What is left to give back of cancelled performances, page by page.
    pub(crate) async fn to_cancel(&self, page_size: i32) -> Vec<pb::Reservation> {
        let mut all = Vec::new();
        let mut page_token = String::new();
        loop {
            let request = pb::ListReservationsToCancelRequest { page_size, page_token };
            let page = self.reservations.clone().list_reservations_to_cancel(request).await.unwrap().into_inner();
            assert!(page.reservations.len() <= page_size as usize);
            all.extend(page.reservations);
            page_token = page.next_page_token;
            if page_token.is_empty() {
                return all;
            }
        }
    }

    /// The performances start so many days later than a day from now, which is when they would.
    pub(crate) async fn postpone(&self, days: i64) {
        let work = async move |tx: &mut db::Tx<'_>| {
            let sql = "update concert_performances set start_time = start_time + $1";
            tx.execute(sql, service_kit::args![days * 86_400_000]).await
        };
        self.host.db.write(work).await.unwrap();
    }

    pub(crate) async fn reservation(&self, held: &pb::Reservation) -> pb::Reservation {
        let request = pb::GetReservationRequest { name: held.name.clone() };
        self.reservations.clone().get_reservation(request).await.unwrap().into_inner()
    }

    pub(crate) async fn state(&self, held: &pb::Reservation) -> pb::reservation::State {
        self.reservation(held).await.state()
    }

    /// The states of all seats by ordinal: one of `.` available, `h` held, `S` sold, `x` blocked.
    pub(crate) async fn seats(&self) -> String {
        let request = pb::ListSeatsRequest { parent: self.performance.clone(), ..Default::default() };
        let seats = self.concerts.clone().list_seats(request).await.unwrap().into_inner().seats;
        let letter = |seat: &pb::Seat| match seat.state() {
            pb::seat::State::Available => '.',
            pb::seat::State::Held => 'h',
            pb::seat::State::Sold => 'S',
            pb::seat::State::Blocked => 'x',
            pb::seat::State::Unspecified => '?',
        };
        seats.iter().map(letter).collect()
    }

    pub(crate) async fn sweep(&self) -> u64 {
        concert_svc::jobs::sweep(&self.host.db, 2, true).await.unwrap()
    }

    /// Signs passes that the service accepts.
    pub(crate) fn trusted_key(&self) -> SigningKey {
        let key = SigningKey::seeded("a", &[1; 32]);
        self.keys.trust(&key);
        key
    }

    pub(crate) async fn run(&self, sql: &'static str) {
        let work = async move |tx: &mut db::Tx<'_>| tx.execute(sql, &[]).await;
        self.host.db.write(work).await.unwrap();
    }

    /// Every rule of the tables holds.
    pub(crate) async fn verify(&self) {
        for check in concert_svc::verify::CHECKS {
            let findings = self.host.db.read(async move |tx| check.findings(tx).await).await;
            assert_eq!(findings.unwrap(), [], "{}: {}", check.id, check.rule);
        }
    }
}

/// A request of a saga's step.
pub(crate) fn step<M>(step: &'static str, message: M) -> Request<M> {
    let mut request = Request::new(message);
    request.metadata_mut().insert(SAGA_STEP, step.parse().unwrap());
    request.metadata_mut().insert(SAGA_EPOCH, "1".parse().unwrap());
    request
}
