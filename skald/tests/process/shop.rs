//! A concert without a waiting room, and customers who hold its seats.

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use proto::concert::v1 as concert;
use proto::concert::v1::concert_service_client::ConcertServiceClient;
use proto::concert::v1::reservation_service_client::ReservationServiceClient;
use proto::customer::v1 as customer;
use proto::customer::v1::customer_service_client::CustomerServiceClient;
use proto::customer::v1::point_service_client::PointServiceClient;
use proto::orchestrator::v1::{Checkout, CreateCheckoutRequest};
use proto::payment::v1::payment::Method;
use service_kit::clock::{Clock as _, SystemClock};
use service_kit::ids::Ids;
use service_kit::wire::{duration, timestamp};
use tonic::transport::Channel;
use tonic::{Response, Status};

/// What a seat costs.
pub(crate) const PRICE: i64 = 1_000;
/// Seats of one call: a message may have 64 KiB.
const BATCH: usize = 400;
/// Calls at a time.
const CALLS: usize = 32;
const DAY_MS: i64 = 86_400_000;

/// Somebody who wants to buy what he holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Order {
    pub(crate) customer: String,
    pub(crate) reservation: String,
    /// The same whenever it is sent.
    pub(crate) request_id: String,
    /// Whether to be answered at once, with the outcome still open.
    pub(crate) impatient: bool,
}

impl Order {
    pub(crate) fn request(&self) -> CreateCheckoutRequest {
        CreateCheckoutRequest {
            checkout: Some(Checkout {
                customer: self.customer.clone(),
                reservation: self.reservation.clone(),
                payment_method: Method::Point.into(),
                ..Default::default()
            }),
            wait: Some(duration(if self.impatient { 0 } else { 5_000 })),
            request_id: self.request_id.clone(),
            ..Default::default()
        }
    }
}

/// How many customers there are, how many seats each holds, how many of those he has the points for, and how many seats
/// nobody holds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Size {
    pub(crate) customers: usize,
    pub(crate) seats_each: usize,
    pub(crate) affordable: usize,
    pub(crate) spare: usize,
}

/// Opens a concert and has all its seats held.
pub(crate) async fn open(channel: &Channel, size: Size) -> Vec<Order> {
    open_apart((channel, channel), size).await
}

/// The same where concerts and customers are two services.
pub(crate) async fn open_apart((concerts, customers): (&Channel, &Channel), size: Size) -> Vec<Order> {
    let shop = Shop { concerts: concerts.clone(), customers: customers.clone(), ids: Ids::system() };
    let performance = shop.open(size.customers * size.seats_each + size.spare).await.expect("a concert opens");
    let (shop, performance) = (&shop, &performance);
    let customers = stream::iter(0..size.customers).map(|_| shop.register(size.affordable));
    let customers: Vec<_> = customers.buffer_unordered(CALLS).try_collect().await.expect("customers register");
    let places = (0..size.customers * size.seats_each).map(|seat| (customers[seat / size.seats_each].clone(), seat));
    let orders = stream::iter(places).map(|(customer, seat)| shop.hold(performance, customer, seat));
    let mut orders: Vec<_> = orders.buffer_unordered(CALLS).try_collect().await.expect("seats are held");
    // Not one customer after the other.
    fastrand::Rng::with_seed(1).shuffle(&mut orders);
    orders
}

struct Shop {
    concerts: Channel,
    customers: Channel,
    ids: Ids,
}

impl Shop {
    fn id(&self) -> String {
        self.ids.next(SystemClock.now_ms()).to_string()
    }

    /// The name of the performance.
    async fn open(&self, seats: usize) -> Result<String, Status> {
        let mut client = ConcertServiceClient::new(self.concerts.clone());
        let now_ms = SystemClock.now_ms();
        let wanted = concert::Concert {
            title: "Winter Night".into(),
            artist: "The Northern Lights".into(),
            booking_open_time: Some(timestamp(now_ms - DAY_MS)),
            booking_close_time: Some(timestamp(now_ms + DAY_MS)),
            booking_policy: Some(concert::BookingPolicy {
                hold_ttl: Some(duration(1_800_000)),
                max_live_reservations_per_customer: 1_000,
                max_seats_per_customer: 1_000,
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

    /// A customer with the points for so many seats.
    async fn register(&self, affordable: usize) -> Result<String, Status> {
        let wanted = customer::Customer {
            display_name: "Kim".into(),
            phone_number: "+821012345678".into(),
            notification_consent: true,
            ..Default::default()
        };
        let request = customer::CreateCustomerRequest { customer: Some(wanted), ..Default::default() };
        let created = CustomerServiceClient::new(self.customers.clone()).create_customer(request).await?;
        let customer = created.into_inner().name;
        let request = customer::AdjustPointsRequest {
            customer: customer.clone(),
            amount: PRICE * i64::try_from(affordable).expect("it is a small number"),
            reason: "to spend".into(),
            request_id: self.id(),
        };
        PointServiceClient::new(self.customers.clone()).adjust_points(request).await?;
        Ok(customer)
    }

    async fn hold(&self, performance: &str, customer: String, seat: usize) -> Result<Order, Status> {
        let request = concert::CreateReservationRequest {
            customer: customer.clone(),
            performance: performance.into(),
            seats: vec![format!("{performance}/seats/S-{seat}")],
            ..Default::default()
        };
        let held = ReservationServiceClient::new(self.concerts.clone()).create_reservation(request).await;
        let reservation = held.map(Response::into_inner)?.name;
        Ok(Order { customer, reservation, request_id: self.id(), impatient: seat.is_multiple_of(2) })
    }
}

fn seat(number: usize) -> concert::Seat {
    concert::Seat { name: format!("S-{number}"), grade: "VIP".into(), price: PRICE, ..Default::default() }
}
