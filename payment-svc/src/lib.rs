//! Payments: what is owed for a reservation, authorised before the sale is decided and captured after it. A payment with
//! points needs no outside processor: the points that the same saga has reserved are its guarantee.
//!
//! Calls come over gRPC from people and from the orchestrator's sagas. The service calls nobody. Refunds and deliveries
//! are in the contract and not here yet.

use service_kit::db;
use service_kit::host::Host;
use tonic::service::Routes;

mod api;
mod config;
mod payment;
mod process;
mod store;
pub mod verify;
mod wire;

pub use config::Config;
pub use process::{OUTBOX, Process, SERVICES};

/// Brings the tables up to date and returns the service's gRPC routes.
///
/// # Errors
/// When the tables cannot be brought up to date.
pub async fn start(host: &Host, config: Config) -> Result<Routes, db::Error> {
    host.db.migrate("payment", migrations::payment::MIGRATIONS).await?;
    Ok(api::routes(host.db.clone(), config))
}
