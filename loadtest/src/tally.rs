//! What customers were told, and how long it took: counted while they are told.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hdrhistogram::Histogram;
use proto::orchestrator::v1::Checkout;
use proto::orchestrator::v1::checkout::State;
use tonic::{Code, Status};
use tonic_types::RpcStatusExt as _;

use crate::client::reason;

/// Outcome of a checkout that the customer gets.
pub(crate) const BOUGHT: &str = "BOUGHT";
/// Outcome of a checkout that was still open when the answer came.
const UNDECIDED: &str = "UNDECIDED";
/// Outcome of a customer who did not wait for one.
pub(crate) const WENT_AWAY: &str = "WENT_AWAY";

/// Violations that are kept in words; more only count.
const TOLD: usize = 20;

/// Everything counted so far.
#[derive(Debug, Default)]
pub(crate) struct Tally(Mutex<Counts>);

/// The counts.
#[derive(Debug, Clone, Default)]
pub(crate) struct Counts {
    /// How often and how fast each outcome was told.
    pub(crate) outcomes: BTreeMap<String, Times>,
    /// Answers in each second of the run.
    pub(crate) by_second: BTreeMap<u64, u64>,
    /// Answers that break a promise.
    pub(crate) violation_count: u64,
    /// The first of them, in words.
    pub(crate) violations: Vec<String>,
}

impl Tally {
    /// Counts one answer that came `second` seconds into the run, so long after the customer had come.
    pub(crate) fn answer(&self, outcome: String, latency: Duration, second: u64) {
        let mut counts = self.counts();
        counts.outcomes.entry(outcome).or_default().record(latency);
        *counts.by_second.entry(second).or_default() += 1;
    }

    /// Counts a customer who did not wait.
    pub(crate) fn went_away(&self, after: Duration) {
        self.counts().outcomes.entry(WENT_AWAY.into()).or_default().record(after);
    }

    /// Counts a broken promise.
    pub(crate) fn violation(&self, what: String) {
        let mut counts = self.counts();
        counts.violation_count += 1;
        if counts.violations.len() < TOLD {
            counts.violations.push(what);
        }
    }

    pub(crate) fn snapshot(&self) -> Counts {
        self.counts().clone()
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether the customer gets what he wanted.
pub(crate) fn is_bought(checkout: &Checkout) -> bool {
    matches!(checkout.state(), State::Completing | State::Completed)
}

/// What a customer was told, in a word: [`BOUGHT`], the reason of a failure, or the error of the call.
pub(crate) fn outcome(answer: &Result<Checkout, Status>) -> String {
    match answer {
        Ok(checkout) if is_bought(checkout) => BOUGHT.into(),
        Ok(checkout) => match &checkout.failure {
            Some(failure) => failure_reason(failure),
            None => UNDECIDED.into(),
        },
        Err(status) => format!("error: {}", reason(status)),
    }
}

/// Why a checkout fails: the reason of the step that refused it.
pub(crate) fn failure_reason(failure: &tonic_types::Status) -> String {
    match failure.get_details_error_info() {
        Some(info) if !info.reason.is_empty() => info.reason,
        _ => format!("{:?}", Code::from_i32(failure.code)),
    }
}

/// A distribution of times, exact to 0.1 %.
#[derive(Debug, Clone)]
pub(crate) struct Times(Histogram<u64>);

impl Default for Times {
    fn default() -> Self {
        // A microsecond to ten minutes; what is longer counts as that.
        let bounds = Histogram::new_with_bounds(1, 600_000_000, 3);
        Self(bounds.expect("the bounds are in order and three digits are allowed"))
    }
}

impl Times {
    pub(crate) fn record(&mut self, time: Duration) {
        self.0.saturating_record(u64::try_from(time.as_micros()).unwrap_or(u64::MAX));
    }

    pub(crate) fn count(&self) -> u64 {
        self.0.len()
    }

    /// The time that so many percent did not exceed, in milliseconds.
    pub(crate) fn percentile_ms(&self, percent: f64) -> f64 {
        self.0.value_at_percentile(percent) as f64 / 1_000.0
    }

    pub(crate) fn max_ms(&self) -> f64 {
        self.0.max() as f64 / 1_000.0
    }
}
