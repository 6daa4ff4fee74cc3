//! Everything that can be set when all runs in one process, with its defaults. Where a value comes from is the kit's
//! affair: defaults, then a file, then the environment, then flags.

use serde::{Deserialize, Serialize};
use service_kit::process::{self, Database, Server, ports};

/// Settings of `skald up`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Where it listens and keeps its data.
    pub server: Server,
    /// PostgreSQL instead of a file.
    pub database: Database,
    /// The coordinator.
    pub orchestrator: orchestrator::Config,
    /// Databases that sagas are spread over by their buckets; all of them lie in `database` when there are none.
    pub shards: Vec<orchestrator::shards::ShardSettings>,
    /// Customers and points.
    pub customer: customer_svc::Config,
    /// Concerts, seats and reservations.
    pub concert: concert_svc::Config,
    /// Payments.
    pub payment: payment_svc::Config,
    /// Waiting rooms and queue tokens.
    pub token: token_svc::Config,
    /// Where events go.
    pub events: events::Settings,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            server: Server::on(ports::ORCHESTRATOR),
            database: Database::default(),
            orchestrator: orchestrator::Config::default(),
            shards: Vec::new(),
            customer: customer_svc::Config::default(),
            concert: concert_svc::Config::default(),
            payment: payment_svc::Config::default(),
            token: token_svc::Config::default(),
            events: events::Settings::default(),
        }
    }
}

impl process::Settings for Settings {
    fn own(&self) -> (&Server, &Database) {
        (&self.server, &self.database)
    }
}
