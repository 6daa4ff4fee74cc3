//! What a run has to reach, by its plan: one in which nothing failed proves nothing about failures.

use std::collections::BTreeMap;

use oracle::coverage::Coverage;

use crate::faults::Fired;
use crate::mix::Mix;
use crate::plan::Plan;
use crate::settle::Settled;
use crate::tally::Times;

/// Counts it. `faults` is empty where none could be switched.
pub(super) fn coverage(plan: &Plan, faults: &BTreeMap<&'static str, Fired>, settled: &Settled) -> Coverage {
    let mut coverage = if plan.mix == Mix::CLEAN { Coverage::new() } else { Coverage::of_any_run() };
    let ended = |state| settled.sagas.get(state).map_or(0, Times::count);
    coverage.add("completed", ended("COMPLETED"));
    if plan.mix != Mix::CLEAN || !faults.is_empty() {
        coverage.add("compensated", ended("COMPENSATED"));
    }
    if plan.lost_replies > 0.0 && !faults.is_empty() {
        for (participant, fired) in faults {
            coverage.add(format!("replies lost of {participant}"), fired.replies_lost);
        }
        for step in &settled.steps {
            coverage.add(format!("{} failed", step.id), step.refused + step.in_doubt);
        }
        let repeated = |step: &crate::settle::Step| step.compensation_calls.saturating_sub(step.compensated);
        coverage.add("some compensation failed", settled.steps.iter().map(repeated).sum());
    }
    if let Some(outage) = plan.outage.filter(|_| !faults.is_empty()) {
        let cut_off = faults.get(outage.participant).map_or(0, |fired| fired.cut_off);
        coverage.add(format!("{} cut off", outage.participant), cut_off);
    }
    coverage
}
