//! Customers and their points: who may buy, what he has, and the double-entry ledger of how it came and went. A checkout
//! sets points aside, and later spends them or gives them back; only its own saga resolves what it set aside.
//!
//! Calls come over gRPC from people and from the orchestrator's sagas. The service calls nobody.

use service_kit::db;
use service_kit::host::Host;
use tonic::service::Routes;

mod api;
mod audit;
mod books;
mod config;
mod customers;
mod events;
mod jobs;
mod ledger;
mod points;
mod process;
mod store;
pub mod verify;
mod wire;

pub use config::Config;
pub use jobs::{check_ledger, walk};
pub use process::{OUTBOX, Process, SERVICES};

/// Brings the tables up to date, starts the jobs, and returns the service's gRPC routes.
///
/// # Errors
/// When the tables cannot be brought up to date.
pub async fn start(host: &Host, config: Config) -> Result<Routes, db::Error> {
    host.db.migrate("customer", migrations::customer::MIGRATIONS).await?;
    jobs::spawn(host, config);
    api::RETENTION.spawn(host, config.retention);
    Ok(api::routes(host, config))
}
