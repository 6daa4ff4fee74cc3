//! What a sale has left in the services, whoever has driven it: seats, payments and points held against each other.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use proto::concert::v1::ListReservationsRequest;
use proto::customer::v1::GetPointAccountRequest;
use proto::payment::v1::{ListPaymentsRequest, payment::State};
use serde::Serialize;

use crate::client::{Client, failed};
use crate::mix::Behaviour;
use crate::paper::{Section, Table};
use crate::seed::{Order, Stage};

/// Rows of a page.
const PAGE: i32 = 1_000;
/// Accounts that are read at a time.
const AT_ONCE: usize = 64;

/// What does not fit together, and what was moved in vain.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Left {
    /// Reservations that are bought.
    pub confirmed: u64,
    /// Reservations that somebody has locked.
    pub locked: u64,
    /// Payments that hold money, and their reservation is not bought.
    pub paid_without_seat: u64,
    /// Reservations that are bought, and nobody has paid.
    pub seat_without_payment: u64,
    /// Points of customers who have no seat for them.
    pub points_lost: i64,
    /// Points that customers have and should not.
    pub points_created: i64,
    /// Customers whose points are set aside for nothing.
    pub points_set_aside: u64,
}

/// Looks at what the customers of a stage have left.
pub(crate) async fn look(client: &Client, stage: &Stage) -> Result<Left> {
    let confirmed = reservations(client, "CONFIRMED").await?;
    let locked = reservations(client, "CONFIRMING").await?;
    let paid = paid(client).await?;
    let mut left = Left { confirmed: confirmed.len() as u64, locked: locked.len() as u64, ..Left::default() };
    for order in &stage.orders {
        let has_seat = confirmed.contains(&order.reservation);
        let has_paid = paid.get(&order.reservation).copied().unwrap_or_default() > 0;
        left.paid_without_seat += u64::from(has_paid && !has_seat);
        left.seat_without_payment += u64::from(has_seat && !has_paid);
    }
    // What others have got and spent on the way is not known here.
    let known = stage.orders.iter().filter(|order| !matches!(order.behaviour, Behaviour::LacksPoints { .. }));
    let accounts = known.map(|order| account(client, order, confirmed.contains(&order.reservation)));
    let accounts: Vec<_> = stream::iter(accounts).buffer_unordered(AT_ONCE).try_collect().await?;
    for (off, set_aside) in accounts {
        left.points_lost += (-off).max(0);
        left.points_created += off.max(0);
        left.points_set_aside += u64::from(set_aside > 0);
    }
    Ok(left)
}

/// How many points a customer has too many, and how many are set aside.
async fn account(client: &Client, order: &Order, has_seat: bool) -> Result<(i64, i64)> {
    let name = format!("{}/pointAccount", order.customer);
    let account = client.points().get_point_account(GetPointAccountRequest { name }).await;
    let account = account.map_err(failed("read an account"))?.into_inner();
    let wanted = if has_seat { 0 } else { order.amount };
    Ok((account.posted_balance - wanted, account.reserved_amount))
}

async fn reservations(client: &Client, state: &str) -> Result<BTreeSet<String>> {
    let filter = format!("state = {state}");
    let (mut names, mut page_token) = (BTreeSet::new(), String::new());
    loop {
        let request = ListReservationsRequest { filter: filter.clone(), page_size: PAGE, page_token };
        let page = client.reservations().list_reservations(request).await;
        let page = page.map_err(failed("list reservations"))?.into_inner();
        names.extend(page.reservations.into_iter().map(|reservation| reservation.name));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return Ok(names);
        }
    }
}

/// What is paid for each reservation and was not given back.
async fn paid(client: &Client) -> Result<BTreeMap<String, i64>> {
    let (mut paid, mut page_token) = (BTreeMap::new(), String::new());
    loop {
        let request = ListPaymentsRequest { page_size: PAGE, page_token, ..Default::default() };
        let page = client.payments().list_payments(request).await.map_err(failed("list payments"))?.into_inner();
        for payment in page.payments {
            let held = match payment.state() {
                State::Captured => payment.captured_amount - payment.refunded_amount,
                State::Authorized => payment.authorized_amount,
                State::Unspecified | State::Pending | State::Cancelled | State::Failed => 0,
            };
            *paid.entry(payment.reference).or_default() += held;
        }
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return Ok(paid);
        }
    }
}

/// The same load in two orders.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct Orders {
    /// What is left of it in ours.
    pub ours: Left,
    /// What is left of it in the naive one.
    pub naive: Left,
    /// What the naive one has moved in vain.
    pub undone: crate::drive::Undone,
}

impl Orders {
    /// One beside the other.
    pub fn section(&self) -> Section {
        let mut table = Table::new(&["what is left", "ours", "naive"]);
        let (ours, naive, undone) = (&self.ours, &self.naive, &self.undone);
        table.row("reservations bought", [ours.confirmed, naive.confirmed]);
        table.row("seats locked for good", [ours.locked, naive.locked]);
        table.row("payments without a seat", [ours.paid_without_seat, naive.paid_without_seat]);
        table.row("seats without a payment", [ours.seat_without_payment, naive.seat_without_payment]);
        table.row("points lost", [ours.points_lost, naive.points_lost]);
        table.row("points created", [ours.points_created, naive.points_created]);
        table.row("customers with points set aside for nothing", [ours.points_set_aside, naive.points_set_aside]);
        table.row("payments complete and then refunded", [0, undone.payments]);
        table.row("points taken and then given back", [0, undone.points]);
        table.row("customers told of what they did not get", [0, undone.notices]);
        table.row("compensations that failed and were given up", [0, undone.given_up]);
        let words = "The same customers and faults, once with the orchestrator and once in the order of a monolith's one \
                     transaction, over the same services: payment, points, confirmation, notice, place in line.";
        Section::new("Beside the naive order").say(words).table(table)
    }

    /// Whether ours has left nothing behind.
    pub fn is_clean(&self) -> bool {
        Left { confirmed: 0, ..self.ours } == Left::default()
    }
}
