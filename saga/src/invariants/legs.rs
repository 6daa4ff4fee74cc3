//! What holds within one step, whatever the saga is doing.

use crate::state::RECENT;
use crate::{Kind, Leg, Step, StepState, StepStatus};

/// The first rule that the step breaks.
pub(super) fn check(line: &Step, step: &StepState) -> Result<(), &'static str> {
    check_leg(&step.forward)?;
    check_leg(&step.compensation)?;
    check_status(line, step)?;
    let has_reply = match step.status {
        StepStatus::Succeeded => step.output.is_some(),
        StepStatus::Compensating | StepStatus::Compensated => true,
        StepStatus::Pending
        | StepStatus::Skipped
        | StepStatus::Running
        | StepStatus::Applied
        | StepStatus::Refused
        | StepStatus::Uncertain => step.output.is_none(),
    };
    ensure(has_reply, "a step has a reply if it succeeded, and none before")
}

fn check_leg(leg: &Leg) -> Result<(), &'static str> {
    ensure(!leg.in_flight || leg.attempts > 0, "what is in flight was attempted")?;
    ensure(!(leg.in_flight && leg.next_ms.is_some()), "what is in flight does not back off")?;
    ensure(!(leg.in_flight && leg.stuck.is_some()), "what is in flight is not stuck")?;
    ensure(!(leg.next_ms.is_some() && leg.stuck.is_some()), "what is stuck does not back off")?;
    let counted = leg.failed.max(leg.ambiguous).max(leg.contract);
    ensure(counted <= leg.attempts, "no more attempts are counted than were made")?;
    ensure(leg.recent.len() <= RECENT, "a row remembers the last attempts only")?;
    let is_idle = leg.attempts > 0 || (leg.next_ms.is_none() && leg.stuck.is_none() && leg.request.is_none());
    ensure(is_idle, "what was never attempted waits for nothing")
}

/// Status and legs tell the same story, and only a step that may has the status.
fn check_status(line: &Step, step: &StepState) -> Result<(), &'static str> {
    let (sent, taken_back) = (step.forward.in_flight, step.compensation.in_flight);
    let is_pivot = line.kind == Kind::Pivot;
    let can_compensate = line.kind == Kind::Compensatable;
    ensure(can_compensate || step.compensation.attempts == 0, "only a compensatable step is taken back")?;
    ensure(line.kind != Kind::Retriable || step.status != StepStatus::Refused, "a retriable step is never refused")?;
    let agrees = match step.status {
        StepStatus::Pending | StepStatus::Uncertain => !sent && !taken_back,
        StepStatus::Skipped => step.forward.attempts == 0 && step.compensation.attempts == 0,
        StepStatus::Running => sent && !taken_back,
        // The arbiter that lost may still be in flight.
        StepStatus::Succeeded => !sent && (can_compensate || !taken_back),
        StepStatus::Applied => is_pivot,
        // The pivot that lost may still be in flight.
        StepStatus::Refused => !taken_back && (is_pivot || !sent),
        StepStatus::Compensating => can_compensate && !sent && step.compensation.attempts > 0,
        StepStatus::Compensated => can_compensate && !sent && !taken_back && step.compensation.attempts > 0,
    };
    ensure(agrees, "a step's status agrees with what is under way")
}

fn ensure(holds: bool, rule: &'static str) -> Result<(), &'static str> {
    match holds {
        true => Ok(()),
        false => Err(rule),
    }
}
