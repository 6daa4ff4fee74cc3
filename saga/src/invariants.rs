//! What holds for every saga at rest in the journal, and between one version of it and the next.
//!
//! Read by tests, by the simulator, by verification of live databases, and by debug builds on both sides of a decision.
//! These rules are stated without [`decide`](crate::decide), from what a saga promises.

mod change;
mod legs;

use std::fmt;

use crate::{Kind, Phase, Plan, Saga, State, StepIndex, StepStatus};

pub use change::check_step;

/// A rule that does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Violation {
    /// The rule, as it should be.
    pub rule: &'static str,
    /// Where it is broken, if at one step.
    pub step: Option<StepIndex>,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.step {
            Some(step) => write!(f, "{} (step {})", self.rule, step.0),
            None => f.write_str(self.rule),
        }
    }
}

impl std::error::Error for Violation {}

/// Whether the saga's state and its steps agree, and something will move it on.
pub fn check(plan: &Plan, saga: &Saga) -> Result<(), Violation> {
    ensure(saga.steps.len() == plan.steps().len(), "a saga has the steps of its plan")?;
    for (index, line) in plan.steps().iter().enumerate() {
        legs::check(line, &saga.steps[index]).map_err(|rule| at(rule, index))?;
    }
    check_order(plan, saga)?;
    check_times(saga)?;
    match &saga.state {
        State::Completed => check_completed(saga),
        State::Compensated => check_compensated(plan, saga),
        State::Running | State::Completing | State::Arbitrating | State::Compensating | State::Suspended(_) => {
            check_open(plan, saga)
        }
    }
}

/// A step is sent only when every stage before its own is finished.
fn check_order(plan: &Plan, saga: &Saga) -> Result<(), Violation> {
    if matches!(saga.phase(), Some(Phase::Compensating) | None) {
        return Ok(());
    }
    for (index, line) in plan.steps().iter().enumerate() {
        let has_begun = saga.steps[index].forward.attempts > 0;
        for (earlier, other) in plan.steps()[..index].iter().enumerate() {
            // The arbiter is taken back, or asked to be, only after the pivot was sent.
            let stands = |status: StepStatus| {
                status.is_finished() || matches!(status, StepStatus::Compensating | StepStatus::Compensated)
            };
            if has_begun && other.stage < line.stage && !stands(saga.steps[earlier].status) {
                return Err(at("a step is sent only when the stages before it are finished", index));
            }
        }
    }
    Ok(())
}

fn check_times(saga: &Saga) -> Result<(), Violation> {
    let is_decided = !matches!(saga.phase(), Some(Phase::Running | Phase::Arbitrating));
    ensure(saga.decided_ms.is_some() == is_decided, "a saga knows when it was decided")?;
    ensure(saga.ended_ms.is_some() == saga.is_terminal(), "a saga knows when it ended")
}

fn check_completed(saga: &Saga) -> Result<(), Violation> {
    ensure(saga.failure.is_none(), "a completed saga has no failure")?;
    ensure(is_at_rest(saga), "an ended saga waits for nothing")?;
    each(saga, "in a completed saga every step has happened or was not needed", |_, status| status.is_finished())
}

fn check_compensated(plan: &Plan, saga: &Saga) -> Result<(), Violation> {
    ensure(saga.failure.is_some(), "a compensated saga says why")?;
    ensure(is_at_rest(saga), "an ended saga waits for nothing")?;
    each(saga, "in a compensated saga nothing is left of any step", |index, status| {
        let is_gone =
            matches!(status, StepStatus::Pending | StepStatus::Skipped | StepStatus::Refused | StepStatus::Compensated);
        is_gone && !saga.must_compensate(plan, index)
    })
}

fn check_open(plan: &Plan, saga: &Saga) -> Result<(), Violation> {
    let will_move = saga.is_suspended() || saga.in_flight().next().is_some() || saga.next_wake_ms().is_some();
    ensure(will_move, "an open saga waits for a reply, for a time, or for a person")?;
    match saga.phase() {
        Some(Phase::Running) => check_running(plan, saga),
        Some(Phase::Completing) => check_completing(plan, saga),
        Some(Phase::Arbitrating) => check_arbitrating(plan, saga),
        Some(Phase::Compensating) => check_compensating(plan, saga),
        None => Ok(()),
    }
}

fn check_running(plan: &Plan, saga: &Saga) -> Result<(), Violation> {
    each(saga, "an undecided saga takes nothing back", |index, _| saga.steps[index.0].compensation.attempts == 0)?;
    check_retriables_untouched(plan, saga)?;
    if saga.is_suspended() {
        return Ok(());
    }
    ensure(saga.failure.is_none(), "an undecided saga has no reason to stop")?;
    each(saga, "an undecided saga has no refused step", |_, status| status != StepStatus::Refused)?;
    let pivot = saga.pivot_status(plan);
    ensure(!pivot.is_some_and(StepStatus::has_happened), "a pivot that happened decides")
}

fn check_completing(plan: &Plan, saga: &Saga) -> Result<(), Violation> {
    ensure(saga.failure.is_none(), "a saga that goes forward has no reason to stop")?;
    let pivot = saga.pivot_status(plan);
    ensure(pivot.is_none_or(StepStatus::has_happened), "a saga goes forward only past its pivot")?;
    each(saga, "a saga that goes forward takes nothing back", |index, status| {
        plan.steps()[index.0].kind != Kind::Compensatable || status.is_finished()
    })
}

fn check_arbitrating(plan: &Plan, saga: &Saga) -> Result<(), Violation> {
    ensure(saga.failure.is_some(), "a saga that is to stop says why")?;
    check_retriables_untouched(plan, saga)?;
    let arbiter = plan.arbiter().map(|(step, _)| step);
    each(saga, "only the arbiter is asked while the pivot is in doubt", |index, status| {
        plan.steps()[index.0].kind != Kind::Compensatable || status.is_finished() || arbiter == Some(index)
    })?;
    let pivot = saga.pivot_status(plan);
    let is_in_doubt = pivot.is_some_and(StepStatus::is_in_doubt);
    ensure(is_in_doubt || (pivot.is_some() && saga.is_suspended()), "only a pivot in doubt is arbitrated")
}

fn check_compensating(plan: &Plan, saga: &Saga) -> Result<(), Violation> {
    ensure(saga.failure.is_some(), "a saga that turned back says why")?;
    check_retriables_untouched(plan, saga)?;
    let pivot = saga.pivot_status(plan);
    let is_out = pivot.is_none_or(|status| matches!(status, StepStatus::Pending | StepStatus::Refused));
    ensure(is_out, "a saga turns back only if its pivot did not happen")?;
    let arbiter = plan.arbiter().map(|(step, _)| step);
    each(saga, "compensations are sent in reverse order", |index, status| {
        let is_begun = matches!(status, StepStatus::Compensating | StepStatus::Compensated);
        let mut later = (index.0 + 1..saga.steps.len()).map(StepIndex);
        !is_begun || arbiter == Some(index) || !later.any(|later| saga.must_compensate(plan, later))
    })
}

fn check_retriables_untouched(plan: &Plan, saga: &Saga) -> Result<(), Violation> {
    each(saga, "no retriable step is sent before the decision", |index, _| {
        plan.steps()[index.0].kind != Kind::Retriable || saga.steps[index.0].forward.attempts == 0
    })
}

fn is_at_rest(saga: &Saga) -> bool {
    saga.legs()
        .all(|(_, _, leg)| !leg.in_flight && leg.next_ms.is_none() && leg.stuck.is_none() && leg.request.is_none())
}

fn each(saga: &Saga, rule: &'static str, holds: impl Fn(StepIndex, StepStatus) -> bool) -> Result<(), Violation> {
    let broken = |index: &usize| !holds(StepIndex(*index), saga.steps[*index].status);
    match (0..saga.steps.len()).find(broken) {
        Some(index) => Err(at(rule, index)),
        None => Ok(()),
    }
}

fn ensure(holds: bool, rule: &'static str) -> Result<(), Violation> {
    match holds {
        true => Ok(()),
        false => Err(Violation { rule, step: None }),
    }
}

fn at(rule: &'static str, index: usize) -> Violation {
    Violation { rule, step: Some(StepIndex(index)) }
}
