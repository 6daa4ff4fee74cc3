//! A waiting room in one process, the sale behind it in another: passes are checked with keys that were fetched, and the
//! place in line outlives the hold.

use std::time::Duration;

use proto::concert::v1 as concert;
use proto::concert::v1::concert_service_client::ConcertServiceClient;
use proto::concert::v1::reservation_service_client::ReservationServiceClient;
use proto::customer::v1 as customer;
use proto::customer::v1::customer_service_client::CustomerServiceClient;
use proto::token::v1 as token;
use proto::token::v1::queue_token_service_client::QueueTokenServiceClient;
use proto::token::v1::waiting_room_service_client::WaitingRoomServiceClient;
use service_kit::clock::{Clock as _, SystemClock};
use service_kit::wire::{duration, millis, timestamp};
use tokio::time::{Instant, sleep};
use tonic::transport::Channel;
use tonic::{Code, Response, Status};

use super::Services;

const PATIENCE: Duration = Duration::from_secs(20);
const HOUR_MS: i64 = 3_600_000;
/// Longer than a token lasts by itself.
const HOLD_MS: i64 = 900_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pass_of_another_process_admits_and_its_token_outlives_the_hold() {
    let mut services = Services::start().await;
    let sale = Sale::open(&services).await;
    let issued = sale.turn_comes(&services.channel("token").await).await;
    let hold = sale.hold(&services.channel("concert").await, 0, &issued.admission_pass).await.unwrap();
    let wanted = millis(hold.expire_time.unwrap());
    assert!(millis(issued.expire_time.unwrap()) < wanted, "the token would lapse before the hold");
    let started = Instant::now();
    loop {
        match sale.token(&services.channel("token").await, &issued.name).await {
            Ok(token) if millis(token.expire_time.unwrap()) > wanted => break,
            Ok(_) => {}
            // Whoever asks too often is told when to ask again.
            Err(status) => assert_eq!(status.code(), Code::ResourceExhausted, "{status:?}"),
        }
        assert!(started.elapsed() < PATIENCE, "the token does not outlive the hold");
        sleep(Duration::from_millis(200)).await;
    }

    // Without its keys nobody can tell a genuine pass from another, so nobody is told that his is none.
    let (token_at, concert_at) = (services.kill("token"), services.kill("concert"));
    services.start_again("concert", &concert_at).await;
    let concerts = services.channel("concert").await;
    let status = sale.hold(&concerts, 1, &issued.admission_pass).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable, "{status:?}");
    services.start_again("token", &token_at).await;
    let started = Instant::now();
    while let Err(status) = sale.hold(&concerts, 1, &issued.admission_pass).await {
        assert_eq!(status.code(), Code::Unavailable, "{status:?}");
        assert!(started.elapsed() < PATIENCE, "{status:?}");
        sleep(Duration::from_millis(20)).await;
    }
    let status = sale.hold(&concerts, 2, "no.pass.atall").await.unwrap_err();
    assert_eq!(status.code(), Code::Unauthenticated, "{status:?}");
    services.end().await;
}

/// A performance behind a waiting room, and somebody who wants to go there.
struct Sale {
    room: String,
    performance: String,
    customer: String,
}

impl Sale {
    async fn open(services: &Services) -> Self {
        let now_ms = SystemClock.now_ms();
        let room = token::WaitingRoom {
            open_time: Some(timestamp(now_ms - HOUR_MS)),
            close_time: Some(timestamp(now_ms + HOUR_MS)),
            max_active_tokens: 10,
            admissions_per_second: 10.0,
            ..Default::default()
        };
        let request = token::CreateWaitingRoomRequest { waiting_room: Some(room), ..Default::default() };
        let mut rooms = WaitingRoomServiceClient::new(services.channel("token").await);
        let room = rooms.create_waiting_room(request).await.unwrap().into_inner().name;
        let performance = show(services.channel("concert").await, &room).await;
        let wanted = customer::Customer { display_name: "Kim".into(), ..Default::default() };
        let request = customer::CreateCustomerRequest { customer: Some(wanted), ..Default::default() };
        let mut customers = CustomerServiceClient::new(services.channel("customer").await);
        let customer = customers.create_customer(request).await.unwrap().into_inner().name;
        Self { room, performance, customer }
    }

    async fn token(&self, tokens: &Channel, name: &str) -> Result<token::QueueToken, Status> {
        let request = token::GetQueueTokenRequest { name: name.to_owned() };
        QueueTokenServiceClient::new(tokens.clone()).get_queue_token(request).await.map(Response::into_inner)
    }

    /// Takes a place and waits for the turn.
    async fn turn_comes(&self, tokens: &Channel) -> token::QueueToken {
        let (parent, customer) = (self.room.clone(), self.customer.clone());
        let request = token::IssueQueueTokenRequest { parent, customer, ..Default::default() };
        let issued = QueueTokenServiceClient::new(tokens.clone()).issue_queue_token(request).await;
        let name = issued.unwrap().into_inner().name;
        let started = Instant::now();
        loop {
            match self.token(tokens, &name).await {
                Ok(token) if token.state() == token::queue_token::State::Active => return token,
                Ok(_) => {}
                Err(status) => assert_eq!(status.code(), Code::ResourceExhausted, "{status:?}"),
            }
            assert!(started.elapsed() < PATIENCE, "the turn does not come");
            sleep(Duration::from_millis(200)).await;
        }
    }

    async fn hold(&self, concerts: &Channel, seat: usize, pass: &str) -> Result<concert::Reservation, Status> {
        let request = concert::CreateReservationRequest {
            customer: self.customer.clone(),
            performance: self.performance.clone(),
            seats: vec![format!("{}/seats/S-{seat}", self.performance)],
            admission_pass: pass.to_owned(),
            ..Default::default()
        };
        let held = ReservationServiceClient::new(concerts.clone()).create_reservation(request).await;
        held.map(Response::into_inner)
    }
}

/// The name of a performance with three seats.
async fn show(concerts: Channel, room: &str) -> String {
    let mut client = ConcertServiceClient::new(concerts);
    let now_ms = SystemClock.now_ms();
    let wanted = concert::Concert {
        title: "Winter Night".into(),
        artist: "The Northern Lights".into(),
        booking_open_time: Some(timestamp(now_ms - HOUR_MS)),
        booking_close_time: Some(timestamp(now_ms + HOUR_MS)),
        waiting_room: room.to_owned(),
        booking_policy: Some(concert::BookingPolicy {
            hold_ttl: Some(duration(HOLD_MS)),
            max_live_reservations_per_customer: 10,
            max_seats_per_customer: 10,
            ..Default::default()
        }),
        ..Default::default()
    };
    let request = concert::CreateConcertRequest { concert: Some(wanted), ..Default::default() };
    let parent = client.create_concert(request).await.unwrap().into_inner().name;
    let published = concert::PublishConcertRequest { name: parent.clone(), ..Default::default() };
    client.publish_concert(published).await.unwrap();
    let evening = concert::Performance { start_time: Some(timestamp(now_ms + 30 * HOUR_MS)), ..Default::default() };
    let request = concert::CreatePerformanceRequest { parent, performance: Some(evening), ..Default::default() };
    let parent = client.create_performance(request).await.unwrap().into_inner().name;
    let seat =
        |number| concert::Seat { name: format!("S-{number}"), grade: "VIP".into(), price: 1_000, ..Default::default() };
    let seats = concert::BatchCreateSeatsRequest {
        parent: parent.clone(),
        seats: (0..3).map(seat).collect(),
        ..Default::default()
    };
    client.batch_create_seats(seats).await.unwrap();
    parent
}
