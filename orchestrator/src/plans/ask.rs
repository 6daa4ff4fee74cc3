//! What the requests of all sagas have in common: whose they are, the id by which a repeat is known, and what they are
//! made from.

use saga::{Call, Direction, Plan, Saga, StepIndex};
use serde::de::DeserializeOwned;
use service_kit::ids;

use super::word;
use crate::journal::Record;

/// The request of one step in one direction that is to be made.
#[derive(Debug, Clone, Copy)]
pub struct Ask<'a> {
    /// The saga as it stands.
    pub record: &'a Record,
    /// Which step.
    pub step: StepIndex,
    /// Which direction.
    pub direction: Direction,
    plan: &'static Plan,
}

impl<'a> Ask<'a> {
    pub(crate) fn new(plan: &'static Plan, record: &'a Record, call: Call) -> Self {
        Self { record, step: call.step, direction: call.direction, plan }
    }

    /// `sagas/{uuid}`.
    pub fn saga(&self) -> String {
        format!("sagas/{}", self.record.id)
    }

    /// The same for every attempt, and after a restart.
    pub fn request_id(&self) -> String {
        ids::operation_id(self.record.id, self.id(self.step), word(self.direction)).to_string()
    }

    /// What the saga was started with.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn input<T: DeserializeOwned>(&self) -> Result<T, String> {
        input(self.record)
    }

    /// What an earlier step's reply left behind.
    ///
    /// # Errors
    /// When there is none.
    pub fn output<T: DeserializeOwned>(&self, step: StepIndex) -> Result<T, String> {
        output(&self.record.saga, step).ok_or_else(|| format!("the reply of {} is missing", self.id(step)))
    }

    /// Why the saga is to stop, in one word.
    pub fn reason(&self) -> String {
        self.record.saga.failure().map(|failure| failure.reason.clone()).unwrap_or_default()
    }

    /// The answer where there is no such request.
    ///
    /// # Errors
    /// Always.
    pub fn unknown<T>(&self) -> Result<T, String> {
        Err(format!("{} has no request {}", self.id(self.step), word(self.direction)))
    }

    fn id(&self, step: StepIndex) -> &'static str {
        self.plan.step(step).map_or("a step of another plan", |step| step.id)
    }
}

/// What a saga was started with.
///
/// # Errors
/// When it cannot be read.
pub fn input<T: DeserializeOwned>(record: &Record) -> Result<T, String> {
    serde_json::from_slice(&record.input).map_err(|error| format!("the input cannot be read: {error}"))
}

/// What a step's reply left behind, once there is one.
pub fn output<T: DeserializeOwned>(saga: &Saga, step: StepIndex) -> Option<T> {
    saga.output(step).and_then(|bytes| serde_json::from_slice(bytes).ok())
}
