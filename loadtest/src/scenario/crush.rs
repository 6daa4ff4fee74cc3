//! Many customers and few seats: each wants some that lie together, most want the same ones, and who gets none tries others.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result};
use fastrand::Rng;
use proto::concert::v1::{CreateReservationRequest, Reservation};
use serde::Serialize;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};
use tonic::Status;

use super::{Found, Stand};
use crate::client::{Client, reason};
use crate::clock;
use crate::findings::{Expected, Part};
use crate::paper::{Section, Table};
use crate::report::{Latency, by_name, latencies};
use crate::seed::{ENCORE, Seat, Show, register};
use crate::system::Shape;
use crate::tally::Times;
use crate::zipf::Zipf;

/// Fewer than these are no crush.
const LEAST_CUSTOMERS: f64 = 1_000.0;
/// Times that a customer tries.
const TRIES: u32 = 5;
/// Customers who register at a time.
const AT_ONCE: usize = 64;
const HELD: &str = "HELD";

/// The customers and the seats.
#[derive(Debug)]
pub(super) struct Hall {
    /// As many as in life.
    pub(super) customers: f64,
    /// The same.
    pub(super) seats: f64,
    /// How much more the first seats are wanted than the last.
    pub(super) exponent: f64,
    pub(super) most_seats: usize,
    /// Within which all of them come.
    pub(super) seconds: f64,
}

/// What came of it.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Crush {
    /// Customers who came.
    pub customers: u64,
    /// Those who hold what they wanted.
    pub winners: u64,
    /// Seats in all.
    pub seats: u64,
    /// Seats that are held.
    pub held_seats: u64,
    /// Seats that were handed to two at once; none may be.
    pub held_twice: u64,
    /// Tries for one seat that is held.
    pub tries_per_seat: f64,
    /// What each try came to, and how long the answer took.
    pub told: BTreeMap<String, Latency>,
}

#[derive(Debug, Default)]
struct Told {
    tries: AtomicU64,
    outcomes: Mutex<BTreeMap<String, Times>>,
    held: Mutex<Vec<String>>,
}

impl Hall {
    pub(super) async fn run(&self, stand: &Stand) -> Result<Found> {
        let system = stand.makings.start("seats", Shape::One, &[]).await?;
        let client = Client::connect(&system.target()).await?;
        let customers = (self.customers * stand.scale).max(LEAST_CUSTOMERS) as usize;
        let count = (self.seats * stand.scale).max(LEAST_CUSTOMERS / 10.0) as usize;
        let mut show = Show::open(&client, &ENCORE, count).await?;
        let seats: Arc<[Seat]> = show.seats.by_ref().collect();
        let names = register_all(&client, customers).await?;
        let told = self.rush(stand, (&client, &show.performance), (names, seats)).await?;
        let crush = told.sum_up(customers, count);
        let mut found = Found::default();
        found.verdicts.push(system.store.verify(false, None).await?);
        let deadlocks = system.store.deadlocks().await?.unwrap_or_default();
        system.end()?;
        let unexpected: Vec<_> = crush.told.keys().filter(|told| !is_expected(told)).cloned().collect();
        found.expected = vec![
            Expected::new("seats handed to two: 0", crush.held_twice, crush.held_twice == 0),
            Expected::new("deadlocks: 0", deadlocks, deadlocks == 0),
            Expected::new("somebody won", crush.winners, crush.winners > 0),
            Expected::new("nobody was told of a deadlock or an error", unexpected.join(", "), unexpected.is_empty()),
        ];
        found.parts.push(Part::Crush(crush));
        Ok(found)
    }

    /// Everybody comes when it is his time, whatever has become of the others.
    async fn rush(
        &self,
        stand: &Stand,
        (client, performance): (&Client, &str),
        (names, seats): (Vec<String>, Arc<[Seat]>),
    ) -> Result<Arc<Told>> {
        let told = Arc::new(Told::default());
        let zipf = Arc::new(Zipf::new(seats.len(), self.exponent));
        let bar = stand.progress.bar("seats", names.len() as u64);
        let mut random = Rng::with_seed(stand.seed);
        let gap = Duration::from_secs_f64(self.seconds / names.len().max(1) as f64);
        let mut due = Instant::now();
        let mut customers = JoinSet::new();
        for customer in names {
            due += gap.mul_f64(-(1.0 - random.f64()).ln());
            sleep_until(due).await;
            let want = Want {
                client: client.clone(),
                performance: performance.to_owned(),
                customer,
                seats: seats.clone(),
                zipf: zipf.clone(),
                most: self.most_seats,
                told: told.clone(),
            };
            let (fork, bar) = (random.fork(), bar.clone());
            customers.spawn(async move {
                want.try_all(fork, due).await;
                bar.inc(1);
            });
        }
        while let Some(ended) = customers.join_next().await {
            ended.context("a virtual customer panicked")?;
        }
        bar.finish();
        Ok(told)
    }
}

/// Whether this is a way to lose, and no fault.
fn is_expected(told: &str) -> bool {
    told == HELD || told == "SEAT_TAKEN"
}

async fn register_all(client: &Client, count: usize) -> Result<Vec<String>> {
    use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
    let registered = (0..count).map(|number| async move {
        anyhow::Ok(register(client, format!("Fan {}", number + 1), number, 0).await?.name)
    });
    stream::iter(registered).buffer_unordered(AT_ONCE).try_collect().await
}

/// One customer, and what he wants.
struct Want {
    client: Client,
    performance: String,
    customer: String,
    seats: Arc<[Seat]>,
    zipf: Arc<Zipf>,
    most: usize,
    told: Arc<Told>,
}

impl Want {
    /// Tries one set of seats after the other until he has one.
    async fn try_all(&self, mut random: Rng, intended: Instant) {
        let mut since = intended;
        for _ in 0..TRIES {
            let answer = self.hold(self.choose(&mut random)).await;
            let is_taken = self.told.count(&answer, since.elapsed());
            if !is_taken {
                return;
            }
            since = Instant::now();
        }
    }

    /// Seats in a row, from one that is wanted on.
    fn choose(&self, random: &mut Rng) -> Vec<String> {
        let (count, first) = (random.usize(1..=self.most), self.zipf.draw(random));
        let first = first.min(self.seats.len().saturating_sub(count));
        self.seats.iter().skip(first).take(count).map(|seat| seat.name.clone()).collect()
    }

    async fn hold(&self, seats: Vec<String>) -> Result<Reservation, Status> {
        let request = CreateReservationRequest {
            customer: self.customer.clone(),
            performance: self.performance.clone(),
            seats,
            request_id: clock::request_id(),
            ..Default::default()
        };
        Ok(self.client.reservations().create_reservation(request).await?.into_inner())
    }
}

impl Told {
    /// Tells whether the seats were taken.
    fn count(&self, answer: &Result<Reservation, Status>, took: Duration) -> bool {
        self.tries.fetch_add(1, Ordering::Relaxed);
        let outcome = answer.as_ref().map_or_else(reason, |_| HELD.to_owned());
        if let Ok(reservation) = answer {
            let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
            held.extend(reservation.items.iter().map(|item| item.seat.clone()));
        }
        let is_taken = outcome == "SEAT_TAKEN";
        self.outcomes.lock().unwrap_or_else(PoisonError::into_inner).entry(outcome).or_default().record(took);
        is_taken
    }

    fn sum_up(&self, customers: usize, seats: usize) -> Crush {
        let outcomes = self.outcomes.lock().unwrap_or_else(PoisonError::into_inner);
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let all = held.len();
        held.sort();
        held.dedup();
        Crush {
            customers: customers as u64,
            winners: outcomes.get(HELD).map_or(0, Times::count),
            seats: seats as u64,
            held_seats: held.len() as u64,
            held_twice: (all - held.len()) as u64,
            tries_per_seat: self.tries.load(Ordering::Relaxed) as f64 / held.len().max(1) as f64,
            told: by_name(&outcomes),
        }
    }
}

impl Crush {
    /// Who won, and what everybody was told.
    pub fn sections(&self) -> Vec<Section> {
        let mut table = Table::new(&["seats and customers", "count"]);
        table.row("customers", [self.customers]);
        table.row("winners", [self.winners]);
        table.row("seats", [self.seats]);
        table.row("seats held", [self.held_seats]);
        table.row("seats handed to two", [self.held_twice]);
        let words = format!("{:.2} tries for each seat that is held.", self.tries_per_seat);
        vec![Section::new("Hot seats").say(words).table(table).table(latencies("what a try came to", &self.told))]
    }
}
