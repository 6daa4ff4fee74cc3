//! Looks for what should not be there long: locks at the participants that no open saga answers for, and sagas that stay
//! open. It only reports. Nothing frees a lock but its saga, and a saga that needs a person is for a person to judge.

use std::sync::Arc;
use std::time::Duration;

use prost::Message as _;
use proto::concert::v1::{ListSagaLocksRequest, ListSagaLocksResponse, SagaLock};
use service_kit::host::Host;
use service_kit::wire::timestamp;
use tokio::sync::watch;
use tonic::Status;
use uuid::Uuid;

use crate::journal;
use crate::participants::{Call, Participants};
use crate::shards::Shards;

/// How often participants are asked for old locks.
const PERIOD: Duration = Duration::from_secs(60);
/// How often it is looked for sagas that stay open.
const STUCK_PERIOD: Duration = Duration::from_secs(30);
/// No saga whose participants are up is open, or holds a lock, as long as this.
const LONG_MS: i64 = 5 * 60 * 1_000;
/// Locks in one answer.
const PAGE: i32 = 500;
/// Findings that are kept and told in one round; more of them say no more.
const FINDINGS: usize = 100;
/// A page of locks is a small read.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Who is asked, and how. The messages are the same in every contract.
const ASKED: [&str; 3] = ["concert/ListSagaLocks", "customer/ListSagaLocks", "payment/ListSagaLocks"];

/// A lock that no open saga answers for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What is locked, and in which state.
    pub resource: String,
    /// By whom.
    pub saga: String,
    /// What is wrong with that saga.
    pub problem: &'static str,
}

/// Why a round told nothing about some locks.
#[derive(Debug, thiserror::Error)]
enum Error {
    #[error("{0} did not tell its locks: {1}")]
    Participant(&'static str, Status),
    #[error("{0} told what is no list of locks: {1}")]
    Undecodable(&'static str, prost::DecodeError),
    #[error(transparent)]
    Journal(#[from] journal::Error),
}

/// Compares locks with sagas; cheap to clone.
#[derive(Debug, Clone)]
pub struct Reconciler {
    shards: Shards,
    participants: Arc<Participants>,
    findings: watch::Sender<Vec<Finding>>,
}

impl Reconciler {
    /// One that has not looked yet.
    pub fn new(shards: &Shards, participants: &Arc<Participants>) -> Self {
        Self { shards: shards.clone(), participants: participants.clone(), findings: watch::Sender::default() }
    }

    /// What the last round found.
    pub fn findings(&self) -> Vec<Finding> {
        self.findings.borrow().clone()
    }

    /// Asks every participant for locks that are old at `now_ms`, and judges them by their sagas. One that does not answer
    /// keeps none of the others from being looked at.
    pub async fn round(&self, now_ms: i64) {
        let mut findings = Vec::new();
        for method in ASKED {
            if let Err(error) = self.look(method, now_ms - LONG_MS, &mut findings).await {
                tracing::warn!(%error, "locks were not compared with their sagas; the next round tries again");
            }
        }
        for Finding { resource, saga, problem } in &findings {
            tracing::error!(saga.name = saga, resource, problem, "a lock has no open saga");
        }
        self.findings.send_replace(findings);
    }

    /// A saga may let go of its locks, and end, after they were listed and before it is looked at. A lock therefore counts
    /// only if it is still there on a second look, which comes after the saga was seen.
    async fn look(&self, method: &'static str, before_ms: i64, findings: &mut Vec<Finding>) -> Result<(), Error> {
        let mut found = Vec::new();
        let mut page_token = Some(String::new());
        while let Some(token) = page_token.filter(|_| findings.len() + found.len() < FINDINGS) {
            let (locks, next) = self.page((method, before_ms), token).await?;
            for lock in locks {
                found.extend(self.judge(lock).await?);
            }
            page_token = next;
        }
        let mut page_token = Some(String::new());
        while let Some(token) = page_token.filter(|_| !found.is_empty()) {
            let (locks, next) = self.page((method, before_ms), token).await?;
            let (stands, others) =
                found.into_iter().partition(|finding: &Finding| locks.iter().any(|lock| finding.is_about(lock)));
            findings.extend::<Vec<_>>(stands);
            (found, page_token) = (others, next);
        }
        Ok(())
    }

    /// Locks of a participant from before a time, and where the next ones are.
    async fn page(
        &self,
        (method, before_ms): (&'static str, i64),
        page_token: String,
    ) -> Result<(Vec<SagaLock>, Option<String>), Error> {
        let locked_before = Some(timestamp(before_ms));
        let request = ListSagaLocksRequest { locked_before, page_size: PAGE, page_token };
        let request = request.encode_to_vec().into();
        let call = Call { method, step: "", epoch: 0, request, timeout: TIMEOUT };
        let reply = self.participants.call(call).await.map_err(|status| Error::Participant(method, status))?;
        let reply = ListSagaLocksResponse::decode(reply).map_err(|error| Error::Undecodable(method, error))?;
        Ok((reply.saga_locks, Some(reply.next_page_token).filter(|token| !token.is_empty())))
    }

    async fn judge(&self, lock: SagaLock) -> Result<Option<Finding>, Error> {
        let id = lock.saga.strip_prefix("sagas/").and_then(|id| Uuid::try_parse(id).ok());
        let problem = match id {
            None => Some("it is the name of no saga"),
            Some(id) => match self.shards.load(id).await {
                Ok(Some(record)) => (!record.saga.is_open()).then_some("the saga has ended"),
                Ok(None) => Some("there is no such saga"),
                // It is parked, and somebody has been told.
                Err(journal::Error::Corrupt(_)) => None,
                Err(error) => return Err(error.into()),
            },
        };
        Ok(problem.map(|problem| Finding { resource: resource(&lock), saga: lock.saga, problem }))
    }
}

impl Finding {
    fn is_about(&self, lock: &SagaLock) -> bool {
        (&self.resource, &self.saga) == (&resource(lock), &lock.saga)
    }
}

fn resource(lock: &SagaLock) -> String {
    format!("{} ({})", lock.name, lock.state)
}

/// Looks until the host stops. Every replica does: what they find is the same, and asking costs little.
pub(crate) fn start(host: &Host, reconciler: &Reconciler) {
    let (asking, clock) = (reconciler.clone(), host.clock.clone());
    host.every(PERIOD, "lock reconciler", move || {
        let (asking, now_ms) = (asking.clone(), clock.now_ms());
        async move {
            asking.round(now_ms).await;
            Ok::<_, journal::Error>(())
        }
    });
    let (shards, clock) = (reconciler.shards.clone(), host.clock.clone());
    host.every(STUCK_PERIOD, "stuck alarm", move || {
        let (shards, now_ms) = (shards.clone(), clock.now_ms());
        async move { alarm(&shards, now_ms).await }
    });
}

/// Says which groups of sagas have one that is open for long.
async fn alarm(shards: &Shards, now_ms: i64) -> Result<(), journal::Error> {
    for group in shards.statistics(0).await?.groups {
        let open_ms = now_ms.saturating_sub(group.total.oldest_ms);
        if open_ms > LONG_MS {
            let (kind, state, step, reason) = (&group.kind, &group.state, &group.step, &group.reason);
            let (count, seconds) = (group.total.count, open_ms / 1_000);
            tracing::error!(kind, state, step, reason, count, seconds, "sagas stay open; the oldest for so long");
        }
    }
    Ok(())
}
