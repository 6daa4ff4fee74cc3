//! A concert on sale and whoever buys there, as clients of one life after the other. A call that fails is told to the
//! caller: the other side may die at any time.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use proto::concert::v1 as concert;
use proto::concert::v1::concert_service_client::ConcertServiceClient;
use proto::concert::v1::reservation_service_client::ReservationServiceClient;
use proto::customer::v1 as customer;
use proto::customer::v1::customer_service_client::CustomerServiceClient;
use proto::customer::v1::point_service_client::PointServiceClient;
use proto::token::v1 as token;
use proto::token::v1::queue_token_service_client::QueueTokenServiceClient;
use proto::token::v1::waiting_room_service_client::WaitingRoomServiceClient;
use service_kit::clock::{Clock as _, SystemClock};
use service_kit::ids::Ids;
use service_kit::wire::{duration, timestamp};
use tonic::transport::Channel;
use tonic::{Code, Status};

/// What a seat costs.
pub(crate) const PRICE: i64 = 50_000;
/// Seats of a performance: more than any run of the matrix has stories.
const SEATS: usize = 3_000;
/// Seats of one call: a message may have 64 KiB.
const BATCH: usize = 400;
const DAY_MS: i64 = 86_400_000;
/// Looks at a place in the waiting room until it is admitted.
const LOOKS: usize = 400;

/// What there is to buy; it outlives the lives of the process.
#[derive(Debug)]
pub(crate) struct Stage {
    ids: Ids,
    /// `concerts/{uuid}/performances/{uuid}`.
    pub(crate) performance: String,
    /// One of a concert behind a waiting room.
    behind: String,
    /// `waitingRooms/{uuid}`.
    room: String,
    next_seat: AtomicUsize,
}

/// A customer who holds a seat.
#[derive(Debug, Clone, Default)]
pub(crate) struct Held {
    /// `customers/{uuid}`.
    pub(crate) customer: String,
    /// `reservations/{uuid}`.
    pub(crate) reservation: String,
    /// `waitingRooms/{uuid}/queueTokens/{uuid}`, or empty.
    pub(crate) queue_token: String,
    /// Which performance, where it matters.
    pub(crate) performance: String,
    /// Ids of requests that are still to be sent.
    pub(crate) ids: [String; 2],
    /// Which seat he wants.
    pub(crate) seat: usize,
}

impl Stage {
    /// Opens everything.
    pub(crate) async fn open(channel: &Channel, seed: u64) -> Result<Self, Status> {
        let ids = Ids::seeded(seed);
        let wanted = token::WaitingRoom {
            open_time: Some(timestamp(SystemClock.now_ms() - 1_000)),
            max_active_tokens: 1_000,
            admissions_per_second: 1_000.0,
            ..Default::default()
        };
        let request = token::CreateWaitingRoomRequest { waiting_room: Some(wanted), ..Default::default() };
        let mut rooms = WaitingRoomServiceClient::new(channel.clone());
        let room = rooms.create_waiting_room(request).await?.into_inner().name;
        let performance = open(channel, "", SEATS).await?;
        let behind = open(channel, &room, SEATS).await?;
        Ok(Self { ids, performance, behind, room, next_seat: AtomicUsize::new(0) })
    }

    /// A new id.
    pub(crate) fn id(&self) -> String {
        self.ids.next(SystemClock.now_ms()).to_string()
    }

    /// A seat that nobody has asked for.
    pub(crate) fn seat(&self) -> usize {
        self.next_seat.fetch_add(1, Ordering::Relaxed)
    }

    /// Makes sure that so many seats are left.
    pub(crate) async fn renew(&mut self, channel: &Channel, seats: usize) -> Result<(), Status> {
        if self.next_seat.load(Ordering::Relaxed) + seats > SEATS {
            self.performance = open(channel, "", SEATS).await?;
            self.behind = open(channel, &self.room, SEATS).await?;
            self.next_seat.store(0, Ordering::Relaxed);
        }
        Ok(())
    }

    /// A customer with so many points who holds a seat.
    pub(crate) async fn held(&self, channel: &Channel, points: i64) -> Result<Held, Status> {
        let customer = self.customer(channel, points).await?;
        let performance = self.performance.clone();
        self.hold(channel, (&performance, ""), customer).await
    }

    /// One with enough points, who holds the only seat of a performance.
    pub(crate) async fn held_alone(&self, channel: &Channel) -> Result<Held, Status> {
        let customer = self.customer(channel, PRICE).await?;
        let performance = open(channel, "", 1).await?;
        let reservation = hold(channel, (&performance, 0, ""), (&customer, self.id())).await?;
        Ok(Held { customer, reservation, performance, ..Held::default() })
    }

    /// Holds the seat that he wants, by the second of his requests.
    pub(crate) async fn hold_by(&self, channel: &Channel, wants: &Held) -> Result<String, Status> {
        hold(channel, (&self.performance, wants.seat, ""), (&wants.customer, wants.ids[1].clone())).await
    }

    /// One with enough points, from a place in the waiting room.
    pub(crate) async fn admitted(&self, channel: &Channel) -> Result<Held, Status> {
        let customer = self.customer(channel, PRICE * 2).await?;
        let place = self.queue(channel, &customer).await?;
        let place = admission(channel, &place).await?;
        let performance = self.behind.clone();
        let held = self.hold(channel, (&performance, &place.admission_pass), customer).await?;
        Ok(Held { queue_token: place.name, ..held })
    }

    /// Has a customer queue in the waiting room.
    pub(crate) async fn queue(&self, channel: &Channel, customer: &str) -> Result<String, Status> {
        let (parent, customer) = (self.room.clone(), customer.to_owned());
        let request = token::IssueQueueTokenRequest { parent, customer, request_id: self.id() };
        let mut tokens = QueueTokenServiceClient::new(channel.clone());
        tokens.issue_queue_token(request).await.map(|place| place.into_inner().name)
    }

    async fn hold(&self, channel: &Channel, from: (&str, &str), customer: String) -> Result<Held, Status> {
        let (performance, pass) = from;
        let reservation = hold(channel, (performance, self.seat(), pass), (&customer, self.id())).await?;
        Ok(Held { customer, reservation, ..Default::default() })
    }

    /// Gives a customer points, by a request of that id.
    pub(crate) async fn give(&self, channel: &Channel, to: (&str, &str), points: i64) -> Result<(), Status> {
        let (customer, id) = to;
        let request = customer::AdjustPointsRequest {
            customer: customer.into(),
            amount: points,
            reason: "to spend".into(),
            request_id: id.into(),
        };
        PointServiceClient::new(channel.clone()).adjust_points(request).await.map(drop)
    }

    /// A new customer with so many points.
    pub(crate) async fn customer(&self, channel: &Channel, points: i64) -> Result<String, Status> {
        let wanted = customer::Customer {
            display_name: "Kim".into(),
            phone_number: "+821012345678".into(),
            notification_consent: true,
            ..Default::default()
        };
        let request = customer::CreateCustomerRequest { customer: Some(wanted), ..Default::default() };
        let created = CustomerServiceClient::new(channel.clone()).create_customer(request).await?;
        let customer = created.into_inner().name;
        if points > 0 {
            self.give(channel, (&customer, &self.id()), points).await?;
        }
        Ok(customer)
    }
}

/// Holds a seat, from a place in the waiting room if there is a pass.
async fn hold(
    channel: &Channel,
    (performance, seat, pass): (&str, usize, &str),
    (customer, request_id): (&str, String),
) -> Result<String, Status> {
    let request = concert::CreateReservationRequest {
        customer: customer.into(),
        performance: performance.into(),
        seats: vec![format!("{performance}/seats/S-{seat}")],
        admission_pass: pass.into(),
        request_id,
    };
    let held = ReservationServiceClient::new(channel.clone()).create_reservation(request).await;
    held.map(|held| held.into_inner().name)
}

/// A place in the waiting room, once it is its turn.
pub(crate) async fn admission(channel: &Channel, place: &str) -> Result<token::QueueToken, Status> {
    let mut tokens = QueueTokenServiceClient::new(channel.clone());
    for _ in 0..LOOKS {
        let request = token::GetQueueTokenRequest { name: place.into() };
        match tokens.get_queue_token(request).await {
            Ok(place) if !place.get_ref().admission_pass.is_empty() => return Ok(place.into_inner()),
            // Whoever looks too often is asked to wait.
            Err(status) if status.code() != Code::ResourceExhausted => return Err(status),
            Ok(_) | Err(_) => tokio::time::sleep(Duration::from_millis(25)).await,
        }
    }
    Err(Status::deadline_exceeded("it is never his turn"))
}

/// The name of a performance on sale.
async fn open(channel: &Channel, room: &str, seats: usize) -> Result<String, Status> {
    let mut client = ConcertServiceClient::new(channel.clone());
    let now_ms = SystemClock.now_ms();
    let term = concert::CancellationTerm { days_before: 0, fee_percent: 10 };
    let wanted = concert::Concert {
        title: "Winter Night".into(),
        artist: "The Northern Lights".into(),
        booking_open_time: Some(timestamp(now_ms - DAY_MS)),
        booking_close_time: Some(timestamp(now_ms + DAY_MS)),
        waiting_room: room.into(),
        booking_policy: Some(concert::BookingPolicy {
            hold_ttl: Some(duration(1_800_000)),
            max_live_reservations_per_customer: 4,
            max_seats_per_customer: 8,
            cancellation_terms: vec![term],
            ..Default::default()
        }),
        ..Default::default()
    };
    let request = concert::CreateConcertRequest { concert: Some(wanted), ..Default::default() };
    let parent = client.create_concert(request).await?.into_inner().name;
    client.publish_concert(concert::PublishConcertRequest { name: parent.clone(), ..Default::default() }).await?;
    let evening = concert::Performance { start_time: Some(timestamp(now_ms + 30 * DAY_MS)), ..Default::default() };
    let request = concert::CreatePerformanceRequest { parent, performance: Some(evening), ..Default::default() };
    let parent = client.create_performance(request).await?.into_inner().name;
    let seats: Vec<_> = (0..seats).map(seat).collect();
    for seats in seats.chunks(BATCH) {
        let (parent, seats) = (parent.clone(), seats.to_vec());
        client.batch_create_seats(concert::BatchCreateSeatsRequest { parent, seats, ..Default::default() }).await?;
    }
    Ok(parent)
}

fn seat(number: usize) -> concert::Seat {
    concert::Seat { name: format!("S-{number}"), grade: "VIP".into(), price: PRICE, ..Default::default() }
}
