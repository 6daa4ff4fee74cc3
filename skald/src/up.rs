//! Everything in one process and on one port: five services over one SQLite file, or each in a schema of its own on
//! PostgreSQL. The orchestrator calls the other four through the same clients and the same encoding as over a network,
//! only without sockets.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use events::Handler;
use orchestrator::participants::{Participant, Participants};
use orchestrator::plans::Plans;
use orchestrator::shards::{self, Shards};
use payment_svc::deliver::Deliveries;
use service_kit::clock::SystemClock;
use service_kit::db::{Db, Stats};
use service_kit::host::Host;
use service_kit::ids::Ids;
use service_kit::peer::Client;
use service_kit::process::{self, BoxError, Port, Serving};
use service_kit::serve::Served;
use tonic::service::Routes;

use crate::settings::Settings;
use crate::verify::Books;

/// How often it is looked whether checkouts are turned away, and for how long nobody is let in then.
const BRAKE_PERIOD: Duration = Duration::from_secs(1);
const BRAKE_MS: i64 = 2_000;

/// Puts something between the orchestrator and a participant, by its name: faults in a demo, nothing otherwise.
pub type Wrap = Box<dyn Fn(&'static str, Participant) -> Participant + Send>;

/// A running Skald.
#[derive(Debug)]
pub struct Running {
    /// Where it listens.
    pub address: SocketAddr,
    hosts: Hosts,
    /// One for all on SQLite, one for each service on PostgreSQL.
    databases: Vec<Db>,
    shards: Shards,
    drain: Duration,
    port: Serving,
}

impl Running {
    /// Returns if a database takes no writes any more. Ending the process is then the only way on: a start looks at it
    /// afresh.
    pub async fn fails(&self) {
        process::fails(&self.databases).await;
    }

    /// Its databases, by service.
    pub fn books(&self) -> Books {
        Books {
            concert: self.hosts.concert.db.clone(),
            customer: self.hosts.customer.db.clone(),
            payment: self.hosts.payment.db.clone(),
            token: self.hosts.token.db.clone(),
            orchestrator: vec![self.hosts.orchestrator.db.clone()],
        }
    }

    /// What the databases have done so far.
    pub fn stats(&self) -> Stats {
        let stats = self.databases.iter().map(Db::stats);
        stats.fold(Stats { commits: 0, units: 0 }, |all, one| Stats {
            commits: all.commits + one.commits,
            units: all.units + one.units,
        })
    }

    /// Takes nothing new, lets what is under way go on for a moment, and hands the rest over to the next process.
    ///
    /// # Errors
    /// When the journal could not be told, or the server had failed before.
    pub async fn shut_down(self) -> anyhow::Result<()> {
        self.port.health.set(false).await;
        let handed_over = self.shards.shut_down(self.drain).await;
        self.port.close().await?;
        for host in self.hosts.all() {
            host.shut_down().await;
        }
        handed_over.context("the open sagas could not be handed over; the next start takes them over all the same")
    }
}

/// Starts everything and returns once it listens.
///
/// # Errors
/// When the port or the database cannot be used, with what to do about it.
pub async fn start(settings: Settings, wrap: Wrap) -> anyhow::Result<Running> {
    let port = Port::bind(&settings.server.listen).await?;
    let hosts = Hosts::open(&settings).await?;
    let databases = if settings.database.is_remote() {
        hosts.all().map(|host| host.db.clone()).to_vec()
    } else {
        vec![hosts.orchestrator.db.clone()]
    };
    let drain = settings.orchestrator.drain();
    let limits = settings.server.limits.clone();
    let services = start_services(&hosts, settings, wrap).await?;
    let served = Served {
        grpc: services.grpc,
        services: names(),
        http: Some(services.pages),
        descriptors: Some(proto::FILE_DESCRIPTOR_SET),
    };
    let port = port.serve(served, limits).await?;
    Ok(Running { address: port.address, databases, hosts, shards: services.shards, drain, port })
}

/// The surroundings of each service.
#[derive(Debug)]
struct Hosts {
    orchestrator: Host,
    customer: Host,
    concert: Host,
    payment: Host,
    token: Host,
}

impl Hosts {
    async fn open(settings: &Settings) -> anyhow::Result<Self> {
        let (clock, ids) = (Arc::new(SystemClock), Ids::system());
        let file = Path::new(&settings.server.data_dir);
        let shared = match settings.database.is_remote() {
            true => None,
            false => Some(process::open(file, (&settings.database, "orchestrator"), clock.clone()).await?),
        };
        let host = async |service| -> anyhow::Result<Host> {
            let db = match &shared {
                Some(db) => db.clone(),
                None => process::open(file, (&settings.database, service), clock.clone()).await?,
            };
            Ok(Host::new(db, clock.clone(), ids.clone()))
        };
        Ok(Self {
            orchestrator: host("orchestrator").await?,
            customer: host("customer").await?,
            concert: host("concert").await?,
            payment: host("payment").await?,
            token: host("token").await?,
        })
    }

    fn all(&self) -> [&Host; 5] {
        [&self.orchestrator, &self.customer, &self.concert, &self.payment, &self.token]
    }
}

/// What answers on the port, and who drives the sagas.
struct Services {
    grpc: Routes,
    pages: axum::Router,
    shards: Shards,
}

async fn start_services(hosts: &Hosts, settings: Settings, wrap: Wrap) -> anyhow::Result<Services> {
    let token_svc::Started { routes: token, brake, .. } = token_svc::start(&hosts.token, settings.token).await?;
    let waiting_room = Client::new(token.clone());
    let (keys, held) = concert_svc::waiting_room::attend(&hosts.concert, waiting_room.clone()).await;
    let concert = concert_svc::start(&hosts.concert, settings.concert, keys, held).await?;
    concert_svc::waiting_room::tell_of_stock(&hosts.concert, &settings.concert, waiting_room);
    let customer = customer_svc::start(&hosts.customer, settings.customer).await?;
    let started = payment_svc::start(&hosts.payment, settings.payment.clone()).await;
    let started = started.map_err(anyhow::Error::from_boxed)?;
    let customers = || Client::new(customer.clone());
    let deliveries = Deliveries::new(&hosts.payment, &settings.payment, customers).map_err(anyhow::Error::msg)?;
    deliveries.spawn(&hosts.payment);
    let payment = deliveries.beside(started.routes);
    let webhooks = started.pages.unwrap_or_default().merge(deliveries.pages());
    let participants = [("concert", &concert), ("customer", &customer), ("payment", &payment), ("token", &token)];
    let participants = participants.map(|(name, routes)| (name, wrap(name, Participant::new(routes.clone()))));
    let participants = Participants::new(participants).within(&hosts.concert.db);
    let spread = shards::open(&settings.shards, &settings.database).await.map_err(anyhow::Error::from_boxed)?;
    let databases = shards::databases(&hosts.orchestrator, &spread);
    let coordinator =
        orchestrator::start(&hosts.orchestrator, settings.orchestrator, Plans::default(), participants, spread).await?;
    brake_admissions(&hosts.token, brake, coordinator.shards.clone());
    relay(hosts, &databases, &settings.events, &[deliveries.handler()]).await.map_err(anyhow::Error::from_boxed)?;
    let all = [concert, customer, payment, token, coordinator.grpc];
    let grpc = all.into_iter().map(|routes| routes.into_axum_router().reset_fallback());
    let grpc = grpc.fold(axum::Router::new(), axum::Router::merge);
    let pages = coordinator.pages.merge(webhooks);
    Ok(Services { grpc: Routes::from(grpc), pages, shards: coordinator.shards })
}

/// Lets nobody into the sale while the orchestrator turns checkouts away.
fn brake_admissions(host: &Host, brake: token_svc::Brake, shards: Shards) {
    let clock = host.clock.clone();
    host.every(BRAKE_PERIOD, "brake of admissions", move || {
        if shards.is_full() {
            brake.pull_until(clock.now_ms() + BRAKE_MS);
        }
        std::future::ready(Ok::<_, std::convert::Infallible>(()))
    });
}

/// Takes the events of all services to all sinks, and to the handlers of this process.
async fn relay(
    hosts: &Hosts,
    databases: &[Db],
    settings: &events::Settings,
    handlers: &[Arc<dyn Handler>],
) -> Result<(), BoxError> {
    let sinks = events::sinks(settings, handlers)?;
    for db in databases {
        events::relay(&hosts.orchestrator, (db, &orchestrator::OUTBOX), &sinks, settings).await?;
    }
    for (host, outbox) in [
        (&hosts.concert, &concert_svc::OUTBOX),
        (&hosts.customer, &customer_svc::OUTBOX),
        (&hosts.payment, &payment_svc::OUTBOX),
        (&hosts.token, &token_svc::OUTBOX),
    ] {
        events::relay(host, (&host.db, outbox), &sinks, settings).await?;
    }
    events::consume(&hosts.payment, settings, handlers);
    Ok(())
}

/// All services on the port, for health and reflection.
fn names() -> Vec<&'static str> {
    let all = [
        orchestrator::SERVICES,
        customer_svc::SERVICES,
        concert_svc::SERVICES,
        payment_svc::SERVICES,
        token_svc::SERVICES,
    ];
    all.concat()
}
