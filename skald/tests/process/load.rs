//! Customers who go on buying, whatever happens to the server, and remember what they were told.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use orchestrator::journal::{Journal as _, LEASE, Query, SqlJournal};
use proto::orchestrator::v1::checkout::State;
use proto::orchestrator::v1::checkout_service_client::CheckoutServiceClient;
use proto::orchestrator::v1::saga_service_client::SagaServiceClient;
use proto::orchestrator::v1::{Checkout, GetCheckoutRequest, GetSagaRequest, ListCheckoutsRequest};
use service_kit::clock::SystemClock;
use service_kit::db::Db;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};
use tonic::Code;
use tonic::transport::Channel;

use crate::process::Skald;
use crate::shop::Order;

/// Customers at a time.
const CUSTOMERS: usize = 32;
/// How long anything that must happen may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// What all customers know together.
#[derive(Default)]
pub(crate) struct Ledger {
    waiting: Mutex<VecDeque<Order>>,
    /// The checkout that each request was answered with.
    accepted: Mutex<BTreeMap<String, String>>,
    /// Requests that got no answer, at least once.
    doubted: Mutex<BTreeMap<String, Order>>,
}

impl Ledger {
    pub(crate) fn new(orders: Vec<Order>) -> Arc<Self> {
        Arc::new(Self { waiting: Mutex::new(orders.into()), ..Self::default() })
    }

    pub(crate) fn accepted(&self) -> MutexGuard<'_, BTreeMap<String, String>> {
        self.accepted.lock().expect("nobody panics while holding it")
    }

    pub(crate) fn doubted(&self) -> MutexGuard<'_, BTreeMap<String, Order>> {
        self.doubted.lock().expect("nobody panics while holding it")
    }

    pub(crate) fn waiting(&self) -> MutexGuard<'_, VecDeque<Order>> {
        self.waiting.lock().expect("nobody panics while holding it")
    }

    /// One request means one checkout, however often it is sent.
    fn accept(&self, order: &Order, checkout: &str) {
        let before = self.accepted().insert(order.request_id.clone(), checkout.to_owned());
        assert!(before.is_none_or(|before| before == checkout), "{order:?} is another checkout now: {checkout}");
    }

    /// Without an answer, the next thing to do is to ask again.
    fn doubt(&self, order: Order) {
        self.doubted().insert(order.request_id.clone(), order.clone());
        self.waiting().push_front(order);
    }
}

/// The customers of one life of the server.
pub(crate) struct Load {
    customers: JoinSet<()>,
    ledger: Arc<Ledger>,
    dying: Arc<AtomicBool>,
}

impl Load {
    pub(crate) fn start(channel: &Channel, ledger: &Arc<Ledger>) -> Self {
        let (mut customers, dying) = (JoinSet::new(), Arc::new(AtomicBool::new(false)));
        for _ in 0..CUSTOMERS {
            let (channel, ledger, dying) = (channel.clone(), ledger.clone(), dying.clone());
            customers.spawn(buy(CheckoutServiceClient::new(channel), ledger, dying));
        }
        Self { customers, ledger: ledger.clone(), dying }
    }

    /// Waits until so many more requests have been answered.
    pub(crate) async fn answers(&self, more: usize) {
        let wanted = self.ledger.accepted().len() + more;
        let until = Instant::now() + PATIENCE;
        while self.ledger.accepted().len() < wanted {
            assert!(Instant::now() < until, "checkouts are no longer accepted");
            sleep(Duration::from_millis(1)).await;
        }
    }

    /// From here on calls may fail.
    pub(crate) fn expect_the_worst(&self) {
        self.dying.store(true, Ordering::SeqCst);
    }

    /// Waits until all customers have gone: there is nobody to buy from, or nothing left to buy.
    pub(crate) async fn end(self) {
        self.customers.join_all().await;
    }
}

async fn buy(mut client: CheckoutServiceClient<Channel>, ledger: Arc<Ledger>, dying: Arc<AtomicBool>) {
    loop {
        let Some(order) = ledger.waiting().pop_front() else { return };
        match client.create_checkout(order.request()).await {
            Ok(checkout) => ledger.accept(&order, &checkout.into_inner().name),
            Err(status) => {
                // What a cut connection looks like, and what a server says that is about to stop.
                let cut = [Code::Unavailable, Code::Unknown, Code::Cancelled, Code::Internal].contains(&status.code());
                assert!(cut && dying.load(Ordering::SeqCst), "{status:?}");
                ledger.doubt(order);
                return;
            }
        }
    }
}

/// The open sagas in a directory that nobody uses, with their versions.
pub(crate) async fn open_sagas(data_dir: &Path) -> BTreeMap<String, i64> {
    let db = Db::open_read_only(data_dir, Arc::new(SystemClock)).expect("there is a database");
    let all =
        SqlJournal::new(db, LEASE).list(&Query { limit: 10_000, ..Query::default() }).await.expect("it can be read");
    let open = all.into_iter().filter(|record| !record.saga.is_terminal());
    open.map(|record| (format!("sagas/{}", record.id), record.version)).collect()
}

/// How long after it listens all of these sagas have gone on.
pub(crate) async fn resumed(skald: &Skald, channel: &Channel, mut open: BTreeMap<String, i64>) -> Duration {
    let mut client = SagaServiceClient::new(channel.clone());
    let mut slowest = Duration::ZERO;
    while let Some((name, version)) = open.pop_first() {
        let saga = client.get_saga(GetSagaRequest { name: name.clone() }).await.expect("it is there").into_inner();
        if saga.version == version && saga.end_time.is_none() {
            assert!(skald.listening.elapsed() < PATIENCE, "{name} does not go on");
            open.insert(name, version);
            sleep(Duration::from_millis(2)).await;
        } else {
            slowest = skald.listening.elapsed();
        }
    }
    slowest
}

/// Waits until the checkout has ended; tells how.
pub(crate) async fn ended(channel: &Channel, name: &str) -> State {
    let mut client = CheckoutServiceClient::new(channel.clone());
    let until = Instant::now() + PATIENCE;
    loop {
        let request = GetCheckoutRequest { name: name.to_owned() };
        let checkout = client.get_checkout(request).await.expect("an accepted checkout exists").into_inner();
        if matches!(checkout.state(), State::Completed | State::Failed) {
            return checkout.state();
        }
        assert!(Instant::now() < until, "{name} stays {:?}", checkout.state());
        sleep(Duration::from_millis(5)).await;
    }
}

/// The names of all checkouts there are.
pub(crate) async fn all_checkouts(channel: &Channel) -> BTreeSet<String> {
    let mut client = CheckoutServiceClient::new(channel.clone());
    let (mut names, mut page_token) = (BTreeSet::new(), String::new());
    loop {
        let request = ListCheckoutsRequest { page_size: 500, page_token, ..Default::default() };
        let page = client.list_checkouts(request).await.expect("they can be listed").into_inner();
        names.extend(page.checkouts.into_iter().map(|Checkout { name, .. }| name));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return names;
        }
    }
}
