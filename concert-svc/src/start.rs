//! Brings the service up.

use std::time::Duration;

use migrations::concert::MIGRATIONS;
use proto::concert::v1::concert_service_server::ConcertServiceServer;
use proto::concert::v1::reservation_service_server::ReservationServiceServer;
use service_kit::db;
use service_kit::host::Host;
use service_kit::pass::VerifyingKeys;
use service_kit::serve::MAX_MESSAGE_BYTES;
use tokio::sync::mpsc;
use tonic::service::Routes;

use crate::api::{Api, RETENTION};
use crate::config::Config;
use crate::jobs;

/// A hold was placed with an admission pass, which had better outlive it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HoldPlaced {
    /// "waitingRooms/{uuid}/queueTokens/{uuid}" of the pass.
    pub queue_token: String,
    /// "customers/{uuid}" whose they are.
    pub customer: String,
    /// When the hold lapses.
    pub hold_expire_ms: i64,
}

/// Applies the migrations, starts the jobs and returns the service. Passes are checked with `keys`; holds that were
/// placed with one are told to `held`, as long as there is room.
///
/// # Errors
/// Of the migrations.
pub async fn start(
    host: &Host,
    config: Config,
    keys: VerifyingKeys,
    held: mpsc::Sender<HoldPlaced>,
) -> Result<Routes, db::Error> {
    host.db.migrate("concert", MIGRATIONS).await?;
    let (db, batch) = (host.db.clone(), config.sweep_batch);
    let announces_holds = config.announce_holds;
    host.every(Duration::from_millis(config.sweep_period_ms), "hold sweeper", move || {
        let db = db.clone();
        async move { jobs::sweep(&db, batch, announces_holds).await.map(|count| told("swept", count)) }
    });
    let (db, batch) = (host.db.clone(), config.sweep_batch);
    host.every(Duration::from_millis(config.close_period_ms), "performance closer", move || {
        let db = db.clone();
        async move { jobs::close_performances(&db, batch).await.map(|count| told("closed", count)) }
    });
    RETENTION.spawn(host, config.retention);
    let api = Api::new(host.clone(), config, keys, held);
    let concerts = ConcertServiceServer::new(api.clone()).max_decoding_message_size(MAX_MESSAGE_BYTES);
    let reservations = ReservationServiceServer::new(api).max_decoding_message_size(MAX_MESSAGE_BYTES);
    Ok(Routes::new(concerts).add_service(reservations))
}

/// What a round of a job came to, unless that is nothing.
fn told(what: &'static str, count: u64) {
    if count > 0 {
        tracing::debug!(what, count, "a job found something to do");
    }
}
