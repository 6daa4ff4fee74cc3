//! What comes after a sale: customers charge points with a card and buy with them, some return what they bought, and then a
//! performance is cancelled, so that everybody gets his money back. In the end, what was told to phones and to the data
//! platform.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Result;
use futures_util::stream::{self, StreamExt as _};
use proto::concert::v1 as concert;
use proto::orchestrator::v1 as pb;
use proto::orchestrator::v1::checkout::State;
use proto::payment::v1::delivery::State as Delivered;
use proto::payment::v1::payment::Method;
use proto::payment::v1::{Delivery, ListDeliveriesRequest};
use serde::Serialize;
use tokio::time::{Instant, sleep};

use crate::client::{Client, failed, reason};
use crate::clock;
use crate::progress::Progress;
use crate::seed::{ENCORE, Show, register};
use crate::tally::failure_reason;

mod text;

/// Customers who come.
const CUSTOMERS: usize = 120;
/// One in so many has a card that is declined.
const DECLINED: usize = 12;
/// One in so many of those who bought returns it.
const RETURNED: usize = 3;
/// What each charges: enough for the dearest seat.
const CHARGE: i64 = 200_000;
/// Calls in flight.
const CALLS: usize = 16;
/// How long what goes on by itself may take: the refunds of a performance, and messages that are tried again.
const PATIENCE: Duration = Duration::from_secs(90);
/// How often it is looked at.
const LOOK: Duration = Duration::from_millis(250);
/// Deliveries of a page.
const PAGE: i32 = 1_000;

/// What came of it: how often each thing was told.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Aftermath {
    /// Charges by card.
    pub charges: BTreeMap<String, u64>,
    /// Purchases with what was charged.
    pub purchases: BTreeMap<String, u64>,
    /// Returns by customers.
    pub returns: BTreeMap<String, u64>,
    /// Reservations of the cancelled performance that were given back without anybody's asking.
    pub given_back: u64,
    /// How long that took.
    pub give_back_seconds: f64,
    /// Reservations of it that were not.
    pub left: u64,
    /// Messages to phones, and rows for the data platform, by channel and state.
    pub deliveries: BTreeMap<String, u64>,
}

/// One customer, as far as he came.
struct Visitor {
    customer: String,
    charge: Result<pb::PointCharge, String>,
    /// What he holds and whether he has bought it.
    purchase: Option<Result<pb::Checkout, String>>,
}

impl Aftermath {
    /// Whether everybody has what is his.
    pub fn is_clean(&self) -> bool {
        self.left == 0
    }
}

/// Goes through it.
///
/// # Errors
/// When the server refuses what it must not.
pub async fn aftermath(client: &Client, progress: Progress) -> Result<Aftermath> {
    let show = Show::open(client, &ENCORE, CUSTOMERS).await?;
    let bar = progress.bar("cards", CUSTOMERS as u64);
    let visits = (0..CUSTOMERS).map(|number| {
        let (show, bar) = (&show, &bar);
        async move {
            let visitor = visit(client, show, number).await;
            bar.inc(1);
            visitor
        }
    });
    let visitors: Vec<_> = stream::iter(visits).buffer_unordered(CALLS).collect().await;
    bar.finish();
    let visitors: Vec<Visitor> = visitors.into_iter().collect::<Result<_>>()?;
    let mut report = Aftermath::default();
    for visitor in &visitors {
        count(&mut report.charges, &visitor.charge.as_ref().map(told_of_charge).map_err(String::clone));
        if let Some(purchase) = &visitor.purchase {
            count(&mut report.purchases, &purchase.as_ref().map(told_of_purchase).map_err(String::clone));
        }
    }
    let bought = visitors.iter().filter_map(|visitor| Some((visitor, visitor.purchase.as_ref()?.as_ref().ok()?)));
    let bought: Vec<_> = bought.filter(|(_, checkout)| crate::tally::is_bought(checkout)).collect();
    let returns = bought.iter().step_by(RETURNED).map(|(visitor, checkout)| give_up(client, visitor, checkout));
    let returns: Vec<_> = stream::iter(returns).buffer_unordered(CALLS).collect().await;
    returns.iter().for_each(|told| count(&mut report.returns, told));
    give_everything_back(client, &show.performance, &mut report).await?;
    report.deliveries = deliveries(client).await?;
    Ok(report)
}

fn count(counts: &mut BTreeMap<String, u64>, told: &Result<String, String>) {
    *counts.entry(told.as_ref().unwrap_or_else(|why| why).clone()).or_default() += 1;
}

/// Somebody without points charges some, holds a seat and buys it.
async fn visit(client: &Client, show: &Show, number: usize) -> Result<Visitor> {
    let customer = register(client, format!("Visitor {}", number + 1), number, 0).await?.name;
    let charge = charge(client, &customer, number.is_multiple_of(DECLINED)).await;
    if !charge.as_ref().is_ok_and(|charge| charge.state() == State::Completed) {
        return Ok(Visitor { customer, charge, purchase: None });
    }
    let request = concert::HoldBestAvailableSeatsRequest {
        customer: customer.clone(),
        performance: show.performance.clone(),
        seat_count: 1,
        request_id: clock::request_id(),
        ..Default::default()
    };
    let held = client.reservations().hold_best_available_seats(request).await;
    let held = held.map_err(failed("hold the best seat"))?.into_inner();
    let request = pb::CreateCheckoutRequest {
        checkout: Some(pb::Checkout {
            customer: customer.clone(),
            reservation: held.name,
            payment_method: Method::Point.into(),
            ..Default::default()
        }),
        wait: Some(seconds(30)),
        request_id: clock::request_id(),
        ..Default::default()
    };
    let purchase = client.checkouts().create_checkout(request).await;
    let purchase = Some(purchase.map(tonic::Response::into_inner).map_err(|status| reason(&status)));
    Ok(Visitor { customer, charge, purchase })
}

async fn charge(client: &Client, customer: &str, is_declined: bool) -> Result<pb::PointCharge, String> {
    let token = if is_declined { "tok_decline_stolen_card" } else { "tok_demo" };
    let request = pb::CreatePointChargeRequest {
        point_charge: Some(pb::PointCharge {
            customer: customer.to_owned(),
            amount: CHARGE,
            payment_method: Method::Card.into(),
            ..Default::default()
        }),
        card: Some(pb::Card { processor_token: token.into(), last_four: "4242".into() }),
        wait: Some(seconds(30)),
        request_id: clock::request_id(),
    };
    let charged = client.checkouts().create_point_charge(request).await;
    let mut charged = charged.map_err(|status| reason(&status))?.into_inner();
    // It is answered once it is certain; the points come a moment later.
    let started = Instant::now();
    while charged.state() == State::Completing && started.elapsed() < PATIENCE {
        sleep(LOOK).await;
        let request = pb::GetPointChargeRequest { name: charged.name };
        let looked = client.checkouts().get_point_charge(request).await;
        charged = looked.map_err(|status| reason(&status))?.into_inner();
    }
    Ok(charged)
}

async fn give_up(client: &Client, visitor: &Visitor, checkout: &pb::Checkout) -> Result<String, String> {
    let request = pb::CreateCancellationRequest {
        cancellation: Some(pb::Cancellation {
            reservation: checkout.reservation.clone(),
            customer: visitor.customer.clone(),
            ..Default::default()
        }),
        wait: Some(seconds(30)),
        request_id: clock::request_id(),
        ..Default::default()
    };
    let returned = client.checkouts().create_cancellation(request).await.map_err(|status| reason(&status))?;
    let returned = returned.into_inner();
    Ok(state(returned.state(), returned.failure.as_ref()))
}

/// Cancels the performance and waits until none of its reservations is confirmed any more.
async fn give_everything_back(client: &Client, performance: &str, report: &mut Aftermath) -> Result<()> {
    report.left = confirmed(client, performance).await?;
    let (before, started) = (report.left, Instant::now());
    cancel(client, performance).await?;
    while report.left > 0 && started.elapsed() < PATIENCE {
        sleep(LOOK).await;
        report.left = confirmed(client, performance).await?;
    }
    report.given_back = before - report.left;
    report.give_back_seconds = started.elapsed().as_secs_f64();
    Ok(())
}

/// Cancels a performance.
pub(crate) async fn cancel(client: &Client, performance: &str) -> Result<()> {
    let request = concert::CancelPerformanceRequest {
        name: performance.to_owned(),
        reason: "the singer is ill".into(),
        request_id: clock::request_id(),
        ..Default::default()
    };
    client.concerts().cancel_performance(request).await.map_err(failed("cancel a performance"))?;
    Ok(())
}

/// Reservations that are bought, or about to be returned.
pub(crate) async fn confirmed(client: &Client, performance: &str) -> Result<u64> {
    let mut count = 0;
    for state in ["CONFIRMED", "CANCELLING"] {
        let filter = format!("performance = \"{performance}\" AND state = {state}");
        let mut page_token = String::new();
        loop {
            let (filter, page_size) = (filter.clone(), PAGE);
            let request = concert::ListReservationsRequest { filter, page_size, page_token };
            let page = client.reservations().list_reservations(request).await;
            let page = page.map_err(failed("list reservations"))?.into_inner();
            count += page.reservations.len() as u64;
            page_token = page.next_page_token;
            if page_token.is_empty() {
                break;
            }
        }
    }
    Ok(count)
}

/// Counts deliveries once none is under way any more.
pub(crate) async fn deliveries(client: &Client) -> Result<BTreeMap<String, u64>> {
    let started = Instant::now();
    loop {
        let mut counts = BTreeMap::new();
        let mut is_waiting = false;
        let mut page_token = String::new();
        loop {
            let request = ListDeliveriesRequest { page_size: PAGE, page_token, ..Default::default() };
            let page = client.deliveries().list_deliveries(request).await.map_err(failed("list deliveries"))?;
            let page = page.into_inner();
            for delivery in &page.deliveries {
                is_waiting |= matches!(delivery.state(), Delivered::Pending | Delivered::Retrying);
                *counts.entry(told_of_delivery(delivery)).or_default() += 1;
            }
            page_token = page.next_page_token;
            if page_token.is_empty() {
                break;
            }
        }
        if !is_waiting || started.elapsed() > PATIENCE {
            return Ok(counts);
        }
        sleep(LOOK).await;
    }
}

fn told_of_delivery(delivery: &Delivery) -> String {
    format!("{} {}", delivery.channel().as_str_name(), delivery.state().as_str_name())
}

fn told_of_charge(charge: &pb::PointCharge) -> String {
    state(charge.state(), charge.failure.as_ref())
}

fn told_of_purchase(checkout: &pb::Checkout) -> String {
    state(checkout.state(), checkout.failure.as_ref())
}

fn state(state: State, failure: Option<&tonic_types::Status>) -> String {
    failure.map_or_else(|| state.as_str_name().to_owned(), failure_reason)
}

fn seconds(seconds: i64) -> prost_types::Duration {
    prost_types::Duration { seconds, nanos: 0 }
}
