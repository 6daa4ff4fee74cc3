//! What is sent outside once something has happened: notices to phones and rows to the data platform. Events come in and
//! become deliveries, one a channel, in one transaction; workers take those that are due to the other side until it has
//! them, however long that takes. No checkout waits for any of it.
//!
//! What is told to customers stands in `notice.rs`, what follows from an attempt in `delivery.rs`; who publishes the events,
//! and how they get here, is not this service's affair.

use std::sync::Arc;
use std::time::Duration;

use events::Handler;
use proto::customer::v1::customer_service_client::CustomerServiceClient;
use service_kit::db::{self, Db};
use service_kit::host::Host;
use service_kit::{http, peer};
use tonic::service::Routes;

mod api;
mod config;
mod delivery;
mod intake;
mod lane;
mod messenger;
mod notice;
mod pace;
mod platform;
mod store;
pub mod verify;
mod wire;

pub use config::{DeliveriesConfig, MessengerConfig, PlatformConfig};
pub use delivery::{Channel, State};
use intake::{Intake, Wanted};
use lane::{Lane, Outlet};
use messenger::Messenger;
use platform::Platform;
pub use store::Backlog;

use crate::Config;

/// How often ended deliveries are forgotten.
const PURGE_PERIOD: Duration = Duration::from_secs(60);
/// What a lease lasts beyond the longest attempt.
const LEASE_MARGIN_MS: u64 = 5_000;
const DAY_MS: i64 = 24 * 60 * 60 * 1_000;

/// The deliveries of one process; cheap to clone.
#[derive(Debug, Clone)]
pub struct Deliveries {
    db: Db,
    lanes: Arc<[Lane]>,
    intake: Arc<Intake>,
    keep: DeliveriesConfig,
    reason_limit: usize,
}

impl Deliveries {
    /// Deliveries over the tables of the payment service, which are up to date. Phone numbers come from the customer
    /// service, whose client is asked for where notices are sent at all. Nothing runs yet.
    ///
    /// # Errors
    /// When an address is none.
    pub fn new(host: &Host, config: &Config, customers: impl FnOnce() -> peer::Client) -> Result<Self, String> {
        let Config { messenger, platform, deliveries: keep, .. } = config;
        let mut lanes = Vec::new();
        let lane = |channel, outlet, slots, per_call, timeouts_ms: u64| Lane {
            db: host.db.clone(),
            ids: host.ids.clone(),
            channel,
            outlet,
            slots,
            per_call,
            lease_ms: i64::try_from(timeouts_ms.saturating_add(LEASE_MARGIN_MS)).unwrap_or(i64::MAX),
        };
        if !messenger.url.is_empty() {
            let outlet = Outlet::Messenger(Messenger {
                provider: http::Client::new(&messenger.url)?,
                timeout: messenger.timeout(),
                customers: CustomerServiceClient::new(customers()),
                customer_timeout: Duration::from_millis(keep.customer_timeout_ms),
            });
            let timeouts_ms = messenger.timeout_ms.saturating_add(keep.customer_timeout_ms);
            for channel in [Channel::Alimtalk, Channel::Sms] {
                lanes.push(lane(channel, outlet.clone(), messenger.concurrency, 1, timeouts_ms));
            }
        }
        if !platform.url.is_empty() {
            let client = http::Client::new(&platform.url)?;
            let outlet = Outlet::Platform(Platform { client, timeout: platform.timeout() });
            let timeouts_ms = platform.timeout_ms.saturating_mul(platform::CALLS);
            lanes.push(lane(Channel::Platform, outlet, platform.concurrency, platform.batch, timeouts_ms));
        }
        let wanted = Wanted {
            notices: !messenger.url.is_empty(),
            platform_ms: (!platform.url.is_empty()).then(|| platform.give_up_days.saturating_mul(DAY_MS)),
            except: platform.except.clone(),
        };
        let intake = Arc::new(Intake { db: host.db.clone(), wanted });
        let (db, keep, reason_limit) = (host.db.clone(), keep.clone(), config.reason_limit);
        Ok(Self { db, lanes: lanes.into(), intake, keep, reason_limit })
    }

    /// Starts the workers: they end with the host.
    pub fn spawn(&self, host: &Host) {
        for lane in self.lanes.iter() {
            host.tasks.spawn(lane.clone().run(host.stop.clone()));
        }
        let own = self.clone();
        host.every(PURGE_PERIOD, "delivery purge", move || {
            let own = own.clone();
            async move { own.purge().await.map(drop) }
        });
    }

    /// Who takes the events of all services.
    pub fn handler(&self) -> Arc<dyn Handler> {
        self.intake.clone()
    }

    /// What it answers over plain HTTP: events come to `POST /events` from wherever they are published.
    pub fn pages(&self) -> axum::Router {
        events::receiver::routes([self.handler()], &self.keep.events_secret)
    }

    /// Adds the delivery service to the routes of the payment service.
    #[must_use]
    pub fn beside(&self, payments: Routes) -> Routes {
        payments.add_service(api::service(self.db.clone(), self.reason_limit))
    }

    /// Works once on what is due at this moment; tells how many deliveries that were.
    ///
    /// # Errors
    /// When they cannot be claimed.
    pub async fn round(&self) -> Result<usize, db::Error> {
        let mut count = 0;
        for lane in self.lanes.iter() {
            count += lane.round().await?;
        }
        Ok(count)
    }

    /// Forgets what ended long ago, a batch in each transaction; tells how many.
    ///
    /// # Errors
    /// Of the store; the batches before it stay done.
    pub async fn purge(&self) -> Result<u64, db::Error> {
        let (keep_ms, batch) = (self.keep.retention_days.saturating_mul(DAY_MS), self.keep.purge_batch);
        let mut purged = 0;
        loop {
            let some = async move |tx: &mut db::Tx<'_>| {
                let before_ms = tx.now_ms().saturating_sub(keep_ms);
                store::purge(tx, before_ms, batch).await
            };
            let count = self.db.write(some).await?;
            purged += count;
            if i64::try_from(count).is_ok_and(|count| count < batch) {
                return Ok(purged);
            }
        }
    }

    /// Counts what is open or given up, by channel and state.
    ///
    /// # Errors
    /// Of the store.
    pub async fn backlog(&self) -> Result<Vec<Backlog>, db::Error> {
        self.db.read(async |tx| store::backlog(tx).await).await
    }
}
