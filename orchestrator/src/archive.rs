//! What ended long ago makes room: the participants are told which sagas are archived, so that they may forget the sagas'
//! operations after a horizon of their own; then the history goes, and in the end the saga itself.
//!
//! A participant that cannot be told holds up the archiving, which goes on where it was. One of several orchestrators does it
//! at a time; two that do are harmless.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use prost::Message as _;
use proto::concert::v1::PurgeSagaOperationsRequest;
use service_kit::crash_point;
use service_kit::db;
use service_kit::host::Host;

use crate::bulk;
use crate::config::Config;
use crate::journal::{self, Ended, SqlJournal};
use crate::participants::{Call, Participants};
use crate::plans::Plans;
use crate::runner::Runner;

/// How often it is looked for what can be archived.
const PERIOD: Duration = Duration::from_secs(60);
/// Sagas in one notice and one transaction: short enough that nobody waits for it.
const BATCH: usize = 256;
/// A notice is a small write.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Who is told, and how.
const NOTICES: [(&str, &str); 4] = [
    ("concert", "concert/PurgeSagaOperations"),
    ("customer", "customer/PurgeSagaOperations"),
    ("payment", "payment/PurgeSagaOperations"),
    ("token", "token/PurgeSagaOperations"),
];

const DAY_MS: i64 = 24 * 60 * 60 * 1_000;

/// Why a round was not finished.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Of the journal.
    #[error(transparent)]
    Journal(#[from] journal::Error),
    /// Of the tables of bulk operations.
    #[error(transparent)]
    Store(#[from] db::Error),
    /// A participant did not take the notice.
    #[error("{method} did not take the notice of archived sagas: {status}")]
    Notice {
        /// Whose.
        method: &'static str,
        /// What it said.
        status: tonic::Status,
    },
}

/// Archives one journal's sagas.
#[derive(Debug, Clone)]
pub struct Archive {
    /// Which journal.
    pub journal: Arc<SqlJournal>,
    /// Which plans call whom.
    pub plans: Plans,
    /// Whom to tell.
    pub participants: Arc<Participants>,
    /// How long sagas are kept whole, in days.
    pub archive_days: u32,
    /// How long they are kept at all, in days.
    pub forget_days: u32,
}

/// Archives until the host stops.
pub(crate) fn start(host: &Host, archive: Archive, runner: &Runner) {
    let (runner, clock) = (runner.clone(), host.clock.clone());
    host.every(PERIOD, "archive", move || {
        let (archive, runner, clock) = (archive.clone(), runner.clone(), clock.clone());
        async move { if runner.is_eldest().await { archive.round(clock.now_ms()).await } else { Ok(()) } }
    });
}

/// Forgets bulk operations that ended as long ago as archived sagas did.
pub(crate) fn start_bulk(host: &Host, store: bulk::Store, config: Config) {
    let clock = host.clock.clone();
    host.every(PERIOD, "archive of bulk operations", move || {
        let (store, before_ms) = (store.clone(), before(clock.now_ms(), config.archive_days));
        async move { store.forget(before_ms).await }
    });
}

impl Archive {
    /// An archive of what ended as long ago as is set.
    pub fn new(journal: Arc<SqlJournal>, plans: &Plans, participants: &Arc<Participants>, config: &Config) -> Self {
        let (archive_days, forget_days) = (config.archive_days, config.forget_days.max(config.archive_days));
        Self { journal, plans: plans.clone(), participants: participants.clone(), archive_days, forget_days }
    }

    /// Archives and forgets all that is old enough at `now_ms`.
    ///
    /// # Errors
    /// What held it up; the next round goes on.
    pub async fn round(&self, now_ms: i64) -> Result<(), Error> {
        loop {
            let ended = self.journal.ended(before(now_ms, self.archive_days), BATCH).await?;
            let is_last = ended.len() < BATCH;
            crash_point!("archive.before_notice");
            self.tell(&ended).await?;
            crash_point!("archive.before_write");
            self.journal.archive(ended.into_iter().map(|saga| saga.id).collect()).await?;
            crash_point!("archive.after_write");
            if is_last {
                break;
            }
        }
        while self.journal.forget(before(now_ms, self.forget_days), BATCH).await? == BATCH {}
        Ok(())
    }

    /// Tells each participant of the sagas that may have called it.
    async fn tell(&self, ended: &[Ended]) -> Result<(), Error> {
        let mut sagas: BTreeMap<&'static str, Vec<String>> = BTreeMap::new();
        for saga in ended {
            for participant in self.participants_of(saga) {
                sagas.entry(participant).or_default().push(format!("sagas/{}", saga.id));
            }
        }
        for (participant, sagas) in sagas {
            self.notice(participant, sagas).await?;
        }
        Ok(())
    }

    async fn notice(&self, participant: &'static str, sagas: Vec<String>) -> Result<(), Error> {
        let Some((_, method)) = NOTICES.into_iter().find(|(name, _)| *name == participant) else { return Ok(()) };
        // The same message in every contract.
        let request = PurgeSagaOperationsRequest { sagas }.encode_to_vec().into();
        let call = Call { method, step: "", epoch: 0, request, timeout: TIMEOUT };
        let told = self.participants.call(call).await;
        told.map(drop).map_err(|status| Error::Notice { method, status })
    }

    /// Whom a saga of that plan calls; everybody, when nobody knows the plan any more.
    fn participants_of(&self, saga: &Ended) -> BTreeSet<&'static str> {
        let Some(definition) = self.plans.find(&saga.kind, saga.plan_version) else {
            return self.participants.names().collect();
        };
        let methods = definition.plan().steps().iter().flat_map(|step| [Some(step.forward), step.compensation]);
        methods.flatten().filter_map(|method| method.split('/').next()).collect()
    }
}

fn before(now_ms: i64, days: u32) -> i64 {
    now_ms.saturating_sub(i64::from(days) * DAY_MS)
}
