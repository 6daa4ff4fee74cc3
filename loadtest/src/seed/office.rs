//! The box office: registers customers, sends them through the waiting room and holds their seats.

use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use indicatif::ProgressBar;
use prost_types::Timestamp;
use proto::concert::v1::{CreateReservationRequest, Reservation};
use proto::customer::v1::{AdjustPointsRequest, CreateCustomerRequest, Customer};
use proto::token::v1::queue_token::State;
use proto::token::v1::{GetQueueTokenRequest, IssueQueueTokenRequest, QueueToken};
use tokio::time::{Instant, sleep};

use super::{Buyer, Order, Show};
use crate::client::{Client, failed};
use crate::clock;

/// Times that somebody asks for his turn. The room lets everybody in at its next tick, so one or two would do.
const POLLS: usize = 30;
/// When to ask again if the room does not say.
const POLL_INTERVAL: Duration = Duration::from_secs(1);
/// Points of the stranger.
const STRANGER_POINTS: i64 = 1_000_000;

#[derive(Debug)]
pub(super) struct Office {
    client: Client,
    customers: ProgressBar,
    reservations: ProgressBar,
}

/// A registered customer, with his place in the waiting room.
pub(super) struct Guest {
    buyer: Buyer,
    customer: String,
    token: Option<QueueToken>,
}

impl Office {
    pub(super) fn new(client: &Client, customers: ProgressBar, reservations: ProgressBar) -> Self {
        Self { client: client.clone(), customers, reservations }
    }

    pub(super) fn close(&self) {
        self.customers.finish();
        self.reservations.finish();
    }

    /// Somebody with points, and when he came.
    pub(super) async fn stranger(&self) -> Result<(String, Timestamp)> {
        let stranger = register(&self.client, "Stranger".into(), 0, STRANGER_POINTS).await?;
        let since = stranger.create_time.context("the server does not say when it registered a customer")?;
        Ok((stranger.name, since))
    }

    /// Registers a buyer with his points; where there is a waiting room, he takes his place.
    pub(super) async fn receive(&self, show: &Show, buyer: Buyer) -> Result<Guest> {
        let customer =
            register(&self.client, format!("Buyer {}", buyer.turn + 1), buyer.turn, buyer.funds()).await?.name;
        let token = if show.room.is_empty() { None } else { Some(self.queue(&show.room, &customer).await?) };
        self.customers.inc(1);
        Ok(Guest { buyer, customer, token })
    }

    /// Holds a guest's seats, once it is his turn.
    pub(super) async fn hold(&self, show: &Show, guest: Guest) -> Result<(usize, Order)> {
        let Guest { buyer, customer, token } = guest;
        let token = match token {
            Some(token) => self.admit(token).await?,
            None => QueueToken::default(),
        };
        let request = CreateReservationRequest {
            customer: customer.clone(),
            performance: show.performance.clone(),
            seats: buyer.seats.iter().map(|seat| seat.name.clone()).collect(),
            admission_pass: token.admission_pass,
            request_id: clock::request_id(),
        };
        let held = self.client.reservations().create_reservation(request).await;
        let held = held.map_err(failed("hold seats"))?.into_inner();
        self.reservations.inc(1);
        let hold_end = Instant::now() + length(&held);
        let Reservation { name: reservation, total_amount: amount, .. } = held;
        let behaviour = buyer.behaviour;
        Ok((buyer.turn, Order { behaviour, customer, queue_token: token.name, reservation, amount, hold_end }))
    }

    async fn queue(&self, room: &str, customer: &str) -> Result<QueueToken> {
        let request =
            IssueQueueTokenRequest { parent: room.into(), customer: customer.into(), request_id: clock::request_id() };
        let issued = self.client.tokens().issue_queue_token(request).await;
        Ok(issued.map_err(failed("take a place in the waiting room"))?.into_inner())
    }

    async fn admit(&self, mut token: QueueToken) -> Result<QueueToken> {
        for _ in 0..POLLS {
            let request = GetQueueTokenRequest { name: token.name.clone() };
            let polled = self.client.tokens().get_queue_token(request).await;
            token = polled.map_err(failed("ask for a turn"))?.into_inner();
            match token.state() {
                State::Active => return Ok(token),
                State::Waiting => {
                    let told = token.poll_interval.and_then(|interval| Duration::try_from(interval).ok());
                    sleep(told.unwrap_or(POLL_INTERVAL)).await;
                }
                State::Unspecified | State::Completed | State::Expired | State::Left | State::Revoked => break,
            }
        }
        bail!("the waiting room let nobody in: {} is {}", token.name, token.state().as_str_name())
    }
}

/// Registers somebody with points, if any, and with a phone of his own. One in eight does not want to be told anything.
pub(crate) async fn register(client: &Client, display_name: String, number: usize, points: i64) -> Result<Customer> {
    let customer = Customer {
        display_name,
        phone_number: format!("+8210{:08}", number % 100_000_000),
        notification_consent: number % 8 != 7,
        ..Default::default()
    };
    let request =
        CreateCustomerRequest { customer: Some(customer), request_id: clock::request_id(), ..Default::default() };
    let created = client.customers().create_customer(request).await;
    let customer = created.map_err(failed("register a customer"))?.into_inner();
    if points > 0 {
        let request = AdjustPointsRequest {
            customer: customer.name.clone(),
            amount: points,
            reason: "points for a load test".into(),
            request_id: clock::request_id(),
        };
        client.points().adjust_points(request).await.map_err(failed("give a customer points"))?;
    }
    Ok(customer)
}

/// How long a hold lasts, by the server's own clock.
fn length(held: &Reservation) -> Duration {
    let time = |at: Option<Timestamp>| at.map_or(0.0, |at| at.seconds as f64 + f64::from(at.nanos) / 1e9);
    Duration::from_secs_f64((time(held.expire_time) - time(held.create_time)).max(0.0))
}
