//! Many runs, on several threads, and what they add up to.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::faults::Kind;
use crate::run::{Options, Report, run};

/// Seeds that a thread takes at a time.
const CHUNK: u64 = 64;
/// Failing seeds that are remembered.
const MOST_FAILING: usize = 20;

/// What runs add up to.
#[derive(Debug, Clone, Default)]
pub struct Totals {
    /// Seeds that were run.
    pub seeds: u64,
    /// Sagas in all of them.
    pub sagas: u64,
    /// Those that completed.
    pub completed: u64,
    /// Those that left nothing.
    pub compensated: u64,
    /// Sagas whose traces were forgotten by the participants.
    pub purged: u64,
    /// Simulated milliseconds.
    pub elapsed_ms: u64,
    /// How often what went wrong.
    pub faults: BTreeMap<Kind, u64>,
    /// How many seeds broke a promise.
    pub violations: u64,
    /// Some of them: the lowest seeds first.
    pub failing: Vec<(u64, String)>,
}

impl Totals {
    fn add(&mut self, report: &Report) {
        self.seeds += 1;
        self.sagas += report.sagas;
        self.completed += report.completed;
        self.compensated += report.compensated;
        self.purged += report.purged;
        self.elapsed_ms += report.elapsed_ms;
        for fault in &report.fired {
            *self.faults.entry(fault.kind).or_default() += 1;
        }
        if let Some(first) = report.violations.first() {
            self.violations += 1;
            self.failing.push((report.seed, first.clone()));
        }
    }

    fn join(&mut self, other: Totals) {
        self.seeds += other.seeds;
        self.sagas += other.sagas;
        self.completed += other.completed;
        self.compensated += other.compensated;
        self.purged += other.purged;
        self.elapsed_ms += other.elapsed_ms;
        for (kind, count) in other.faults {
            *self.faults.entry(kind).or_default() += count;
        }
        self.violations += other.violations;
        self.failing.extend(other.failing);
        self.failing.sort();
        self.failing.truncate(MOST_FAILING);
    }

    /// What these runs never met, although they were to.
    pub fn missed(&self) -> Vec<&'static str> {
        let kinds = Kind::ALL.iter().filter(|kind| !self.faults.contains_key(kind)).map(|kind| kind.name());
        let ends = [(self.completed, "completed"), (self.compensated, "compensated"), (self.purged, "purged")];
        kinds.chain(ends.into_iter().filter(|(count, _)| *count == 0).map(|(_, name)| name)).collect()
    }
}

/// Runs the seeds on so many threads, until one fails if that is enough.
pub fn many(seeds: Range<u64>, jobs: usize, options: &Options, until_one_fails: bool) -> Totals {
    let (next, totals) = (AtomicU64::new(seeds.start), Mutex::new(Totals::default()));
    std::thread::scope(|scope| {
        for _ in 0..jobs.max(1) {
            scope.spawn(|| {
                let mut own = Totals::default();
                loop {
                    let from = next.fetch_add(CHUNK, Ordering::Relaxed);
                    if from >= seeds.end {
                        break;
                    }
                    for seed in from..seeds.end.min(from + CHUNK) {
                        own.add(&run(seed, options));
                        if until_one_fails && own.violations > 0 {
                            next.store(seeds.end, Ordering::Relaxed);
                            break;
                        }
                    }
                }
                totals.lock().unwrap_or_else(PoisonError::into_inner).join(own);
            });
        }
    });
    totals.into_inner().unwrap_or_else(PoisonError::into_inner)
}
