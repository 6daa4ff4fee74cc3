//! What a run has to reach, by its plan: one in which nothing failed proves nothing about failures.

use std::collections::BTreeMap;

use oracle::coverage::Coverage;

use crate::faults::{Fired, Trouble};
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
    for episode in plan.episodes.iter().filter(|_| !faults.is_empty()) {
        for (participant, fired) in
            faults.iter().filter(|(name, _)| episode.participant.is_none_or(|one| one == **name))
        {
            let Trouble { cut_off, delayed, duplicate, stray, .. } = episode.trouble;
            let kinds = [
                ("cut off", cut_off, fired.cut_off),
                ("delayed", delayed > 0.0, fired.delayed),
                ("called twice", duplicate > 0.0, fired.duplicated),
                ("called astray", stray > 0.0, fired.strayed),
            ];
            for (kind, _, times) in kinds.into_iter().filter(|(_, is_planned, _)| *is_planned) {
                let what = format!("{participant} {kind}");
                // Several episodes of a kind are counted together.
                if coverage.count(&what) == 0 {
                    coverage.add(what, times);
                }
            }
        }
    }
    coverage
}
