//! After the last answer: waits until the sagas of a run have ended, then reads them all and counts what they did.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Result;
use prost_types::Timestamp;
use proto::orchestrator::v1::saga::State;
use proto::orchestrator::v1::saga::step::State as StepState;
use proto::orchestrator::v1::{ListSagasRequest, Saga};
use tokio::time::{Instant, sleep};

use crate::client::{Client, failed};
use crate::plan::Plan;
use crate::progress::Progress;
use crate::seed::Stage;
use crate::tally::{Times, failure_reason};

/// Sagas of a page: some hundred kilobytes.
const PAGE: i32 = 200;
/// How often to look for open sagas.
const LOOK: Duration = Duration::from_millis(200);
/// The states that end by themselves.
const OPEN: [State; 4] = [State::Running, State::Arbitrating, State::Completing, State::Compensating];

/// What became of the sagas.
#[derive(Debug)]
pub struct Settled {
    /// How long it took until none was open.
    pub(crate) waited: Duration,
    /// By the name of their state, with the time from creation to end by the server's clock.
    pub(crate) sagas: BTreeMap<&'static str, Times>,
    /// Those that have not ended.
    pub(crate) open: u64,
    /// By the reason of their failure.
    pub(crate) failures: BTreeMap<String, u64>,
    /// By step.
    pub(crate) steps: BTreeMap<String, Calls>,
}

/// Calls of one step, and of its compensation.
#[derive(Debug, Clone, Copy, Default, serde::Serialize)]
pub struct Calls {
    /// Sagas that it succeeded in, also if it was compensated later.
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

/// Waits until no saga is open, though no longer than the plan allows, and counts the sagas of this run.
///
/// # Errors
/// When the server does not list its sagas.
pub async fn settle(client: &Client, plan: &Plan, stage: &Stage, progress: Progress) -> Result<Settled> {
    let (started, bar) = (Instant::now(), progress.bar("settling", OPEN.len() as u64));
    while let Some(position) = first_open(client).await? {
        if started.elapsed() > plan.settle {
            break;
        }
        bar.set_position(position);
        sleep(LOOK).await;
    }
    bar.set_position(OPEN.len() as u64);
    bar.finish();
    let mut settled = Settled {
        waited: started.elapsed(),
        sagas: BTreeMap::new(),
        open: 0,
        failures: BTreeMap::new(),
        steps: BTreeMap::new(),
    };
    read_all(client, &stage.since, &mut settled).await?;
    Ok(settled)
}

/// The first of the open states that a saga is in.
async fn first_open(client: &Client) -> Result<Option<u64>> {
    for (position, state) in (0..).zip(OPEN) {
        let mut page_token = String::new();
        loop {
            let filter = format!("state = {}", state.as_str_name());
            let request = ListSagasRequest { filter, page_size: 1, page_token, ..Default::default() };
            let page = client.sagas().list_sagas(request).await.map_err(failed("list open sagas"))?.into_inner();
            if !page.sagas.is_empty() {
                return Ok(Some(position));
            }
            page_token = page.next_page_token;
            if page_token.is_empty() {
                break;
            }
        }
    }
    Ok(None)
}

async fn read_all(client: &Client, since: &Timestamp, settled: &mut Settled) -> Result<()> {
    let mut page_token = String::new();
    loop {
        let filter = "kind = checkout".to_owned();
        let request = ListSagasRequest { filter, page_size: PAGE, page_token, ..Default::default() };
        let page = client.sagas().list_sagas(request).await.map_err(failed("list sagas"))?.into_inner();
        for saga in page.sagas {
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
        let times = self.sagas.entry(saga.state().as_str_name()).or_default();
        let end = saga.end_time.zip(saga.create_time).map(|(end, created)| moment(end).saturating_sub(moment(created)));
        times.record(end.unwrap_or_default());
        self.open += u64::from(end.is_none());
        if let Some(failure) = &saga.failure {
            *self.failures.entry(failure_reason(failure)).or_default() += 1;
        }
        for step in &saga.steps {
            let calls = self.steps.entry(step.id.clone()).or_default();
            calls.succeeded += u64::from(step.state() == StepState::Succeeded);
            calls.refused += u64::from(step.state() == StepState::Refused);
            calls.compensated += u64::from(step.state() == StepState::Compensated);
            calls.in_doubt += u64::try_from(step.ambiguous_count).unwrap_or_default();
            calls.calls += u64::try_from(step.attempt_count).unwrap_or_default();
            calls.compensation_calls += u64::try_from(step.compensation_attempt_count).unwrap_or_default();
        }
    }
}

/// Time since the epoch.
fn moment(at: Timestamp) -> Duration {
    Duration::new(at.seconds.unsigned_abs(), at.nanos.unsigned_abs())
}
