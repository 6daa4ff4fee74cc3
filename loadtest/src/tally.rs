//! What customers were told, and how long it took: counted while they are told.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hdrhistogram::Histogram;
use proto::orchestrator::v1::Checkout;
use proto::orchestrator::v1::checkout::State;
use serde::Serialize;
use tonic::{Code, Status};
use tonic_types::RpcStatusExt as _;

use crate::client::reason;
use crate::report::{Latency, PERCENTS, Spectrum};

/// Outcome of a checkout that the customer gets.
pub(crate) const BOUGHT: &str = "BOUGHT";
/// Outcome of a checkout that was still open when the answer came.
const UNDECIDED: &str = "UNDECIDED";
/// Outcome of a customer who did not wait for one.
pub(crate) const WENT_AWAY: &str = "WENT_AWAY";

/// The longest time that is told apart from longer ones.
const LONGEST_US: u64 = 600_000_000;

/// Violations that are kept in words; more only count.
const TOLD: usize = 20;

/// Everything counted so far.
#[derive(Debug, Default)]
pub(crate) struct Tally(Mutex<Counting>);

#[derive(Debug, Default)]
struct Counting {
    counts: Counts,
    /// The second that is under way, and what was told in it.
    second: u64,
    window: BTreeMap<String, Times>,
    live: Option<Live>,
}

/// The last whole second, all outcomes together.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Live {
    pub(crate) answers: u64,
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
}

/// The counts.
#[derive(Debug, Clone, Default)]
pub(crate) struct Counts {
    /// How often and how fast each outcome was told.
    pub(crate) outcomes: BTreeMap<String, Times>,
    /// What was told in each second of the run in which something was.
    pub(crate) timeline: Vec<Second>,
    /// Calls that were made again, as nobody knew what had become of them.
    pub(crate) repeated: u64,
    /// Answers that break a promise.
    pub(crate) violation_count: u64,
    /// The first of them, in words.
    pub(crate) violations: Vec<String>,
}

impl Tally {
    /// Counts one answer that came `second` seconds into the run, so long after the customer had come.
    pub(crate) fn answer(&self, outcome: String, latency: Duration, second: u64) {
        let mut counting = self.counting();
        if second > counting.second {
            counting.close();
            counting.second = second;
        }
        counting.window.entry(outcome.clone()).or_insert_with(Times::coarse).record(latency);
        counting.counts.outcomes.entry(outcome).or_default().record(latency);
    }

    /// Counts a customer who did not wait.
    pub(crate) fn went_away(&self, after: Duration) {
        self.counting().counts.outcomes.entry(WENT_AWAY.into()).or_default().record(after);
    }

    /// Counts a call that is made once more.
    pub(crate) fn repeated(&self) {
        self.counting().counts.repeated += 1;
    }

    /// Counts a broken promise.
    pub(crate) fn violation(&self, what: String) {
        let counts = &mut self.counting().counts;
        counts.violation_count += 1;
        if counts.violations.len() < TOLD {
            counts.violations.push(what);
        }
    }

    pub(crate) fn snapshot(&self) -> Counts {
        let mut counting = self.counting();
        counting.close();
        counting.counts.clone()
    }

    /// How it goes, once a second has passed.
    pub(crate) fn live(&self) -> Option<Live> {
        self.counting().live
    }

    fn counting(&self) -> MutexGuard<'_, Counting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Counting {
    /// Sums up the second that was under way.
    fn close(&mut self) {
        if self.window.is_empty() {
            return;
        }
        let mut all = Times::coarse();
        self.window.values().for_each(|times| all.add(times));
        let (p50_ms, p99_ms) = (all.percentile_ms(50.0), all.percentile_ms(99.0));
        self.live = Some(Live { answers: all.count(), p50_ms, p99_ms });
        let outcomes = std::mem::take(&mut self.window);
        let outcomes = outcomes.into_iter().map(|(outcome, times)| (outcome, Latency::from(&times))).collect();
        self.counts.timeline.push(Second { second: self.second, outcomes });
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

/// What was told in one second.
#[derive(Debug, Clone, Serialize)]
pub struct Second {
    /// Counted from the first arrival.
    pub second: u64,
    /// How often and how fast, by outcome; exact to 1 %.
    pub outcomes: BTreeMap<String, Latency>,
}

/// A distribution of times, exact to 0.1 % unless it is coarse.
#[derive(Debug, Clone)]
pub(crate) struct Times(Histogram<u64>);

impl Default for Times {
    fn default() -> Self {
        Self::exact_to(3)
    }
}

impl Times {
    /// Exact to 1 %, for the tenth of the memory.
    pub(crate) fn coarse() -> Self {
        Self::exact_to(2)
    }

    fn exact_to(digits: u8) -> Self {
        // A microsecond to ten minutes; what is longer counts as that.
        let bounds = Histogram::new_with_bounds(1, LONGEST_US, digits);
        Self(bounds.expect("the bounds are in order and up to five digits are allowed"))
    }

    pub(crate) fn add(&mut self, other: &Self) {
        self.0.add(&other.0).expect("both have the same bounds, so that nothing of the one is outside the other");
    }

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

    pub(crate) fn spectrum(&self) -> Spectrum {
        PERCENTS.map(|percent| (percent, self.percentile_ms(percent))).into()
    }

    pub(crate) fn max_ms(&self) -> f64 {
        self.0.max() as f64 / 1_000.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_second_is_summed_up_and_nothing_gets_lost() {
        let tally = Tally::default();
        assert!(tally.live().is_none());
        for (second, ms) in [(0, 10), (0, 20), (2, 30), (1, 40), (3, 50)] {
            tally.answer(BOUGHT.into(), Duration::from_millis(ms), second);
        }
        assert_eq!(tally.live().unwrap().answers, 2);
        let counts = tally.snapshot();
        let seen: Vec<_> =
            counts.timeline.iter().map(|second| (second.second, second.outcomes[BOUGHT].count)).collect();
        assert_eq!(seen, [(0, 2), (2, 2), (3, 1)]);
        assert_eq!(counts.outcomes[BOUGHT].count(), 5);
        assert!((counts.timeline[1].outcomes[BOUGHT].max_ms / 40.0 - 1.0).abs() < 0.01);
    }
}
