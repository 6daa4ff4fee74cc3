//! The service as a process of its own: what can be set for it, and what it answers to.

use proto::token::v1::{queue_token_service_server, waiting_room_service_server};
use serde::{Deserialize, Serialize};
use service_kit::host::Host;
use service_kit::outbox::Outbox;
use service_kit::process::{self, BoxError, Database, Server, Started, ports};

use crate::Config;

/// The full names of its gRPC services.
pub const SERVICES: &[&str] = &[queue_token_service_server::SERVICE_NAME, waiting_room_service_server::SERVICE_NAME];

/// Where its events wait.
pub static OUTBOX: Outbox = service_kit::outbox!("token");

/// Everything that can be set.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Process {
    /// The process itself.
    pub server: Server,
    /// Where it keeps its tables.
    pub database: Database,
    /// The service.
    pub token: Config,
    /// Where its events go.
    pub events: events::Settings,
}

impl Default for Process {
    fn default() -> Self {
        Self {
            server: Server::on(ports::TOKEN),
            database: Database::default(),
            token: Config::default(),
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
    const NAME: &'static str = "token";

    async fn start(self, host: &Host) -> Result<Started, BoxError> {
        let routes = crate::start(host, self.token).await?.routes;
        events::start(host, &self.events, &OUTBOX, &[]).await?;
        Ok(Started::new(routes, SERVICES))
    }
}
