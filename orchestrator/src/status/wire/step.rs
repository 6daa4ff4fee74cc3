//! The steps of a saga as messages: each line of its plan with what is known of it.

use pb::saga::step::attempt::Outcome;
use pb::saga::step::{Attempt, Kind as ShownKind, State as Shown};
use proto::orchestrator::v1 as pb;
use saga::{Class, Direction, Kind, Plan, Saga, Step, StepState, StepStatus};
use service_kit::wire::{duration, timestamp};

use crate::participants::Participants;

/// All steps; none when this build does not know the plan.
pub(super) fn steps(plan: Option<&Plan>, saga: &Saga, participants: &Participants) -> Vec<pb::saga::Step> {
    let lines = plan.map_or(&[][..], Plan::steps);
    lines.iter().zip(saga.steps()).map(|(line, state)| step(line, state, participants)).collect()
}

fn step(line: &Step, step: &StepState, participants: &Participants) -> pb::saga::Step {
    let (forward, compensation) = (&step.forward, &step.compensation);
    let attempts = |direction| attempts(step, direction);
    pb::saga::Step {
        id: line.id.to_owned(),
        kind: kind(line.kind).into(),
        method: participants.full_name(line.forward).to_owned(),
        compensation_method: line
            .compensation
            .map_or_else(String::new, |method| participants.full_name(method).to_owned()),
        state: status(step.status).into(),
        attempts: attempts(Direction::Forward).chain(attempts(Direction::Compensation)).collect(),
        next_attempt_time: forward.next_ms.or(compensation.next_ms).map(timestamp),
        ambiguous_count: count(forward.ambiguous.saturating_add(compensation.ambiguous)),
        attempt_count: count(forward.attempts),
        compensation_attempt_count: count(compensation.attempts),
    }
}

/// The last attempts, and the one in flight.
fn attempts(step: &StepState, direction: Direction) -> impl Iterator<Item = Attempt> {
    let leg = step.leg(direction);
    let compensation = direction == Direction::Compensation;
    let ended = leg.recent.iter().map(move |attempt| Attempt {
        number: count(attempt.number),
        compensation,
        start_time: Some(timestamp(attempt.at_ms - i64::from(attempt.elapsed_ms))),
        elapsed: Some(duration(attempt.elapsed_ms.into())),
        status: (attempt.code != 0).then(|| tonic_types::Status {
            code: attempt.code,
            message: attempt.reason.clone(),
            details: Vec::new(),
        }),
        worker: String::new(),
        outcome: outcome(attempt.class).into(),
    });
    let running = leg.in_flight.then(|| Attempt { number: count(leg.attempts), compensation, ..Attempt::default() });
    ended.chain(running)
}

fn kind(kind: Kind) -> ShownKind {
    match kind {
        Kind::Compensatable => ShownKind::Compensatable,
        Kind::Pivot => ShownKind::Pivot,
        Kind::Retriable => ShownKind::Retriable,
    }
}

fn status(status: StepStatus) -> Shown {
    match status {
        StepStatus::Pending => Shown::Pending,
        StepStatus::Skipped => Shown::Skipped,
        // A pivot that is known to have happened is still on its way to its reply.
        StepStatus::Running | StepStatus::Applied => Shown::Running,
        StepStatus::Succeeded => Shown::Succeeded,
        StepStatus::Refused => Shown::Refused,
        StepStatus::Uncertain => Shown::Uncertain,
        StepStatus::Compensating => Shown::Compensating,
        StepStatus::Compensated => Shown::Compensated,
    }
}

/// The class of an attempt's outcome.
pub(in crate::status) fn outcome(class: Class) -> Outcome {
    match class {
        Class::Done => Outcome::Done,
        Class::Refused => Outcome::Refused,
        Class::NotExecuted => Outcome::NotExecuted,
        Class::InDoubt => Outcome::InDoubt,
        Class::Overloaded => Outcome::Overloaded,
        Class::Pending => Outcome::Pending,
        Class::Contract => Outcome::Contract,
        Class::Lie => Outcome::Lie,
    }
}

fn count(number: u32) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}
