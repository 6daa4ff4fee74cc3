//! How many customers a second a server keeps up with: rates are raised step by step, each in an open model, until the answers
//! come too late or go wrong. What the machine can do at best is measured in the same run.

use std::time::Duration;

use anyhow::Result;
use serde::Serialize;
use tokio::time::sleep;

use crate::client::Client;
use crate::plan::{Load, Plan};
use crate::progress::Progress;
use crate::report::{Latency, Report};
use crate::run::run_with;
use crate::tally::BOUGHT;

pub mod search;
mod sections;

use search::{Bounds, Tried};

/// Most customers of one step: a concert has no more seats.
const MOST: f64 = 75_000.0;
/// Lets the server come to rest between two steps: it has its tables to write.
const REST: Duration = Duration::from_millis(500);

/// What is to be found out.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Climb {
    /// What 99 of 100 customers must not wait longer for; one knee for each.
    pub p99_ms: Vec<f64>,
    /// Percent of customers who may be told anything else than that they have bought.
    pub error_percent: f64,
    /// The rate to begin with, in customers a second.
    pub first: f64,
    /// How long each rate is kept up.
    pub seconds: f64,
    /// A knee is known well enough when the next rate that was too much is so many times as much.
    pub precision: f64,
    /// The same seed brings the same customers.
    pub seed: u64,
    /// Processes of the server, whose processor time is measured.
    #[serde(skip)]
    pub pids: Vec<u32>,
}

/// What came of one rate.
#[derive(Debug, Clone, Serialize)]
pub struct Step {
    /// Customers a second.
    pub rate: f64,
    /// From when they were to come to the answer that they have bought.
    pub bought: Latency,
    /// Percent of customers who were told anything else.
    pub error_percent: f64,
    /// Sagas completed a second, until none was open.
    pub completed_per_second: f64,
    /// Calls to participants for one saga.
    pub calls_per_saga: f64,
    /// Processor time of the server for one saga.
    pub cpu_ms_per_saga: Option<f64>,
}

/// The greatest rate at which a limit was kept.
#[derive(Debug, Clone, Serialize)]
pub struct Found {
    /// The limit.
    pub p99_ms: f64,
    /// What was measured there; nothing if no rate was small enough.
    pub step: Option<Step>,
}

/// All of it.
#[derive(Debug, Clone, Serialize)]
pub struct Knee {
    /// What was to be found out.
    pub climb: Climb,
    /// Every rate that was tried, in that order.
    pub steps: Vec<Step>,
    /// One for each limit.
    pub found: Vec<Found>,
    /// Promises that were broken on the way, and sagas that had not ended.
    pub broken: u64,
}

/// Finds the knees of a server.
///
/// # Errors
/// When the server refuses what the customers need beforehand.
pub async fn climb(client: &Client, climb: Climb, progress: Progress) -> Result<Knee> {
    let most = MOST / climb.seconds;
    let bounds = Bounds { first: climb.first.min(most), most, precision: climb.precision };
    let mut knee = Knee { steps: Vec::new(), found: Vec::new(), broken: 0, climb };
    // Connections, caches and the first pages of the tables are not what is measured.
    knee.measure(client, bounds.first, progress).await?;
    let mut limits = knee.climb.p99_ms.clone();
    limits.sort_by(|one, other| other.total_cmp(one));
    for limit in limits {
        while let Some(rate) = bounds.next(&knee.tried(limit)) {
            let step = knee.measure(client, rate, progress).await?;
            knee.steps.push(step);
        }
        let rate = search::knee(&knee.tried(limit));
        let step = knee.steps.iter().find(|step| Some(step.rate) == rate).cloned();
        knee.found.push(Found { p99_ms: limit, step });
    }
    Ok(knee)
}

impl Knee {
    /// Whether no promise was broken on the way.
    pub fn is_clean(&self) -> bool {
        self.broken == 0
    }

    fn tried(&self, limit_ms: f64) -> Vec<Tried> {
        let held = |step: &Step| step.bought.p99_ms <= limit_ms && step.error_percent <= self.climb.error_percent;
        self.steps.iter().map(|step| Tried { rate: step.rate, held: held(step) }).collect()
    }

    async fn measure(&mut self, client: &Client, rate: f64, progress: Progress) -> Result<Step> {
        let customers = (rate * self.climb.seconds).max(1.0) as usize;
        let (seed, pids) = (self.climb.seed + self.steps.len() as u64, self.climb.pids.clone());
        let plan = Plan { seed, pids, ..Plan::clean(customers, Load::Open { rate, rush: 0 }) };
        let report = run_with(client, &plan, progress, None).await?;
        self.broken += report.violation_count + report.open_sagas;
        sleep(REST).await;
        Ok(Step::of(rate, &report))
    }
}

impl Step {
    fn of(rate: f64, report: &Report) -> Self {
        let bought = report.outcomes.get(BOUGHT).copied().unwrap_or(Latency { p99_ms: f64::MAX, ..Latency::default() });
        let others = report.rates.answers.saturating_sub(bought.count);
        Self {
            rate,
            bought,
            error_percent: others as f64 * 100.0 / report.rates.answers.max(1) as f64,
            completed_per_second: report.rates.completed_per_second,
            calls_per_saga: report.rates.calls_per_saga,
            cpu_ms_per_saga: report.rates.cpu_ms_per_saga,
        }
    }
}
