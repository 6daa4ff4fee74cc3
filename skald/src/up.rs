//! Everything in one process: five services over one SQLite file and one port. The orchestrator calls the other four
//! through the same clients and the same encoding as over a network, only without sockets.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use concert_svc::HoldPlaced;
use orchestrator::participants::{Participant, Participants};
use orchestrator::runner::Runner;
use proto::token::v1::ExtendQueueTokenRequest;
use proto::token::v1::queue_token_service_client::QueueTokenServiceClient;
use proto::{concert, customer, orchestrator as coordinator, payment, token};
use service_kit::clock::SystemClock;
use service_kit::db::Db;
use service_kit::host::Host;
use service_kit::ids::Ids;
use service_kit::serve::{self, Served};
use service_kit::wire;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::service::Routes;

use crate::settings::Settings;

/// Holds that may wait until the waiting room hears of them; more are not told, which only shortens a token's life.
const HOLDS: usize = 1024;

/// How much longer than its hold a place in the waiting room lasts, in milliseconds: time to pay.
const TOKEN_MARGIN_MS: i64 = 60_000;

/// Puts something between the orchestrator and a participant, by its name: faults in a demo, nothing otherwise.
pub type Wrap = Box<dyn Fn(&'static str, Participant) -> Participant + Send>;

/// A running Skald.
#[derive(Debug)]
pub struct Running {
    /// Where it listens.
    pub address: SocketAddr,
    /// Its database.
    pub db: Db,
    runner: Runner,
    drain: Duration,
    stop: CancellationToken,
    server: JoinHandle<Result<(), serve::Error>>,
}

impl Running {
    /// Returns if the database takes no writes any more. Ending the process is then the only way on: a start looks at the
    /// file afresh.
    pub async fn fails(&self) {
        while !self.db.is_out_of_service() {
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    /// Takes nothing new, lets what is under way go on for a moment, and hands the rest over to the next process.
    ///
    /// # Errors
    /// When the journal could not be told, or the server had failed before.
    pub async fn shut_down(self) -> anyhow::Result<()> {
        let handed_over = self.runner.shut_down(self.drain).await;
        self.stop.cancel();
        self.server.await.context("the server's task ended in a panic")??;
        handed_over.context("the open sagas could not be handed over; the next start takes them over all the same")
    }
}

/// Starts everything and returns once it listens.
///
/// # Errors
/// When the port or the data directory cannot be used, with what to do about it.
pub async fn start(settings: Settings, wrap: Wrap) -> anyhow::Result<Running> {
    let listen = &settings.server.listen;
    let listener = TcpListener::bind(listen)
        .await
        .with_context(|| format!("cannot listen on {listen}; choose another address with --listen"))?;
    let address = listener.local_addr()?;
    let clock = Arc::new(SystemClock);
    let db = Db::open(Path::new(&settings.server.data_dir), clock.clone())?;
    let host = Host::new(db.clone(), clock, Ids::system());
    let drain = Duration::from_millis(settings.orchestrator.drain_ms);
    let limits = settings.server.limits.clone();
    let services = start_services(&host, settings, wrap).await?;
    let served = Served {
        grpc: services.grpc,
        services: SERVICES.to_vec(),
        http: Some(services.pages),
        descriptors: Some(proto::FILE_DESCRIPTOR_SET),
    };
    let server = serve::Server::new(served, limits).await?;
    let stop = CancellationToken::new();
    // Not among the tasks that the runner waits for when it shuts down: the server stops after it.
    let server = TaskTracker::new().spawn(server.serve(listener, stop.clone()));
    Ok(Running { address, db, runner: services.runner, drain, stop, server })
}

/// Passes placed holds on to the waiting room, so that a place in it outlives the hold.
async fn tell_waiting_room(host: Host, mut holds: mpsc::Receiver<HoldPlaced>, token: Participant) {
    while let Some(Some(hold)) = host.stop.run_until_cancelled(holds.recv()).await {
        let min_expire_time = Some(wire::timestamp(hold.hold_expire_ms.saturating_add(TOKEN_MARGIN_MS)));
        let request = ExtendQueueTokenRequest { name: hold.queue_token, min_expire_time };
        if let Err(status) = QueueTokenServiceClient::new(token.clone()).extend_queue_token(request).await {
            tracing::debug!(%status, "a queue token was not extended; it may lapse before its hold");
        }
    }
}

/// What answers on the port, and who drives the sagas.
struct Services {
    grpc: Routes,
    pages: axum::Router,
    runner: Runner,
}

async fn start_services(host: &Host, settings: Settings, wrap: Wrap) -> anyhow::Result<Services> {
    let (held, holds) = mpsc::channel(HOLDS);
    let token = token_svc::start(host, settings.token).await?;
    let concert = concert_svc::start(host, settings.concert, token.keys, held).await?;
    let customer = customer_svc::start(host, settings.customer).await?;
    let payment = payment_svc::start(host, settings.payment).await?;
    let participants = Participants::new([
        ("concert", wrap("concert", Participant::new(concert.clone()))),
        ("customer", wrap("customer", Participant::new(customer.clone()))),
        ("payment", wrap("payment", Participant::new(payment.clone()))),
        ("token", wrap("token", Participant::new(token.routes.clone()))),
    ]);
    host.tasks.spawn(tell_waiting_room(host.clone(), holds, Participant::new(token.routes.clone())));
    let coordinator = orchestrator::start(host, settings.orchestrator, participants).await?;
    let all = [concert, customer, payment, token.routes, coordinator.grpc];
    let grpc = all.into_iter().map(|routes| routes.into_axum_router().reset_fallback());
    let grpc = grpc.fold(axum::Router::new(), axum::Router::merge);
    Ok(Services { grpc: Routes::from(grpc), pages: coordinator.pages, runner: coordinator.runner })
}

/// The services on the port, for health and reflection.
const SERVICES: [&str; 9] = [
    concert::v1::concert_service_server::SERVICE_NAME,
    concert::v1::reservation_service_server::SERVICE_NAME,
    customer::v1::customer_service_server::SERVICE_NAME,
    customer::v1::point_service_server::SERVICE_NAME,
    payment::v1::payment_service_server::SERVICE_NAME,
    token::v1::queue_token_service_server::SERVICE_NAME,
    token::v1::waiting_room_service_server::SERVICE_NAME,
    coordinator::v1::checkout_service_server::SERVICE_NAME,
    coordinator::v1::saga_service_server::SERVICE_NAME,
];
