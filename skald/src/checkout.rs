//! `skald checkout`: place one checkout from the shell. Whatever is not given is made up on the spot: a customer with
//! points, a place in the waiting room, a seat.

use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use clap::Args;
use proto::concert::v1 as concert;
use proto::concert::v1::concert_service_client::ConcertServiceClient;
use proto::concert::v1::reservation_service_client::ReservationServiceClient;
use proto::customer::v1 as customer;
use proto::customer::v1::customer_service_client::CustomerServiceClient;
use proto::customer::v1::point_service_client::PointServiceClient;
use proto::orchestrator::v1::checkout_service_client::CheckoutServiceClient;
use proto::orchestrator::v1::{Checkout, CreateCheckoutRequest};
use proto::payment::v1::payment::Method;
use proto::token::v1 as token;
use proto::token::v1::queue_token::State as TokenState;
use proto::token::v1::queue_token_service_client::QueueTokenServiceClient;
use service_kit::clock::{Clock as _, SystemClock};
use service_kit::ids::Ids;
use service_kit::wire;
use tonic::transport::Channel;
use uuid::Uuid;

use crate::client::{connect, explain};
use crate::view;

/// Points that a made-up customer gets: enough for any seat of the demo.
const POINTS: i64 = 500_000;
/// Times that a made-up customer asks for his turn.
const POLLS: u32 = 60;

/// What to buy, for whom.
#[derive(Debug, Args)]
pub struct Order {
    /// Who buys, as customers/{uuid}; a new customer with points when left out.
    #[arg(long, requires = "reservation")]
    customer: Option<String>,
    /// What to buy, as reservations/{uuid}; a free seat is held when left out.
    #[arg(long, requires = "customer")]
    reservation: Option<String>,
    /// The queue token to let go at the end.
    #[arg(long, default_value = "")]
    queue_token: String,
    /// Refuse unless the total is this.
    #[arg(long)]
    expected_amount: Option<i64>,
    /// How long to wait for the outcome, in seconds (at most 30).
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(0..=30))]
    wait: u32,
    /// UUID of this request; the same one again answers the same checkout.
    #[arg(long, requires_all = ["customer", "reservation"])]
    request_id: Option<Uuid>,
    /// Where the concert service listens, if it is a process of its own.
    #[arg(long, env = "SKALD_CONCERT_ADDRESS")]
    concert_address: Option<String>,
    /// Where the customer service listens, likewise.
    #[arg(long, env = "SKALD_CUSTOMER_ADDRESS")]
    customer_address: Option<String>,
    /// Where the token service listens, likewise.
    #[arg(long, env = "SKALD_TOKEN_ADDRESS")]
    token_address: Option<String>,
    /// Only check whether it could work; nothing is created.
    #[arg(long)]
    validate_only: bool,
}

/// Places the order at `address` and prints how it stands.
///
/// # Errors
/// When it was not accepted. A checkout that was accepted and failed is no error: its state tells.
pub async fn run(order: Order, address: &str, as_json: bool) -> Result<()> {
    let channel = connect(address).await?;
    let shopper = Shopper {
        concerts: elsewhere(&channel, order.concert_address.as_deref()).await?,
        customers: elsewhere(&channel, order.customer_address.as_deref()).await?,
        tokens: elsewhere(&channel, order.token_address.as_deref()).await?,
        ids: Ids::system(),
        quiet: as_json,
    };
    let (customer, reservation, queue_token) = match (order.customer, order.reservation) {
        (Some(customer), Some(reservation)) => (customer, reservation, order.queue_token),
        _ => shopper.shop().await?,
    };
    let request_id = order.request_id.unwrap_or_else(|| shopper.id());
    shopper.tell(&format!("request {request_id}; repeat it with --request-id, --customer and --reservation"));
    let request = CreateCheckoutRequest {
        checkout: Some(Checkout {
            customer,
            reservation,
            queue_token,
            payment_method: Method::Point.into(),
            ..Default::default()
        }),
        expected_amount: order.expected_amount,
        wait: Some(wire::duration(i64::from(order.wait) * 1000)),
        request_id: request_id.to_string(),
        validate_only: order.validate_only,
        card: None,
    };
    let created = CheckoutServiceClient::new(channel).create_checkout(request).await;
    let checkout = created.map_err(|status| explain(&status))?.into_inner();
    match (order.validate_only, as_json) {
        (true, _) => println!("it could work; nothing was created"),
        (false, true) => println!("{:#}", view::checkout_json(&checkout)),
        (false, false) => println!("{}", view::checkout_text(&checkout)),
    }
    Ok(())
}

async fn elsewhere(here: &Channel, address: Option<&str>) -> Result<Channel> {
    match address {
        Some(address) => connect(address).await,
        None => Ok(here.clone()),
    }
}

/// Somebody who comes from the street and buys a ticket.
struct Shopper {
    concerts: Channel,
    customers: Channel,
    tokens: Channel,
    ids: Ids,
    quiet: bool,
}

impl Shopper {
    fn id(&self) -> Uuid {
        self.ids.next(SystemClock.now_ms())
    }

    fn request_id(&self) -> String {
        self.id().to_string()
    }

    fn tell(&self, what: &str) {
        if !self.quiet {
            println!("{what}");
        }
    }

    async fn shop(&self) -> Result<(String, String, String)> {
        let (show, performance) = self.find_show().await?;
        let customer = self.register().await?;
        self.tell(&format!("{customer} registered with {POINTS} points"));
        let queued = if show.waiting_room.is_empty() {
            token::QueueToken::default()
        } else {
            self.queue(&show.waiting_room, &customer).await?
        };
        let reservation = self.hold(&customer, &performance, queued.admission_pass).await?;
        self.tell(&format!("{} holds a seat of \"{}\"", reservation.name, show.title));
        Ok((customer, reservation.name, queued.name))
    }

    async fn find_show(&self) -> Result<(concert::Concert, String)> {
        let mut client = ConcertServiceClient::new(self.concerts.clone());
        let all = concert::ListConcertsRequest { page_size: 100, ..Default::default() };
        let shows = client.list_concerts(all).await.map_err(|status| explain(&status))?.into_inner().concerts;
        for show in shows.into_iter().filter(|show| show.state() == concert::concert::State::Active) {
            let of_show = concert::ListPerformancesRequest { parent: show.name.clone(), ..Default::default() };
            let page = client.list_performances(of_show).await.map_err(|status| explain(&status))?.into_inner();
            for performance in page.performances {
                if self.free_seat(&performance.name).await?.is_some() {
                    return Ok((show, performance.name));
                }
            }
        }
        bail!("no concert with a free seat is on sale; `skald demo` opens one")
    }

    async fn free_seat(&self, performance: &str) -> Result<Option<String>> {
        let mut client = ConcertServiceClient::new(self.concerts.clone());
        let filter = "state = AVAILABLE".to_owned();
        let free = concert::ListSeatsRequest { parent: performance.into(), page_size: 1, filter, ..Default::default() };
        let page = client.list_seats(free).await.map_err(|status| explain(&status))?.into_inner();
        Ok(page.seats.into_iter().next().map(|seat| seat.name))
    }

    async fn register(&self) -> Result<String> {
        let wanted = customer::Customer { display_name: "Shopper".into(), ..Default::default() };
        let request = customer::CreateCustomerRequest {
            customer: Some(wanted),
            request_id: self.request_id(),
            ..Default::default()
        };
        let created = CustomerServiceClient::new(self.customers.clone()).create_customer(request).await;
        let name = created.map_err(|status| explain(&status))?.into_inner().name;
        let gift = customer::AdjustPointsRequest {
            customer: name.clone(),
            amount: POINTS,
            reason: "to try a checkout".into(),
            request_id: self.request_id(),
        };
        let adjusted = PointServiceClient::new(self.customers.clone()).adjust_points(gift).await;
        adjusted.map_err(|status| explain(&status))?;
        Ok(name)
    }

    async fn queue(&self, room: &str, customer: &str) -> Result<token::QueueToken> {
        let mut client = QueueTokenServiceClient::new(self.tokens.clone());
        let request = token::IssueQueueTokenRequest {
            parent: room.into(),
            customer: customer.into(),
            request_id: self.request_id(),
        };
        let issued = client.issue_queue_token(request).await.map_err(|status| explain(&status))?.into_inner();
        for _ in 0..POLLS {
            let request = token::GetQueueTokenRequest { name: issued.name.clone() };
            let polled = client.get_queue_token(request).await.map_err(|status| explain(&status))?.into_inner();
            if polled.state() == TokenState::Active {
                return Ok(polled);
            }
            self.tell(&format!("{} waits behind {} others", polled.name, polled.ahead_count));
            let pause_ms = polled.poll_interval.map_or(1000, wire::duration_ms);
            tokio::time::sleep(Duration::from_millis(u64::try_from(pause_ms).unwrap_or(1000))).await;
        }
        bail!("{} is still waiting; try again later", issued.name)
    }

    async fn hold(&self, customer: &str, performance: &str, pass: String) -> Result<concert::Reservation> {
        let seat = self.free_seat(performance).await?.context("the last seat has just been taken")?;
        let request = concert::CreateReservationRequest {
            customer: customer.into(),
            performance: performance.into(),
            seats: vec![seat],
            admission_pass: pass,
            request_id: self.request_id(),
        };
        let held = ReservationServiceClient::new(self.concerts.clone()).create_reservation(request).await;
        Ok(held.map_err(|status| explain(&status))?.into_inner())
    }
}
