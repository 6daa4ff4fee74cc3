//! What holds between one version of a saga and the next.

use super::{Violation, at, ensure};
use crate::{Event, Kind, Leg, Phase, Plan, Saga, State, StepIndex, StepStatus};

/// Whether a saga may become that other one by this event: nothing regresses, the decision falls once, what ended stays.
pub fn check_step(plan: &Plan, before: &Saga, event: &Event, after: &Saga) -> Result<(), Violation> {
    let is_of_plan = before.steps.len() == plan.steps().len() && after.steps.len() == plan.steps().len();
    ensure(is_of_plan, "a saga has the steps of its plan")?;
    ensure(before.is_open() || before == after, "what has ended never changes")?;
    ensure(may_become(before, after), "a saga only goes forward through its states")?;
    check_hold(before, event, after)?;
    ensure(before.decided_ms.is_none() || before.decided_ms == after.decided_ms, "a saga is decided once")?;
    let is_kept = before.failure.is_none() || after.failure.is_none() || before.failure == after.failure;
    ensure(is_kept, "the first reason to stop is kept")?;
    for index in 0..plan.steps().len() {
        check_change(plan, before, after, StepIndex(index)).map_err(|rule| at(rule, index))?;
    }
    Ok(())
}

/// Where a saga may be after one event, seen through a suspension.
fn may_become(before: &Saga, after: &Saga) -> bool {
    use State::{Arbitrating, Compensated, Compensating, Completed, Completing, Running};
    let to = after.phase().map_or_else(|| after.state.clone(), State::from);
    match before.phase() {
        None => before.state == to,
        Some(Phase::Running) => {
            matches!(to, Running | Completing | Completed | Arbitrating | Compensating | Compensated)
        }
        Some(Phase::Arbitrating) => matches!(to, Arbitrating | Completing | Completed | Compensating | Compensated),
        Some(Phase::Completing) => matches!(to, Completing | Completed),
        Some(Phase::Compensating) => matches!(to, Compensating | Compensated),
    }
}

/// Only an operator lets a suspended saga go, and only then its deadline moves.
fn check_hold(before: &Saga, event: &Event, after: &Saga) -> Result<(), Violation> {
    let is_released = matches!(event, Event::Resume(_) | Event::Abort(_));
    if before.is_suspended() && !is_released {
        ensure(before.state == after.state, "only an operator lets a suspended saga go")?;
        let is_silent =
            before.legs().zip(after.legs()).all(|((_, _, before), (_, _, after))| before.attempts == after.attempts);
        ensure(is_silent, "nothing is sent for a suspended saga")?;
    }
    let may_move = before.is_suspended() && is_released;
    ensure(may_move || before.deadline_ms == after.deadline_ms, "a deadline moves only by what the saga was held")
}

fn check_change(plan: &Plan, before: &Saga, after: &Saga, index: StepIndex) -> Result<(), &'static str> {
    let (old, new) = (&before.steps[index.0], &after.steps[index.0]);
    let kind = plan.steps()[index.0].kind;
    if !may_turn(kind, old.status, new.status) {
        return Err("what is known of a step is never forgotten");
    }
    if !may_grow(&old.forward, &new.forward) || !may_grow(&old.compensation, &new.compensation) {
        return Err("attempts are counted one by one and never back");
    }
    if old.output.is_some() && old.output != new.output {
        return Err("a reply never changes");
    }
    let is_sent = new.forward.attempts > old.forward.attempts;
    let may_send = match kind {
        Kind::Compensatable => before.phase() == Some(Phase::Running),
        // Its stored reply is fetched once its arbiter has told that it happened.
        Kind::Pivot => after.phase() != Some(Phase::Compensating) && after.phase() != Some(Phase::Arbitrating),
        Kind::Retriable => after.is_past_pivot(plan),
    };
    match is_sent && !may_send {
        true => Err("nothing goes forward once the saga turned back, or before its turn"),
        false => Ok(()),
    }
}

fn may_grow(old: &Leg, new: &Leg) -> bool {
    (old.attempts..=old.attempts.saturating_add(1)).contains(&new.attempts)
        && new.failed >= old.failed
        && (old.request.is_none() || new.request.is_none() || old.request == new.request)
}

/// What may be known of a step after one event, by what was known before.
fn may_turn(kind: Kind, old: StepStatus, new: StepStatus) -> bool {
    use StepStatus::{Applied, Compensated, Compensating, Pending, Refused, Running, Skipped, Succeeded, Uncertain};
    old == new
        || match old {
            Pending => matches!(new, Skipped | Running) || (new == Succeeded && kind == Kind::Retriable),
            Running => matches!(new, Pending | Succeeded | Applied | Refused | Uncertain | Compensating),
            Uncertain => matches!(new, Running | Succeeded | Applied | Refused | Compensating),
            Succeeded => new == Compensating && kind == Kind::Compensatable,
            Applied => new == Succeeded,
            Refused => new == Compensating && kind == Kind::Compensatable,
            // An arbiter that lost.
            Compensating => matches!(new, Compensated | Succeeded),
            Skipped | Compensated => false,
        }
}
