//! Puts the orchestrator together: its tables, the journal over them, the runner, the relay, and the faces that it shows.

use std::sync::Arc;

use proto::orchestrator::v1::checkout_service_server::CheckoutServiceServer;
use proto::orchestrator::v1::saga_service_server::SagaServiceServer;
use service_kit::db;
use service_kit::host::Host;
use service_kit::serve::MAX_MESSAGE_BYTES;
use tonic::service::Routes;

use crate::bulk;
use crate::config::Config;
use crate::desk::Desk;
use crate::intake::Intake;
use crate::journal::{self, Journal, SqlJournal};
use crate::participants::Participants;
use crate::relay::{self, LogSink, Relay};
use crate::runner::{Parts, Runner};
use crate::status::{Sagas, console};

/// A running orchestrator.
#[derive(Debug)]
pub struct Started {
    /// Its gRPC services.
    pub grpc: Routes,
    /// Its console, for the same port.
    pub pages: axum::Router,
    /// Drives the sagas. Whoever started it shuts it down.
    pub runner: Runner,
    /// Where they are written.
    pub journal: Arc<dyn Journal>,
}

/// Why the orchestrator did not start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The tables could not be brought up to date.
    #[error("the orchestrator's tables cannot be brought up to date: {0}")]
    Tables(#[from] db::Error),
    /// The journal did not take this run of the orchestrator on.
    #[error("the orchestrator cannot register in its journal: {0}")]
    Journal(#[from] journal::Error),
}

/// Brings the tables up to date, takes over the open sagas in them, and starts all background work.
///
/// # Errors
/// When the tables cannot be brought up to date or the journal cannot be reached.
pub async fn start(host: &Host, config: Config, participants: Participants) -> Result<Started, Error> {
    host.db.migrate("orchestrator", migrations::orchestrator::MIGRATIONS).await?;
    let journal = Arc::new(SqlJournal::new(host.db.clone(), config.lease()));
    let started = start_with(host, config, participants, journal).await?;
    let outbox = Arc::new(service_kit::outbox!("orchestrator"));
    let relay = Relay { db: host.db.clone(), outbox, sink: Arc::new(LogSink) };
    relay::start(host, relay, &started.runner, config.event_days);
    Ok(started)
}

/// As [`start`], over any journal: nothing is migrated, and no events are relayed. Bulk operations are kept in the tables of
/// `host.db` all the same.
///
/// # Errors
/// When the journal cannot be reached.
pub async fn start_with(
    host: &Host,
    config: Config,
    participants: Participants,
    journal: Arc<dyn Journal>,
) -> Result<Started, Error> {
    let participants = Arc::new(participants);
    let parts = Parts {
        journal: journal.clone(),
        participants: participants.clone(),
        host: host.clone(),
        limits: config.limits,
    };
    let runner = Runner::start(parts).await?;
    let desk = Desk {
        journal: journal.clone(),
        participants,
        runner: runner.clone(),
        bulk: bulk::Store::new(host.db.clone()),
        clock: host.clock.clone(),
        stop: host.stop.clone(),
        config,
    };
    bulk::start(host, &desk);
    let checkouts = CheckoutServiceServer::new(Intake::new(desk.clone()));
    let sagas = SagaServiceServer::new(Sagas::new(desk.clone()));
    let grpc = Routes::new(checkouts.max_decoding_message_size(MAX_MESSAGE_BYTES))
        .add_service(sagas.max_decoding_message_size(MAX_MESSAGE_BYTES));
    Ok(Started { grpc, pages: console::pages(desk), runner, journal })
}
