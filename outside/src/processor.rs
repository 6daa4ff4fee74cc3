//! A card processor: it holds, takes and gives back money, and knows each payment by its merchant's id, so that a request
//! may be repeated. A void of an id that it does not know bars that id. It keeps its own books, and misbehaves as it is
//! told to.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

mod api;
mod books;
mod faults;
mod webhooks;

use books::Books;
pub use books::{No, Payment, State};
use faults::Fate;
pub use faults::Faults;
pub use webhooks::SIGNATURE;
use webhooks::Webhooks;

/// Webhooks and repeated requests that wait for their time; what is beyond gets lost, as it does with others.
const LATER: usize = 10_000;

/// What the processor is started with.
#[derive(Debug, Clone, clap::Args)]
pub struct Arguments {
    /// Where it listens.
    #[arg(long, default_value = "127.0.0.1:7081")]
    pub listen: SocketAddr,
    /// Where it sends its webhooks to; nowhere when this is not given.
    #[arg(long, value_name = "URL")]
    pub webhooks: Option<String>,
    /// What it signs them with.
    #[arg(long, default_value = "")]
    pub secret: String,
    /// What its misbehaviour is drawn from.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// How it misbehaves, as JSON; `GET /admin/faults` shows the form, `PUT` changes it.
    #[arg(long, default_value = "{}", value_parser = parse_faults)]
    pub faults: Faults,
}

fn parse_faults(text: &str) -> Result<Faults, serde_json::Error> {
    serde_json::from_str(text)
}

impl Arguments {
    /// A well-behaved processor on a free port of this machine.
    pub fn loopback(seed: u64) -> Self {
        let listen = SocketAddr::from(([127, 0, 0, 1], 0));
        Self { listen, webhooks: None, secret: String::new(), seed, faults: Faults::default() }
    }
}

/// Runs the processor until it is asked to end.
///
/// # Errors
/// When it cannot listen.
pub async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let asked = service_kit::serve::shutdown_signal()?;
    let processor = Processor::start(arguments).await?;
    println!("processor: {}", processor.url());
    asked.await;
    Ok(())
}

/// A running processor. Dropped, it ends at once.
#[derive(Debug)]
pub struct Processor {
    desk: SharedDesk,
    address: SocketAddr,
    stop: CancellationToken,
}

impl Processor {
    /// Starts it and returns once it listens.
    ///
    /// # Errors
    /// When it cannot listen, or the webhooks' URL is none.
    pub async fn start(arguments: Arguments) -> anyhow::Result<Self> {
        let listener = TcpListener::bind(arguments.listen).await?;
        let address = listener.local_addr()?;
        let webhooks = arguments.webhooks.map(|url| Webhooks::to(&url, &arguments.secret)).transpose()?;
        let stop = CancellationToken::new();
        let desk = Arc::new(Desk {
            books: Mutex::default(),
            random: Mutex::new(fastrand::Rng::with_seed(arguments.seed)),
            faults: watch::Sender::new(arguments.faults),
            webhooks: Mutex::new(webhooks),
            later: Arc::new(Semaphore::new(LATER)),
            tasks: TaskTracker::new(),
            stop: stop.clone(),
        });
        let server = axum::serve(listener, api::routes(desk.clone())).into_future();
        desk.tasks.spawn(stop.clone().run_until_cancelled_owned(server));
        Ok(Self { desk, address, stop })
    }

    /// Where it is called.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Misbehaves like this from now on.
    pub fn set(&self, faults: Faults) {
        self.desk.set(faults);
    }

    /// Sends webhooks there from now on.
    ///
    /// # Errors
    /// When that is no URL.
    pub fn send_webhooks(&self, url: &str, secret: &str) -> anyhow::Result<()> {
        *lock(&self.desk.webhooks) = Some(Webhooks::to(url, secret)?);
        Ok(())
    }

    /// All payments, by the merchant's id.
    pub fn books(&self) -> BTreeMap<String, Payment> {
        self.desk.books()
    }

    /// Waits until everything that was to come later has come.
    pub async fn settle(&self) {
        let all = u32::try_from(LATER).unwrap_or(u32::MAX);
        drop(self.desk.later.acquire_many(all).await);
    }
}

impl Drop for Processor {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

type SharedDesk = Arc<Desk>;

/// What all requests share.
#[derive(Debug)]
struct Desk {
    books: Mutex<Books>,
    random: Mutex<fastrand::Rng>,
    faults: watch::Sender<Faults>,
    webhooks: Mutex<Option<Webhooks>>,
    later: Arc<Semaphore>,
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl Desk {
    /// Draws what happens to a request, once requests are let in.
    async fn receive(&self) -> Fate {
        let mut faults = self.faults.subscribe();
        // The sender is ours, so it lives as long as we wait.
        drop(faults.wait_for(|faults| !faults.hold).await);
        let faults = self.faults();
        faults.fate(&mut lock(&self.random))
    }

    fn with<T>(&self, work: impl FnOnce(&mut Books) -> T) -> T {
        work(&mut lock(&self.books))
    }

    fn tell(&self, payment: &str, event: &'static str) {
        let Some(webhooks) = lock(&self.webhooks).clone() else { return };
        let copies = self.faults().webhooks(&mut lock(&self.random));
        for delay in copies {
            let (webhooks, payment) = (webhooks.clone(), payment.to_owned());
            self.spawn(async move { webhooks.send(payment, event, delay).await });
        }
    }

    fn later(&self, delay: Duration, work: impl FnOnce() + Send + 'static) {
        self.spawn(async move {
            tokio::time::sleep(delay).await;
            work();
        });
    }

    fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        let Ok(place) = self.later.clone().try_acquire_owned() else { return };
        let stop = self.stop.clone();
        self.tasks.spawn(async move {
            stop.run_until_cancelled(work).await;
            drop(place);
        });
    }

    fn set(&self, faults: Faults) {
        self.faults.send_replace(faults);
    }

    fn faults(&self) -> Faults {
        self.faults.borrow().clone()
    }

    fn books(&self) -> BTreeMap<String, Payment> {
        self.with(|books| books.all())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
