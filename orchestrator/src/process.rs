//! The orchestrator as a process of its own: what can be set for it, whom it calls, and what it answers to.

use proto::orchestrator::v1::{checkout_service_server, saga_service_server};
use serde::{Deserialize, Serialize};
use service_kit::host::Host;
use service_kit::outbox::Outbox;
use service_kit::peer::Peer;
use service_kit::process::{self, BoxError, Database, Peers, Server, Started, ports};

use crate::Config;
use crate::participants::{Participant, Participants};
use crate::plans::Plans;
use crate::shards::{self, ShardSettings};

/// The full names of its gRPC services.
pub const SERVICES: &[&str] = &[checkout_service_server::SERVICE_NAME, saga_service_server::SERVICE_NAME];

/// Where its events wait, in each of its databases.
pub static OUTBOX: Outbox = service_kit::outbox!("orchestrator");

/// Everything that can be set.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Process {
    /// The process itself.
    pub server: Server,
    /// Where it keeps its tables.
    pub database: Database,
    /// The participants.
    pub peers: Peers,
    /// The coordinator.
    pub orchestrator: Config,
    /// Databases that sagas are spread over by their buckets; all of them lie in `database` when there are none.
    pub shards: Vec<ShardSettings>,
    /// Where its events go.
    pub events: events::Settings,
}

impl Default for Process {
    fn default() -> Self {
        let (database, peers) = (Database::default(), Peers::default());
        Self {
            server: Server::on(ports::ORCHESTRATOR),
            database,
            peers,
            orchestrator: Config::default(),
            shards: Vec::new(),
            events: events::Settings::default(),
        }
    }
}

impl process::Settings for Process {
    fn own(&self) -> (&Server, &Database) {
        (&self.server, &self.database)
    }
}

impl process::Service for Process {
    const NAME: &'static str = "orchestrator";

    async fn start(self, host: &Host) -> Result<Started, BoxError> {
        self.start_with(host, Plans::default()).await
    }
}

impl Process {
    /// As it starts by itself, with other kinds of sagas or other versions of them besides.
    ///
    /// # Errors
    /// Why it cannot start.
    pub async fn start_with(self, host: &Host, plans: Plans) -> Result<Started, BoxError> {
        let drain = self.orchestrator.drain();
        let spread = shards::open(&self.shards, &self.database).await?;
        let databases = shards::databases(host, &spread);
        let started = crate::start(host, self.orchestrator, plans, participants(&self.peers), spread).await?;
        let sinks = events::sinks(&self.events, &[])?;
        for db in &databases {
            events::relay(host, (db, &OUTBOX), &sinks, &self.events).await?;
        }
        let shards = started.shards;
        Ok(Started {
            grpc: started.grpc,
            services: SERVICES.to_vec(),
            pages: Some(started.pages),
            farewell: Box::pin(async move { Ok(shards.shut_down(drain).await?) }),
        })
    }
}

/// The participants, over the network.
fn participants(peers: &Peers) -> Participants {
    let at = |name, addresses| (name, Participant::new(Peer::new(name, addresses, peers.connections)));
    Participants::new([
        at("concert", &peers.concert),
        at("customer", &peers.customer),
        at("payment", &peers.payment),
        at("token", &peers.token),
    ])
}
