//! The service as a process of its own: what can be set for it, whom it calls, and what it answers to.

use proto::concert::v1::{concert_service_server, reservation_service_server};
use serde::{Deserialize, Serialize};
use service_kit::host::Host;
use service_kit::outbox::Outbox;
use service_kit::peer::{Client, Peer};
use service_kit::process::{self, BoxError, Database, Peers, Server, Started, ports};

use crate::{Config, waiting_room};

/// The full names of its gRPC services.
pub const SERVICES: &[&str] = &[concert_service_server::SERVICE_NAME, reservation_service_server::SERVICE_NAME];

/// Where its events wait.
pub static OUTBOX: Outbox = service_kit::outbox!("concert");

/// Everything that can be set.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Process {
    /// The process itself.
    pub server: Server,
    /// Where it keeps its tables.
    pub database: Database,
    /// Whom it calls: the waiting room alone.
    pub peers: Peers,
    /// The service.
    pub concert: Config,
    /// Where its events go.
    pub events: events::Settings,
}

impl Default for Process {
    fn default() -> Self {
        let (database, peers) = (Database::default(), Peers::default());
        let events = events::Settings::default();
        Self { server: Server::on(ports::CONCERT), database, peers, concert: Config::default(), events }
    }
}

impl process::Settings for Process {
    fn own(&self) -> (&Server, &Database) {
        (&self.server, &self.database)
    }
}

impl process::Service for Process {
    const NAME: &'static str = "concert";

    async fn start(self, host: &Host) -> Result<Started, BoxError> {
        let token = Client::new(Peer::new("token", &self.peers.token, self.peers.connections));
        let (keys, held) = waiting_room::attend(host, token.clone()).await;
        let routes = crate::start(host, self.concert, keys, held).await?;
        waiting_room::tell_of_stock(host, &self.concert, token);
        events::start(host, &self.events, &OUTBOX, &[]).await?;
        Ok(Started::new(routes, SERVICES))
    }
}
