//! After the last answer: waits until the sagas of a run have ended, then reads them all and counts what they did.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Result;
use prost_types::Timestamp;
use proto::orchestrator::v1::saga::State as SagaState;
use proto::orchestrator::v1::saga::step::State;
use proto::orchestrator::v1::{ListSagasRequest, Saga, saga};
use tokio::time::{Instant, sleep};

use crate::client::{Client, failed};
use crate::drive::Volley;
use crate::plan::Plan;
use crate::record::Record;
use crate::seed::Stage;
use crate::tally::{Times, failure_reason};

/// Sagas of a page: some hundred kilobytes.
const PAGE: i32 = 200;
/// How often to look for open sagas.
const LOOK: Duration = Duration::from_millis(200);
/// The states that end by themselves.
const OPEN: [SagaState; 4] =
    [SagaState::Running, SagaState::Arbitrating, SagaState::Completing, SagaState::Compensating];

/// What became of the sagas.
#[derive(Debug)]
pub struct Settled {
    /// How long it took until none was open.
    pub(crate) waited: Duration,
    /// By the name of their state, with the time from creation to end by the server's clock.
    pub(crate) sagas: BTreeMap<&'static str, Times>,
    /// The time from creation to decision, by the server's clock.
    pub(crate) decided: Times,
    /// Those that have not ended.
    pub(crate) open: u64,
    /// By the reason of their failure.
    pub(crate) failures: BTreeMap<String, u64>,
    /// In the order of the plan.
    pub(crate) steps: Vec<Step>,
    /// From when on no saga was open, on the scale of what customers saw.
    pub(crate) rest: Option<u64>,
}

/// One step of the plan, over all sagas.
#[derive(Debug, Clone, Default, serde::Serialize)]
pub struct Step {
    /// Its id.
    pub id: String,
    /// Sagas that it succeeded in, and was not compensated in later.
    pub succeeded: u64,
    /// Sagas that it was refused in.
    pub refused: u64,
    /// Sagas that it was compensated in.
    pub compensated: u64,
    /// Attempts whose outcome nobody knew.
    pub in_doubt: u64,
    /// Attempts in all.
    pub calls: u64,
    /// Attempts of its compensation.
    pub compensation_calls: u64,
}

/// Waits until no saga is open, though no longer than the plan allows, and counts the sagas of this run; what it reads of
/// them counts as seen by customers.
///
/// # Errors
/// When the server does not list its sagas.
pub async fn settle(client: &Client, plan: &Plan, stage: &Stage, volley: &Volley) -> Result<Settled> {
    let started = Instant::now();
    let mut is_open = is_any_open(client).await?;
    while is_open && started.elapsed() < plan.settle {
        sleep(LOOK).await;
        is_open = is_any_open(client).await?;
    }
    let mut settled = Settled {
        waited: started.elapsed(),
        sagas: BTreeMap::new(),
        decided: Times::default(),
        open: 0,
        failures: BTreeMap::new(),
        steps: Vec::new(),
        rest: (!is_open).then(|| volley.record.now()),
    };
    read_all(client, &stage.since, &volley.record, &mut settled).await?;
    Ok(settled)
}

async fn is_any_open(client: &Client) -> Result<bool> {
    for state in OPEN {
        let mut page_token = String::new();
        loop {
            let filter = format!("state = {}", state.as_str_name());
            let request = ListSagasRequest { filter, page_size: 1, page_token, ..Default::default() };
            let page = client.sagas().list_sagas(request).await.map_err(failed("list open sagas"))?.into_inner();
            if !page.sagas.is_empty() {
                return Ok(true);
            }
            // A page may be empty and yet not be the last one.
            page_token = page.next_page_token;
            if page_token.is_empty() {
                break;
            }
        }
    }
    Ok(false)
}

async fn read_all(client: &Client, since: &Timestamp, record: &Record, settled: &mut Settled) -> Result<()> {
    let mut page_token = String::new();
    loop {
        let filter = "kind = checkout".to_owned();
        let request = ListSagasRequest { filter, page_size: PAGE, page_token, ..Default::default() };
        let asked = record.now();
        let page = client.sagas().list_sagas(request).await.map_err(failed("list sagas"))?.into_inner();
        for saga in page.sagas {
            record.listed(asked, &saga);
            if saga.create_time.is_some_and(|created| moment(created) < moment(*since)) {
                return Ok(());
            }
            settled.count(&saga);
        }
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return Ok(());
        }
    }
}

impl Settled {
    fn count(&mut self, saga: &Saga) {
        if let Some((decided, created)) = saga.decide_time.zip(saga.create_time) {
            self.decided.record(moment(decided).saturating_sub(moment(created)));
        }
        let times = self.sagas.entry(saga.state().as_str_name()).or_default();
        let end = saga.end_time.zip(saga.create_time).map(|(end, created)| moment(end).saturating_sub(moment(created)));
        times.record(end.unwrap_or_default());
        self.open += u64::from(end.is_none());
        if let Some(failure) = &saga.failure {
            *self.failures.entry(failure_reason(failure)).or_default() += 1;
        }
        for step in &saga.steps {
            self.step(&step.id).count(step);
        }
    }

    fn step(&mut self, id: &str) -> &mut Step {
        let known = self.steps.iter().position(|step| step.id == id);
        let index = known.unwrap_or_else(|| {
            self.steps.push(Step { id: id.to_owned(), ..Step::default() });
            self.steps.len() - 1
        });
        &mut self.steps[index]
    }
}

impl Step {
    fn count(&mut self, step: &saga::Step) {
        self.succeeded += u64::from(step.state() == State::Succeeded);
        self.refused += u64::from(step.state() == State::Refused);
        self.compensated += u64::from(step.state() == State::Compensated);
        self.in_doubt += u64::from(step.ambiguous_count.unsigned_abs());
        self.calls += u64::from(step.attempt_count.unsigned_abs());
        self.compensation_calls += u64::from(step.compensation_attempt_count.unsigned_abs());
    }
}

/// Time since the epoch.
fn moment(at: Timestamp) -> Duration {
    Duration::new(at.seconds.unsigned_abs(), at.nanos.unsigned_abs())
}
