//! What all sagas are asked for with, whatever their kind, and what their resources show alike.

use std::time::Duration;

use pb::checkout::State as Shown;
use proto::orchestrator::v1 as pb;
use saga::{Act, Phase, State, StepIndex};
use serde::Serialize;
use service_kit::ids;
use service_kit::refusal::Fault;
use service_kit::wire::duration_ms_of;

use crate::config::Config;
use crate::desk::Face;
use crate::journal::Record;
use crate::plans::Definition;
use crate::runner::NewSaga;
use crate::status::wire::why;

/// The longest that a call may wait.
const LONGEST_WAIT_MS: u64 = 30_000;
/// The longest reason that a history keeps.
const LONGEST_REASON: usize = 500;

/// A kind of saga that people ask for, under the name of the resource that stands for it.
#[derive(Debug)]
pub(super) struct Kind {
    pub(super) face: Face,
    /// What new ones start with.
    pub(super) definition: &'static dyn Definition,
}

/// What is asked for, read from a message of its kind.
pub(super) struct Asked<I> {
    /// Whose it is.
    pub(super) subject: String,
    /// What it is about.
    pub(super) reference: String,
    pub(super) input: I,
    /// Steps that the input makes needless.
    pub(super) skip: Vec<StepIndex>,
    pub(super) request_id: String,
    pub(super) wait: Option<prost_types::Duration>,
}

/// A saga that somebody asks for, and how long he waits for its outcome.
#[derive(Debug)]
pub(crate) struct Order {
    pub(super) new: NewSaga,
    pub(super) wait: Duration,
}

impl Order {
    pub(super) fn new(kind: &Kind, asked: Asked<impl Serialize>, config: &Config) -> Result<Self, Fault> {
        let request_id = ids::uuid("request_id", &asked.request_id)?;
        let wait = asked.wait.map_or(Ok(config.wait()), wait)?;
        let new = NewSaga {
            reference: asked.reference,
            skip: asked.skip,
            undecided_for: config.undecided_for(),
            ..NewSaga::new(kind.definition, asked.subject, request_id, &asked.input)
        };
        Ok(Self { new, wait })
    }
}

fn wait(length: prost_types::Duration) -> Result<Duration, Fault> {
    let is_negative = length.seconds < 0 || length.nanos < 0;
    match duration_ms_of(length).map(u64::try_from) {
        Some(Ok(ms)) if !is_negative && ms <= LONGEST_WAIT_MS => Ok(Duration::from_millis(ms)),
        _ => Err(Fault::field("wait", "must be from 0 to 30 seconds")),
    }
}

/// An amount that lies outside what is allowed.
pub(super) fn amount_within(field: &str, amount: i64, (least, most): (i64, i64)) -> Result<(), Fault> {
    if (least..=most).contains(&amount) {
        return Ok(());
    }
    let problem = format!("must be from {least} to {most}, not {amount}");
    Err(Fault::Invalid { field: field.into(), problem, reason: "AMOUNT_OUT_OF_RANGE" })
}

/// Who wants a saga stopped, and why.
pub(super) fn act(customer: String, reason: String) -> Result<Act, Fault> {
    if reason.chars().count() > LONGEST_REASON {
        return Err(Fault::field("reason", format!("must not be longer than {LONGEST_REASON} characters")));
    }
    if reason.contains('\0') {
        return Err(Fault::field("reason", "must not hold the character NUL"));
    }
    let by = if customer.is_empty() {
        "operator".to_owned()
    } else {
        ids::name("customer", &customer, "customers")?;
        customer
    };
    Ok(Act { by, reason })
}

/// A suspended saga shows what it was about to do, and whether its pivot was answered meanwhile.
pub(super) fn state(kind: &Kind, record: &Record) -> Shown {
    match record.saga.phase() {
        Some(_) if record.saga.is_past_pivot(kind.definition.plan()) => Shown::Completing,
        Some(Phase::Running | Phase::Arbitrating) => Shown::Running,
        Some(Phase::Completing) => Shown::Completing,
        Some(Phase::Compensating) => Shown::Compensating,
        None if *record.saga.state() == State::Completed => Shown::Completed,
        None => Shown::Failed,
    }
}

/// Why it fails, if it does.
pub(super) fn failure(kind: &Kind, record: &Record) -> Option<tonic_types::Status> {
    let fails = matches!(state(kind, record), Shown::Compensating | Shown::Failed);
    record.saga.failure().filter(|_| fails).map(why)
}
