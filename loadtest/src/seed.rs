//! Prepares what the customers of a run need: concerts with seats, points, places in a waiting room, holds. All of it
//! over gRPC, as people would.

use std::sync::Arc;

use anyhow::Result;
use fastrand::Rng;
use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use prost_types::Timestamp;
use tokio::time::Instant;

use crate::client::Client;
use crate::mix::Behaviour;
use crate::plan::Plan;
use crate::progress::Progress;

mod office;
mod sale;
mod show;

use office::Office;
pub(crate) use office::register;
pub use sale::Sale;
pub(crate) use show::{ENCORE, Seat, Show};
use show::{GALA, MATINEE};

/// Calls in flight while seeding: enough to keep a server busy, and not so many that it sheds some.
const CALLS: usize = 128;
/// One customer in so many takes two seats.
const COUPLES: usize = 4;

/// What is ready for a run.
#[derive(Debug)]
pub struct Stage {
    /// One for each checkout, in the order in which the customers come.
    pub(crate) orders: Vec<Arc<Order>>,
    /// Somebody with points who holds nothing.
    pub(crate) stranger: String,
    /// The server's time before the first of it.
    pub(crate) since: Timestamp,
    /// What most of them come for.
    pub(crate) performance: String,
}

/// A reservation that is ready for checkout, and who comes for it.
#[derive(Debug)]
pub struct Order {
    /// How he behaves.
    pub behaviour: Behaviour,
    /// Who he is.
    pub customer: String,
    /// Empty where no waiting room stands in front.
    pub queue_token: String,
    /// What he holds.
    pub reservation: String,
    /// What it costs.
    pub amount: i64,
    pub(crate) hold_end: Instant,
}

/// Somebody who will come.
#[derive(Debug)]
struct Buyer {
    /// His turn.
    turn: usize,
    behaviour: Behaviour,
    seats: Vec<Seat>,
}

impl Buyer {
    fn amount(&self) -> i64 {
        self.seats.iter().map(|seat| seat.price).sum()
    }

    /// Points to start with.
    fn funds(&self) -> i64 {
        let lacks_points = matches!(self.behaviour, Behaviour::LacksPoints { .. });
        if lacks_points { self.amount() / 2 } else { self.amount() }
    }
}

/// Prepares as many reservations as the plan has checkouts.
///
/// # Errors
/// When the server refuses something.
pub async fn seed(client: &Client, plan: &Plan, progress: Progress) -> Result<Stage> {
    // What was called before belongs to another run.
    drop(client.calls());
    let behaviours = plan.mix.deal(plan.checkouts, &mut Rng::with_seed(plan.seed));
    let is_late = |(_, behaviour): &(usize, Behaviour)| matches!(behaviour, Behaviour::ComesLate { .. });
    let (late, punctual): (Vec<_>, Vec<_>) = behaviours.into_iter().enumerate().partition(is_late);
    let count = plan.checkouts as u64;
    let office = Office::new(client, progress.bar("customers", count), progress.bar("reservations", count));
    let (stranger, since) = office.stranger().await?;

    // Holds that are to expire come first: the run cannot end before they have.
    let mut orders = Vec::with_capacity(plan.checkouts);
    if !late.is_empty() {
        orders = sell(&office, Show::open(client, &MATINEE, seat_count(&late)).await?, late).await?;
    }
    let gala = Show::open(client, &GALA, seat_count(&punctual) + plan.spare_seats).await?;
    let performance = gala.performance.clone();
    orders.extend(sell(&office, gala, punctual).await?);
    office.close();

    orders.sort_by_key(|(turn, _)| *turn);
    let orders = orders.into_iter().map(|(_, order)| Arc::new(order)).collect();
    Ok(Stage { orders, stranger, since, performance })
}

fn seats_of(turn: usize) -> usize {
    if turn % COUPLES == COUPLES - 1 { 2 } else { 1 }
}

fn seat_count(turns: &[(usize, Behaviour)]) -> usize {
    turns.iter().map(|(turn, _)| seats_of(*turn)).sum()
}

/// Everybody gets a place in the waiting room first, then everybody holds seats: meanwhile the head of the room moves.
async fn sell(office: &Office, mut show: Show, turns: Vec<(usize, Behaviour)>) -> Result<Vec<(usize, Order)>> {
    let buyers = turns.into_iter().map(|(turn, behaviour)| {
        let seats = show.seats.by_ref().take(seats_of(turn)).collect();
        Buyer { turn, behaviour, seats }
    });
    let buyers: Vec<_> = buyers.collect();
    let show = &show;
    let guests = stream::iter(buyers).map(|buyer| office.receive(show, buyer)).buffer_unordered(CALLS);
    let guests: Vec<_> = guests.try_collect().await?;
    let orders = stream::iter(guests).map(|guest| office.hold(show, guest)).buffer_unordered(CALLS);
    orders.try_collect().await
}
