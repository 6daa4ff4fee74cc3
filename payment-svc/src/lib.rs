//! Payments: what is owed for a reservation or a charge of points, authorised before its saga decides and captured after
//! it, or by it. A payment with points needs nobody outside: the points that the same saga has reserved are its guarantee.
//! A payment by card is held, taken and given back by an outside processor, which is asked between transactions.
//!
//! Calls come over gRPC from people and from the orchestrator's sagas. The service calls the
//! processor; what it sends to others outside, and how it asks for phone numbers, stands in `deliver.rs`.

use service_kit::barrier::Barrier;
use service_kit::host::Host;
use service_kit::process::BoxError;
use tonic::service::Routes;

mod api;
mod config;
pub mod deliver;
mod desk;
mod errand;
mod health;
mod payment;
mod process;
mod processor;
mod refund;
mod settle;
mod steps;
mod store;
pub mod verify;
mod webhooks;
mod wire;

pub use config::Config;
pub use desk::Desk;
pub use process::{OUTBOX, Process, SERVICES};

const BARRIER: Barrier = service_kit::barrier!("payment", "ticketing.payment.v1");

/// What a started service offers.
#[derive(Debug)]
pub struct Started {
    /// Its gRPC routes.
    pub routes: Routes,
    /// What it answers over plain HTTP, where there is any of that.
    pub pages: Option<axum::Router>,
    /// Where the card processor is asked; none where cards are not offered.
    pub desk: Option<Desk>,
}

/// Brings the tables up to date, starts the jobs, and returns what the service answers.
///
/// # Errors
/// When the tables cannot be brought up to date, or the processor's address is none.
pub async fn start(host: &Host, config: Config) -> Result<Started, BoxError> {
    host.db.migrate("payment", migrations::payment::MIGRATIONS).await?;
    api::RETENTION.spawn(host, config.retention);
    let desk = if config.processor.is_empty() { None } else { Some(Desk::new(host, config.clone())?) };
    match &desk {
        Some(desk) => desk.spawn(host),
        None => warn_of_errands(host).await?,
    }
    let secret = Some(config.processor_secret.clone()).filter(|secret| !secret.is_empty());
    let pages = desk.clone().zip(secret).map(|(desk, secret)| webhooks::routes(desk, secret));
    let routes = api::routes(host.db.clone(), config, desk.clone());
    Ok(Started { routes, pages, desk })
}

/// Payments that wait for a processor wait for ever where none is set.
async fn warn_of_errands(host: &Host) -> Result<(), service_kit::db::Error> {
    if !host.db.read(async |tx| store::errands::due(tx, 1).await).await?.is_empty() {
        tracing::warn!("payments wait for the card processor, and none is set: set payment.processor to its address");
    }
    Ok(())
}
