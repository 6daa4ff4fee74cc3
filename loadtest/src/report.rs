//! What came of a run: numbers for programs as JSON, tables for people as text.

use std::collections::BTreeMap;

use oracle::coverage::Coverage;
use oracle::history::History;
use serde::Serialize;

use crate::drive::Volley;
use crate::faults::Fired;
use crate::mix::Mix;
use crate::plan::{Load, Plan};
use crate::settle::{Settled, Step};
use crate::tally::{Second, Times};

mod reached;
mod text;

pub(crate) use text::latencies;

/// The report of one run.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// What the run was to be.
    pub plan: Input,
    /// How much was done, and how fast.
    pub rates: Rates,
    /// What customers were told, with the time from when they were to come to the answer.
    pub outcomes: BTreeMap<String, Latency>,
    /// The distribution of these times.
    pub spectra: BTreeMap<String, Spectrum>,
    /// What was told in each second.
    pub timeline: Vec<Second>,
    /// Each call that was made over gRPC, that of the preparations included, by its name.
    pub calls: BTreeMap<String, Latency>,
    /// Calls that customers made once more, as nobody knew what had become of them.
    pub repeated: u64,
    /// From creation to decision, by the server's clock.
    pub decided: Latency,
    /// Where the sagas stand in the end, with the time from creation to end by the server's clock.
    pub sagas: BTreeMap<&'static str, Latency>,
    /// Why sagas failed.
    pub failures: BTreeMap<String, u64>,
    /// What was called and compensated, step by step.
    pub steps: Vec<Step>,
    /// What happened to calls on their way, by participant.
    pub faults: BTreeMap<&'static str, Fired>,
    /// Sagas that had not ended.
    pub open_sagas: u64,
    /// Answers that break a promise.
    pub violation_count: u64,
    /// The first of them, in words.
    pub violations: Vec<String>,
    /// What had to happen for the run to mean anything, and how often it did.
    pub coverage: Coverage,
    /// What customers saw. Whoever can read the tables holds it against them.
    #[serde(skip)]
    pub history: History,
    /// From when on no saga was open, on the history's scale; none if some still is.
    #[serde(skip)]
    pub rest: Option<u64>,
}

/// What the run was to be.
#[derive(Debug, Clone, Serialize)]
pub struct Input {
    checkouts: usize,
    load: Load,
    mix: Mix,
    seed: u64,
}

/// How much was done, and how fast.
#[derive(Debug, Clone, Serialize)]
pub struct Rates {
    /// From the first arrival to the last answer.
    pub seconds: f64,
    /// From the last answer until no saga was open.
    pub settle_seconds: f64,
    /// Answers, those of repeated and refused requests included.
    pub answers: u64,
    /// Answers a second, over the whole time.
    pub answers_per_second: f64,
    /// Most answers within one second.
    pub busiest_second: u64,
    /// Sagas completed.
    pub completed: u64,
    /// Sagas completed a second, until no saga was open.
    pub completed_per_second: f64,
    /// Calls of steps and compensations, for one saga on average.
    pub calls_per_saga: f64,
    /// Processor time of the server for one saga, if it was measured.
    pub cpu_ms_per_saga: Option<f64>,
}

/// Percents, each with the milliseconds that so many percent did not exceed.
pub type Spectrum = Vec<(f64, f64)>;

/// The percents of a spectrum.
pub(crate) const PERCENTS: [f64; 14] =
    [0.0, 10.0, 25.0, 50.0, 75.0, 90.0, 95.0, 98.0, 99.0, 99.5, 99.9, 99.95, 99.99, 100.0];

/// How often, and how long it took, in milliseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Latency {
    /// How often.
    pub count: u64,
    /// Half of them took no longer.
    pub p50_ms: f64,
    /// Nine of ten took no longer.
    pub p90_ms: f64,
    /// 99 of 100 took no longer.
    pub p99_ms: f64,
    /// 999 of 1,000 took no longer.
    pub p999_ms: f64,
    /// The longest one.
    pub max_ms: f64,
}

impl From<&Times> for Latency {
    fn from(times: &Times) -> Self {
        let [p50_ms, p90_ms, p99_ms, p999_ms] = [50.0, 90.0, 99.0, 99.9].map(|percent| times.percentile_ms(percent));
        Self { count: times.count(), p50_ms, p90_ms, p99_ms, p999_ms, max_ms: times.max_ms() }
    }
}

/// What each of them took, by its name.
pub(crate) fn by_name(times: &BTreeMap<String, Times>) -> BTreeMap<String, Latency> {
    times.iter().map(|(name, times)| (name.clone(), times.into())).collect()
}

impl Report {
    /// Sums up.
    pub fn new(plan: &Plan, volley: Volley, settled: Settled, cpu_seconds: Option<f64>) -> Self {
        let coverage = reached::coverage(plan, &volley.faults, &settled);
        let counts = volley.counts;
        Self {
            coverage,
            history: volley.record.take(),
            rest: settled.rest,
            plan: Input { checkouts: plan.checkouts, load: plan.load, mix: plan.mix, seed: plan.seed },
            rates: Rates::new(volley.lasted.as_secs_f64(), &counts.timeline, &settled, cpu_seconds),
            outcomes: by_name(&counts.outcomes),
            spectra: counts.outcomes.iter().map(|(outcome, times)| (outcome.clone(), times.spectrum())).collect(),
            timeline: counts.timeline,
            calls: by_name(&volley.calls),
            repeated: counts.repeated,
            decided: (&settled.decided).into(),
            sagas: settled.sagas.iter().map(|(state, times)| (*state, times.into())).collect(),
            failures: settled.failures,
            steps: settled.steps,
            faults: volley.faults,
            open_sagas: settled.open,
            violation_count: counts.violation_count,
            violations: counts.violations,
        }
    }

    /// Whether no promise was broken, every saga has ended, and all that had to happen did.
    pub fn is_clean(&self) -> bool {
        self.violation_count == 0 && self.open_sagas == 0 && self.coverage.is_complete()
    }
}

impl Rates {
    fn new(seconds: f64, timeline: &[Second], settled: &Settled, cpu_seconds: Option<f64>) -> Self {
        let by_second = || timeline.iter().map(|second| second.outcomes.values().map(|latency| latency.count).sum());
        let answers = by_second().sum();
        let completed = settled.sagas.get("COMPLETED").map_or(0, Times::count);
        let sagas: u64 = settled.sagas.values().map(Times::count).sum();
        let calls: u64 = settled.steps.iter().map(|step| step.calls + step.compensation_calls).sum();
        let settle_seconds = settled.waited.as_secs_f64();
        Self {
            seconds,
            settle_seconds,
            answers,
            answers_per_second: answers as f64 / seconds,
            busiest_second: by_second().max().unwrap_or_default(),
            completed,
            completed_per_second: completed as f64 / (seconds + settle_seconds),
            calls_per_saga: calls as f64 / sagas.max(1) as f64,
            cpu_ms_per_saga: cpu_seconds.map(|cpu| cpu * 1_000.0 / sagas.max(1) as f64),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn percentiles_are_those_of_the_recorded_times() {
        let mut times = Times::default();
        for ms in 1..=1_000 {
            times.record(Duration::from_millis(ms));
        }
        let latency = Latency::from(&times);
        assert_eq!(latency.count, 1_000);
        let seen = [latency.p50_ms, latency.p90_ms, latency.p99_ms, latency.max_ms];
        for (seen, wanted) in seen.into_iter().zip([500.0, 900.0, 990.0, 1_000.0]) {
            assert!((seen / wanted - 1.0).abs() < 0.001, "{seen} for {wanted}");
        }
    }

    #[test]
    fn a_time_beyond_the_scale_counts_as_the_longest() {
        let mut times = Times::default();
        times.record(Duration::from_secs(3_600));
        assert!(Latency::from(&times).max_ms >= 600_000.0);
    }
}
