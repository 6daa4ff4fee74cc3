//! Waiting rooms in front of sales: who comes first takes a place in line, the head moves no faster than the sale can
//! serve, and whoever's turn has come gets a signed pass that the sale checks by itself.
//!
//! Calls come over gRPC from customers, operators and the orchestrator's sagas. The service calls nobody.

use service_kit::db;
use service_kit::host::Host;
use service_kit::pass::VerifyingKeys;
use tonic::service::Routes;

mod admission;
mod api;
mod brake;
mod config;
mod events;
mod jobs;
mod keys;
mod line;
mod polls;
mod process;
mod queue;
mod room;
pub mod shuffle;
mod store;
mod tokens;
pub mod verify;
mod wire;

pub use brake::Brake;
use wire::tokens::View;

pub use config::Config;
pub use jobs::Jobs;
pub use process::{OUTBOX, Process, SERVICES};

/// What a started service offers.
#[derive(Debug)]
pub struct Started {
    /// Its gRPC routes.
    pub routes: Routes,
    /// The keys that its passes are checked with, for a sale in the same process.
    pub keys: VerifyingKeys,
    /// Its rounds, which run by themselves until the host stops.
    pub jobs: Jobs,
    /// Stops admissions for a while, for a host that knows of an overload.
    pub brake: Brake,
}

/// Brings the tables up to date, starts the jobs, and returns the service's routes and keys.
///
/// # Errors
/// When the tables cannot be brought up to date, or the key cannot be read.
pub async fn start(host: &Host, config: Config) -> Result<Started, db::Error> {
    host.db.migrate("token", migrations::token::MIGRATIONS).await?;
    let (signing, keys) = keys::load(host).await?;
    let (view, brake) = (View::new(signing, &config), Brake::default());
    let line = line::open(&config.store, host, &view).await?;
    let jobs = Jobs::new(host, line.clone(), config.clone(), brake.clone());
    jobs.spawn(host);
    api::RETENTION.spawn(host, config.retention);
    let routes = api::routes(host, config, (line, view), keys.clone());
    Ok(Started { routes, keys, jobs, brake })
}
