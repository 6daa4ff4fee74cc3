//! Customers outside: they come one after the other for as long as the sale lasts, buy, ask again when they get no answer,
//! at whichever replica, look how it stands, cancel, return, charge points. What each is told is noted down.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::Result;
use fastrand::Rng;
use loadtest::{Client, Mix, Order, Sale};
use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

mod desk;
mod notebook;
mod visit;

pub use desk::Desk;
pub use notebook::{Counts, Notebook};
use visit::Visit;

/// Customers at the checkout at a time.
const BUYERS: usize = 40;
/// Customers who register, stand in line and choose their seats at a time; those behind the waiting room take seconds.
const ARRIVALS: usize = 64;
/// Customers who have their seats and wait for a free desk: enough that the sale goes on while nobody can arrive.
const READY: usize = 600;
/// So many of them are there when the sale begins.
const FIRST: usize = 200;
/// How long that may take in all before somebody gives up.
const ARRIVAL_PATIENCE: Duration = Duration::from_secs(20);
/// What a customer does between two things, so that a sale lasts as long as the faults do.
const BREATH_MS: std::ops::Range<u64> = 20..200;
/// Between two looks how many have arrived.
const LOOK: Duration = Duration::from_millis(20);
/// How long those who are there may take to leave once nobody new is let in.
const LEAVING: Duration = Duration::from_secs(90);
/// How customers behave: enough of them fail that compensation has work.
const MIX: Mix = Mix {
    insufficient_points: 18.0,
    double_submit: 8.0,
    two_tabs: 3.0,
    amount_changed: 1.0,
    goes_away: 4.0,
    ..Mix::CLEAN
};

/// The customers.
#[derive(Debug)]
pub struct Crowd {
    arrivals: JoinSet<()>,
    buyers: JoinSet<()>,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    sale: Sale,
    desk: Desk,
    notebook: Notebook,
    is_over: AtomicBool,
    turns: AtomicUsize,
    unlucky: AtomicU64,
    seed: u64,
}

impl Crowd {
    /// Opens a sale for so many customers and lets them in.
    ///
    /// # Errors
    /// When the sale cannot be opened.
    pub async fn start(target: &str, customers: usize, seed: u64) -> Result<Self> {
        let sale = Sale::open(&Client::connect(target).await?, customers, MIX, seed).await?;
        let (desk, notebook) = (Desk::new(target)?, Notebook::default());
        let (is_over, turns, unlucky) = (AtomicBool::new(false), AtomicUsize::new(0), AtomicU64::new(0));
        let shared = Arc::new(Shared { sale, desk, notebook, is_over, turns, unlucky, seed });
        let (ready, waiting) = mpsc::channel(READY);
        let waiting = Arc::new(Mutex::new(waiting));
        let (mut arrivals, mut buyers) = (JoinSet::new(), JoinSet::new());
        for _ in 0..ARRIVALS {
            arrivals.spawn(arrive(shared.clone(), ready.clone()));
        }
        while ready.max_capacity() - ready.capacity() < FIRST.min(customers) {
            sleep(LOOK).await;
        }
        for number in 0..BUYERS {
            buyers.spawn(buy(shared.clone(), number, waiting.clone()));
        }
        Ok(Self { arrivals, buyers, shared })
    }

    /// Lets nobody in any more, and returns once everybody has left.
    ///
    /// # Errors
    /// When somebody does not leave, or panics.
    pub async fn leave(&mut self) -> Result<()> {
        self.shared.is_over.store(true, Ordering::SeqCst);
        let end = async {
            for all in [&mut self.arrivals, &mut self.buyers] {
                while let Some(ended) = all.join_next().await {
                    ended?;
                }
            }
            Ok(())
        };
        timeout(LEAVING, end).await?
    }

    /// What was noted down.
    pub fn notebook(&self) -> &Notebook {
        &self.shared.notebook
    }

    /// Customers who did not come as far as the checkout.
    pub fn unlucky(&self) -> u64 {
        self.shared.unlucky.load(Ordering::SeqCst)
    }
}

/// Brings one customer after the other to where he can buy.
async fn arrive(shared: Arc<Shared>, ready: mpsc::Sender<(usize, Order)>) {
    while !shared.is_over.load(Ordering::SeqCst) {
        let turn = shared.turns.fetch_add(1, Ordering::SeqCst);
        let order = timeout(ARRIVAL_PATIENCE, shared.sale.order(turn)).await;
        let Ok(Ok(order)) = order else {
            shared.unlucky.fetch_add(1, Ordering::SeqCst);
            sleep(Duration::from_millis(BREATH_MS.end)).await;
            continue;
        };
        if ready.send((turn, order)).await.is_err() {
            return;
        }
    }
}

async fn buy(shared: Arc<Shared>, number: usize, waiting: Arc<Mutex<mpsc::Receiver<(usize, Order)>>>) {
    let mut random = Rng::with_seed(shared.seed ^ (number as u64 + 1).rotate_left(32));
    loop {
        let Some((turn, order)) = waiting.lock().await.recv().await else { return };
        // Those who are still in line when the sale is over go home.
        if !shared.is_over.load(Ordering::SeqCst) {
            let visit = Visit { desk: &shared.desk, notebook: &shared.notebook, client: turn as u64 };
            visit.run(&order, random.fork()).await;
        }
        let until = Instant::now() + Duration::from_millis(random.u64(BREATH_MS));
        tokio::time::sleep_until(until).await;
    }
}
