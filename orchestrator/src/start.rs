//! Puts the orchestrator together: its tables, the journal over them, the runner, and the faces that it shows.

use std::ops::RangeInclusive;
use std::sync::Arc;

use proto::orchestrator::v1::checkout_service_server::CheckoutServiceServer;
use proto::orchestrator::v1::saga_service_server::SagaServiceServer;
use service_kit::db::{self, Db};
use service_kit::host::Host;
use service_kit::ids::BUCKETS;
use service_kit::serve::MAX_MESSAGE_BYTES;
use tonic::service::Routes;

use crate::archive::{self, Archive};
use crate::bulk;
use crate::config::Config;
use crate::desk::Desk;
use crate::fan_out;
use crate::intake::Intake;
use crate::journal::{self, Journal, SqlJournal};
use crate::participants::Participants;
use crate::plans::Plans;
use crate::reconcile::{self, Reconciler};
use crate::runner::{Parts, Runner};
use crate::shards::{self, Shard, Shards};
use crate::status::{Sagas, console};

/// A running orchestrator.
#[derive(Debug)]
pub struct Started {
    /// Its gRPC services.
    pub grpc: Routes,
    /// Its console, for the same port.
    pub pages: axum::Router,
    /// Where sagas are written and who drives them. Whoever started it shuts it down.
    pub shards: Shards,
}

/// Why the orchestrator did not start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The tables could not be brought up to date.
    #[error("the orchestrator's tables cannot be brought up to date: {0}")]
    Tables(#[from] db::Error),
    /// The databases do not hold every bucket once.
    #[error("the sagas are not spread over the databases as they must be: {0}")]
    Spread(#[from] shards::Uneven),
    /// A database was given other buckets when its first saga came.
    #[error(
        "a database holds the buckets {given:?} for ever, and cannot hold {wanted:?}; see [[shards]] in the settings"
    )]
    Moved {
        /// Those that it holds.
        given: RangeInclusive<i64>,
        /// Those that the settings say.
        wanted: RangeInclusive<i64>,
    },
    /// The journal did not take this run of the orchestrator on.
    #[error("the orchestrator cannot register in its journal: {0}")]
    Journal(#[from] journal::Error),
}

/// The databases that sagas are spread over, with the buckets that lie in each.
pub type Spread = Vec<(RangeInclusive<i64>, Db)>;

/// Brings the tables up to date, takes over the open sagas in them, and starts all background work. Sagas are kept in the
/// host's database unless they are spread over others.
///
/// # Errors
/// When the tables cannot be brought up to date or a journal cannot be reached.
pub async fn start(
    host: &Host,
    config: Config,
    plans: Plans,
    participants: Participants,
    spread: Spread,
) -> Result<Started, Error> {
    host.db.migrate("orchestrator", migrations::orchestrator::MIGRATIONS).await?;
    let spread = if spread.is_empty() { vec![(0..=BUCKETS - 1, host.db.clone())] } else { spread };
    shards::check(&spread.iter().map(|(buckets, _)| buckets.clone()).collect::<Vec<_>>())?;
    let driven = Driven { host, config, plans, participants: Arc::new(participants) };
    let mut all = Vec::new();
    for (buckets, db) in spread {
        db.migrate("orchestrator", migrations::orchestrator::MIGRATIONS).await?;
        let journal = SqlJournal::new(db.clone(), config.lease()).adopting(&driven.plans);
        let journal = Arc::new(if driven.participants.are_within(&db) { journal.ahead() } else { journal });
        let given = journal.buckets(buckets.clone()).await?;
        if given != buckets {
            return Err(Error::Moved { given, wanted: buckets });
        }
        let shard = driven.shard(buckets, journal.clone()).await?;
        archive::start(host, driven.archive(journal), &shard.runner);
        all.push(shard);
    }
    archive::start_bulk(host, bulk::Store::new(host.db.clone()), config);
    Ok(driven.faces(Shards::new(all)))
}

/// As [`start`], over any journal: nothing is migrated. Bulk operations are kept in the tables of
/// `host.db` all the same.
///
/// # Errors
/// When the journal cannot be reached.
pub async fn start_with(
    host: &Host,
    config: Config,
    plans: Plans,
    participants: Participants,
    journal: Arc<dyn Journal>,
) -> Result<Started, Error> {
    let driven = Driven { host, config, plans, participants: Arc::new(participants) };
    let shard = driven.shard(0..=BUCKETS - 1, journal).await?;
    Ok(driven.faces(Shards::new(vec![shard])))
}

/// What all databases are driven with.
struct Driven<'a> {
    host: &'a Host,
    config: Config,
    plans: Plans,
    participants: Arc<Participants>,
}

impl Driven<'_> {
    /// Takes over what is open in one journal and drives it.
    async fn shard(&self, buckets: RangeInclusive<i64>, journal: Arc<dyn Journal>) -> Result<Shard, Error> {
        let parts = Parts {
            journal: journal.clone(),
            plans: self.plans.clone(),
            participants: self.participants.clone(),
            host: self.host.clone(),
            limits: self.config.limits,
        };
        Ok(Shard { buckets, journal, runner: Runner::start(parts).await? })
    }

    fn archive(&self, journal: Arc<SqlJournal>) -> Archive {
        Archive::new(journal, &self.plans, &self.participants, &self.config)
    }

    fn faces(self, shards: Shards) -> Started {
        let Self { host, config, plans, participants } = self;
        let desk = Desk {
            shards: shards.clone(),
            plans,
            participants,
            bulk: bulk::Store::new(host.db.clone()),
            clock: host.clock.clone(),
            stop: host.stop.clone(),
            config,
        };
        bulk::start(host, &desk);
        reconcile::start(host, &Reconciler::new(&desk.shards, &desk.participants));
        if let Some(shard) = shards.iter().next() {
            fan_out::start(host, &desk, &shard.runner);
        }
        let checkouts = CheckoutServiceServer::new(Intake::new(desk.clone()));
        let sagas = SagaServiceServer::new(Sagas::new(desk.clone()));
        let grpc = Routes::new(checkouts.max_decoding_message_size(MAX_MESSAGE_BYTES))
            .add_service(sagas.max_decoding_message_size(MAX_MESSAGE_BYTES));
        Started { grpc, pages: console::pages(desk), shards }
    }
}
