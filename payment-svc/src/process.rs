//! The service as a process of its own: what can be set for it, whom it calls, and what it answers to.

use proto::payment::v1::{delivery_service_server, payment_service_server};
use serde::{Deserialize, Serialize};
use service_kit::host::Host;
use service_kit::outbox::Outbox;
use service_kit::peer::{Client, Peer};
use service_kit::process::{self, BoxError, Database, Peers, Server, Started, ports};

use crate::Config;
use crate::deliver::Deliveries;

/// The full names of its gRPC services.
pub const SERVICES: &[&str] = &[payment_service_server::SERVICE_NAME, delivery_service_server::SERVICE_NAME];

/// Where its events wait.
pub static OUTBOX: Outbox = service_kit::outbox!("payment");

/// Everything that can be set.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Process {
    /// The process itself.
    pub server: Server,
    /// Where it keeps its tables.
    pub database: Database,
    /// Whom it calls: the customer service alone, for phone numbers.
    pub peers: Peers,
    /// The service.
    pub payment: Config,
    /// Where its events go.
    pub events: events::Settings,
}

impl Default for Process {
    fn default() -> Self {
        let (database, peers) = (Database::default(), Peers::default());
        let events = events::Settings::default();
        Self { server: Server::on(ports::PAYMENT), database, peers, payment: Config::default(), events }
    }
}

impl process::Settings for Process {
    fn own(&self) -> (&Server, &Database) {
        (&self.server, &self.database)
    }
}

impl process::Service for Process {
    const NAME: &'static str = "payment";

    async fn start(self, host: &Host) -> Result<Started, BoxError> {
        let customers = || Client::new(Peer::new("customer", &self.peers.customer, self.peers.connections));
        let payment = crate::start(host, self.payment.clone()).await?;
        let deliveries = Deliveries::new(host, &self.payment, customers)?;
        deliveries.spawn(host);
        events::start(host, &self.events, &OUTBOX, &[deliveries.handler()]).await?;
        let pages = payment.pages.unwrap_or_default().merge(deliveries.pages());
        let started = Started::new(deliveries.beside(payment.routes), SERVICES);
        Ok(Started { pages: Some(pages), ..started })
    }
}
