//! Where an open saga stands, what keeps it there, and what it holds meanwhile. The journal keeps this beside each saga, so
//! that all of them can be counted and added up without being read.

use saga::{Class, Direction, Failure, Leg, Saga, StepIndex, StepState, StepStatus};

use crate::journal::Record;
use crate::plans::Definition;
use crate::status::wire;

/// What somebody cannot use because a saga has not ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Held {
    /// Points or money that are set aside, and neither moved nor given back.
    pub amount: i64,
    /// Seats that are locked, and neither sold nor free.
    pub seats: i64,
}

/// One saga's part in the exposure. All empty for one that has ended.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Exposure {
    /// Id of the step that it is at.
    pub step: &'static str,
    /// Why it is there: the reason of the last failure, or nothing.
    pub reason: String,
    /// What it holds meanwhile.
    pub held: Held,
}

impl Exposure {
    /// The part of a saga as it stands in `record`.
    pub fn of(definition: &dyn Definition, record: &Record) -> Self {
        let saga = &record.saga;
        if saga.is_terminal() {
            return Self::default();
        }
        let step = step_at(saga);
        let id = step.and_then(|step| definition.plan().step(step)).map_or("", |step| step.id);
        Self { step: id, reason: reason(saga, step), held: definition.held(record) }
    }
}

/// The step that keeps the saga: one that needs a person, else one that fails, else what it waits for or has to do next.
fn step_at(saga: &Saga) -> Option<StepIndex> {
    let find = |wanted: fn(&StepState) -> bool| saga.steps().iter().position(wanted).map(StepIndex);
    find(|step| legs(step).any(|leg| leg.stuck.is_some()))
        .or_else(|| find(|step| legs(step).any(|leg| error(leg).is_some())))
        .or_else(|| find(|step| legs(step).any(is_under_way)))
        .or_else(|| find(|step| step.status.is_in_doubt() || step.status == StepStatus::Compensating))
        .or_else(|| find(|step| !step.status.is_finished()))
}

fn legs(step: &StepState) -> impl Iterator<Item = &Leg> {
    [Direction::Forward, Direction::Compensation].into_iter().map(|direction| step.leg(direction))
}

fn is_under_way(leg: &Leg) -> bool {
    leg.in_flight || leg.next_ms.is_some()
}

/// What the last attempt failed with, while another one is under way or due.
fn error(leg: &Leg) -> Option<String> {
    let last = leg.recent.last().filter(|_| is_under_way(leg))?;
    match (last.class, last.reason.as_str()) {
        (Class::Done, _) => None,
        (Class::Pending, "") => Some("PENDING".to_owned()),
        (_, "") => Some(wire::code(last.code)),
        (_, reason) => Some(reason.to_owned()),
    }
}

fn reason(saga: &Saga, step: Option<StepIndex>) -> String {
    let told = |failure: &Failure| match wire::reason(failure) {
        "" => wire::code(failure.code),
        reason => reason.to_owned(),
    };
    let of_step = |step: &StepState| {
        let stuck = legs(step).find_map(|leg| leg.stuck.as_ref()).map(told);
        stuck.or_else(|| legs(step).find_map(error))
    };
    let suspended = wire::failure_of(saga).filter(|_| saga.is_suspended()).map(told);
    let failing = || step.and_then(|step| saga.steps().get(step.0)).and_then(of_step);
    suspended.or_else(failing).or_else(|| saga.failure().map(told)).unwrap_or_default()
}
