//! Carries bulk operations out: claims what nobody works on, looks for sagas a page at a time, and takes them one by one at
//! the rate that is set. A saga is written down before it is touched. What a process leaves behind half done is looked up
//! in the saga's own history, so that no saga is taken twice.

use std::sync::Arc;
use std::time::Duration;

use prost::Message as _;
use saga::{Act, Fact};
use service_kit::clock::Stopwatch;
use service_kit::crash_point;
use service_kit::db;
use service_kit::host::Host;
use service_kit::refusal::{Fault, Refusal};
use tokio::sync::{Mutex, Semaphore};
use tokio::time::{Interval, MissedTickBehavior};
use tonic::Code;
use uuid::Uuid;

use super::store::{CLAIM_MS, Claim, Error, Go, Store};
use super::{Item, Job, Verdict};
use crate::desk::Desk;
use crate::faults;
use crate::journal::{self, Query, Record};
use crate::runner::Intervention;
use crate::status::{SAGAS, listing, verbs, wire};

/// How often jobs that nobody works on are looked for.
const PERIOD: Duration = Duration::from_secs(1);
/// Jobs that a process works on at a time; they share its rate, so that a short one gets through beside a long one.
const JOBS: usize = 4;
/// Sagas that are looked for at a time.
const PAGE: usize = 100;
/// Times that a saga is looked at again because it moved on meanwhile.
const TRIES: usize = 10;
/// The first pause before it is, which grows.
const PAUSE: Duration = Duration::from_millis(2);
/// Entries of a history that are read at a time.
const ENTRIES: usize = 200;

/// Works on bulk operations until the host stops.
pub(crate) fn start(host: &Host, desk: &Desk) {
    let period = Duration::from_secs(1) / desk.config.bulk_per_second.max(1);
    let mut pace = tokio::time::interval(period.max(Duration::from_micros(1)));
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let works = Works {
        store: Store::new(host.db.clone()),
        desk: desk.clone(),
        host: host.clone(),
        pace: Arc::new(Mutex::new(pace)),
        free: Arc::new(Semaphore::new(JOBS)),
    };
    host.every(PERIOD, "bulk operations", move || {
        let works = works.clone();
        async move { works.take_up().await }
    });
}

#[derive(Clone)]
struct Works {
    store: Store,
    desk: Desk,
    host: Host,
    /// Whoever has waited longest goes next.
    pace: Arc<Mutex<Interval>>,
    free: Arc<Semaphore>,
}

/// Why a job was left before its end.
enum Left {
    /// This process stops, or a store cannot be reached: the next round, or another process, goes on.
    Later(String),
    /// Another process goes on already.
    Lost,
}

impl From<Error> for Left {
    fn from(error: Error) -> Self {
        match error {
            Error::Lost => Self::Lost,
            Error::Store(error) => error.into(),
        }
    }
}

impl From<db::Error> for Left {
    fn from(error: db::Error) -> Self {
        Self::Later(error.to_string())
    }
}

impl Works {
    async fn take_up(self) -> Result<(), db::Error> {
        let free = i64::try_from(self.free.available_permits()).unwrap_or_default();
        if free == 0 {
            return Ok(());
        }
        for job in self.store.claimable(free).await? {
            let Ok(permit) = self.free.clone().try_acquire_owned() else {
                return Ok(());
            };
            let held = Stopwatch::start();
            let claim = Claim { job, claimant: self.host.ids.next(self.host.clock.now_ms()) };
            if let Some(job) = self.store.claim(claim).await? {
                crash_point!("bulk.after_claim");
                let work = Work { works: self.clone(), claim, job, held };
                self.host.tasks.spawn(async move {
                    work.run().await;
                    drop(permit);
                });
            }
        }
        Ok(())
    }
}

/// One job while it is claimed.
struct Work {
    works: Works,
    claim: Claim,
    job: Job,
    /// Since before the claim was last kept up.
    held: Stopwatch,
}

impl Work {
    async fn run(mut self) {
        let name = self.job.name();
        let left = match self.carry_out().await {
            Ok(()) => return tracing::info!(name, "a bulk operation has ended"),
            Err(left) => left,
        };
        match left {
            Left::Lost => tracing::info!(name, "another process goes on with a bulk operation"),
            Left::Later(why) => {
                tracing::info!(name, why, "a bulk operation is left for later");
                if let Err(error) = self.works.store.release(self.claim).await {
                    tracing::debug!(name, %error, "a claim was not given up; it runs out by itself");
                }
            }
        }
    }

    async fn carry_out(&mut self) -> Result<(), Left> {
        let query = match listing::open_sagas(&self.job.filter) {
            Ok(query) => query,
            // Another build understood it.
            Err(fault) => return Err(Left::Later(faults::status(fault).message().to_owned())),
        };
        let mut go = if self.job.cancel_time.is_some() { Go::Cancelled } else { Go::On };
        // What the one before has written down, it may have begun.
        let mut may_be_begun = true;
        while go == Go::On {
            let limit = i64::try_from(PAGE).unwrap_or(i64::MAX);
            let pending = self.works.store.pending(self.job.id, limit).await?;
            go = if !pending.is_empty() {
                self.take(&query, pending, may_be_begun).await?
            } else if self.job.is_listed {
                break;
            } else {
                may_be_begun = false;
                self.look_on(&query).await?
            };
        }
        crash_point!("bulk.before_end");
        self.works.store.end(self.claim).await?;
        crash_point!("bulk.after_end");
        Ok(())
    }

    /// Finds the next sagas and writes them down.
    async fn look_on(&mut self, query: &Query) -> Result<Go, Left> {
        let query = Query { before: Some(self.job.before), limit: PAGE, ..query.clone() };
        let found = self.works.desk.shards.list(&query).await.map_err(later)?;
        let last = found.last().filter(|_| found.len() == PAGE);
        let before = last.map(|record| (record.create_time, record.id));
        let found = found.iter().map(|record| (record.id, record.version)).collect();
        self.held = Stopwatch::start();
        crash_point!("bulk.before_note");
        let go = self.works.store.note(self.claim, found, before).await?;
        crash_point!("bulk.after_note");
        (self.job.is_listed, self.job.before) = (before.is_none(), before.unwrap_or_default());
        Ok(go)
    }

    async fn take(&mut self, query: &Query, items: Vec<Item>, may_be_begun: bool) -> Result<Go, Left> {
        for item in items {
            let pace = async { self.works.pace.lock().await.tick().await };
            if self.works.host.stop.run_until_cancelled(pace).await.is_none() {
                return Err(Left::Later("this process stops".into()));
            }
            if self.held.elapsed_ms() >= CLAIM_MS {
                return Err(Left::Lost);
            }
            let is_done = may_be_begun && self.has_taken(&item).await?;
            let verdict = if is_done { Verdict::Applied } else { self.apply(query, item.saga).await? };
            self.held = Stopwatch::start();
            crash_point!("bulk.before_settle");
            if self.works.store.settle(self.claim, item.saga, verdict).await? == Go::Cancelled {
                return Ok(Go::Cancelled);
            }
        }
        Ok(Go::On)
    }

    /// Whether the saga's history has it that this job asked for its verb.
    async fn has_taken(&self, item: &Item) -> Result<bool, Left> {
        let who = self.who();
        let mut after = (item.version, i64::MAX);
        loop {
            let page = self.works.desk.shards.history(item.saga, after, ENTRIES).await.map_err(later)?;
            if page.iter().any(|entry| matches!(&entry.fact, Fact::Intervened { by, .. } if *by == who)) {
                return Ok(true);
            }
            match page.last() {
                Some(last) if page.len() == ENTRIES => after = (last.version, last.position),
                _ => return Ok(false),
            }
        }
    }

    fn who(&self) -> String {
        format!("{}, {}", verbs::OPERATOR, self.job.name())
    }

    /// Applies the verb to the saga as it was looked at, so that what the filter says holds when the verb is applied.
    async fn apply(&self, query: &Query, saga: Uuid) -> Result<Verdict, Left> {
        let desk = &self.works.desk;
        for pause in std::iter::successors(Some(PAUSE), |pause| Some(*pause * 2)).take(TRIES) {
            let record = match desk.load(&SAGAS, saga).await {
                Ok(record) => record,
                Err(fault) => return refusal_or_later(fault),
            };
            if !journal::fits(&record, query) {
                return Ok(refused(no_longer(&record).into()));
            }
            let act = Act { by: self.who(), reason: self.job.reason.clone() };
            let event = verbs::event(self.job.verb, act);
            let intervention = Intervention { event, expected_version: Some(record.version) };
            match desk.intervene(&SAGAS, saga, intervention).await {
                Ok(_) => return Ok(Verdict::Applied),
                // It moved on, or is on its way to another process.
                Err(Fault::Refused(refusal)) if refusal.code == Code::Aborted => tokio::time::sleep(pause).await,
                Err(fault) => return refusal_or_later(fault),
            }
        }
        let message = format!("the saga moved on {TRIES} times while it was looked at");
        Ok(refused(Refusal::new(Code::Aborted, "ETAG_MISMATCH", message).into()))
    }
}

/// What is wrong with one saga does not keep the others.
fn refusal_or_later(fault: Fault) -> Result<Verdict, Left> {
    match &fault {
        Fault::Store(error @ (db::Error::Unavailable(_) | db::Error::InDoubt(_))) => Err(error.clone().into()),
        Fault::Refused(refusal) if refusal.code == Code::Unavailable => Err(Left::Later(refusal.message.clone())),
        Fault::Invalid { .. } | Fault::Refused(_) | Fault::Pending(_) | Fault::Store(_) => Ok(refused(fault)),
    }
}

fn no_longer(record: &Record) -> Refusal {
    let state = record.saga.state();
    let message = format!("the saga is not as the filter says any more; it is {}", state.name());
    Refusal::precondition("FILTER_NOT_MET", message).with("state", wire::state(state).as_str_name())
}

fn refused(fault: Fault) -> Verdict {
    let status = faults::status(fault);
    let kept = if status.details().is_empty() {
        let (code, message) = (status.code().into(), status.message().to_owned());
        tonic_types::Status { code, message, details: Vec::new() }.encode_to_vec()
    } else {
        status.details().to_vec()
    };
    Verdict::Refused(kept)
}

fn later(error: journal::Error) -> Left {
    Left::Later(error.to_string())
}
