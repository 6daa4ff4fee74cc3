//! Records of the journal as messages of the contracts.

use std::collections::HashMap;

use pb::saga::State as Shown;
use prost::Message as _;
use proto::orchestrator::v1 as pb;
use saga::{Failure, Phase, Saga, State};
use service_kit::wire::timestamp;
use tonic_types::{ErrorDetails, Status, StatusExt as _};

use super::listing::Catalogue;
use crate::faults::DOMAIN;
use crate::journal::Record;
use crate::participants::Participants;
use crate::plans::{Definition, Plans};

mod step;

pub(super) use step::outcome;

/// What sagas are listed by.
pub(super) const CATALOGUE: Catalogue = Catalogue {
    kind: None,
    fields: &["kind", "customer", "reservation", "state"],
    states: &[
        ("RUNNING", &["running"]),
        ("ARBITRATING", &["arbitrating"]),
        ("COMPLETING", &["completing"]),
        ("COMPLETED", &["completed"]),
        ("COMPENSATING", &["compensating"]),
        ("COMPENSATED", &["compensated"]),
        ("SUSPENDED", &["suspended"]),
    ],
    shows: |record| state(record.saga.state()).as_str_name(),
};

/// A failure as the participant told it or, when the saga itself gave up, as the orchestrator does.
pub fn failure(failure: &Failure) -> Status {
    let kept = Status::decode(failure.details.as_slice()).ok().filter(|kept| kept.code == failure.code);
    kept.unwrap_or_else(|| {
        let details = match reason(failure) {
            "" => ErrorDetails::new(),
            reason => ErrorDetails::with_error_info(reason, DOMAIN, HashMap::<String, String>::new()),
        };
        let code = tonic::Code::from_i32(failure.code);
        let status = tonic::Status::with_error_details(code, failure.message.as_str(), details);
        Status::decode(status.details()).unwrap_or_default()
    })
}

/// Why a saga did not complete. Where no participant gave a reason, the tries of a step have come to nothing.
pub fn why(cause: &Failure) -> Status {
    if !cause.reason.is_empty() {
        return failure(cause);
    }
    let message = if cause.message.is_empty() { "a step stayed without an answer" } else { &cause.message };
    failure(&Failure::new(cause.code, "RETRIES_EXHAUSTED", message))
}

/// A failure's reason as callers know it.
pub(crate) fn reason(failure: &Failure) -> &str {
    match failure.reason.as_str() {
        "CANCELLED" => "CHECKOUT_CANCELLED",
        "DEADLINE_EXCEEDED" => "DEADLINE_PASSED",
        reason => reason,
    }
}

/// Why the saga is suspended, or else why it is to stop or did not complete.
pub fn cause(saga: &Saga) -> Option<Status> {
    failure_of(saga).map(why)
}

/// See [`cause`].
pub(crate) fn failure_of(saga: &Saga) -> Option<&Failure> {
    if let State::Suspended(suspension) = saga.state() {
        return Some(&suspension.cause);
    }
    saga.failure()
}

/// A saga as it stands.
pub(super) fn saga(record: &Record, plans: &Plans, participants: &Participants) -> pb::Saga {
    let saga = &record.saga;
    let definition = plans.of(record);
    let amount = definition.and_then(|definition| definition.amount(record));
    let from = saga.phase().filter(|_| saga.is_suspended());
    pb::Saga {
        name: format!("sagas/{}", record.id),
        kind: record.kind.clone(),
        plan_version: i32::try_from(record.plan_version).unwrap_or(i32::MAX),
        resource: format!("{}s/{}", record.kind, record.id),
        state: state(saga.state()).into(),
        steps: step::steps(definition.map(Definition::plan), saga, participants),
        failure: cause(saga),
        owner: record.owner.to_string(),
        epoch: record.epoch,
        create_time: Some(timestamp(record.create_time)),
        update_time: Some(timestamp(record.update_time)),
        deadline: Some(timestamp(saga.deadline_ms())),
        end_time: saga.ended_ms().map(timestamp),
        trace_id: String::new(),
        version: record.version,
        suspended_from: from.map_or(Shown::Unspecified, phase).into(),
        customer: record.subject.clone(),
        amount: amount.unwrap_or_default(),
        decide_time: saga.decided_ms().map(timestamp),
    }
}

/// The name of a gRPC status code, as contracts spell it.
pub(crate) fn code(number: i32) -> String {
    let mut name = String::new();
    for letter in format!("{:?}", tonic::Code::from_i32(number)).chars() {
        if letter.is_ascii_uppercase() && !name.is_empty() && name != "O" {
            name.push('_');
        }
        name.push(letter.to_ascii_uppercase());
    }
    name
}

pub(crate) fn state(state: &State) -> Shown {
    match state {
        State::Running => Shown::Running,
        State::Completing => Shown::Completing,
        State::Completed => Shown::Completed,
        State::Arbitrating => Shown::Arbitrating,
        State::Compensating => Shown::Compensating,
        State::Compensated => Shown::Compensated,
        State::Suspended(_) => Shown::Suspended,
    }
}

fn phase(from: Phase) -> Shown {
    state(&from.into())
}
