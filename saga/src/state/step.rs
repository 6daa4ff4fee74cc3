//! Where one step of a saga stands.
//!
//! The fields are open to read; a saga hands its steps out by shared reference only.

use serde::{Deserialize, Serialize};

use crate::schedule::LONGEST_WAIT_MS;
use crate::{Class, Direction, Failure};

/// Attempts of a direction that the saga's row keeps; the history has them all.
pub(crate) const RECENT: usize = 5;

/// What is known of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepStatus {
    /// It has not happened: not sent, or every attempt provably changed nothing.
    #[default]
    Pending,
    /// It is not needed.
    Skipped,
    /// It is in flight.
    Running,
    /// It happened, and its reply is known.
    Succeeded,
    /// A pivot that happened, as its arbiter told; its reply is yet to be fetched.
    Applied,
    /// A definite no; or a pivot that its arbiter beat.
    Refused,
    /// It is not in flight, and may have happened.
    Uncertain,
    /// It is being taken back.
    Compensating,
    /// Nothing is left of it, and it can no longer happen.
    Compensated,
}

impl StepStatus {
    /// Whether nothing is left to do for the step on the way forward.
    pub fn is_finished(self) -> bool {
        matches!(self, StepStatus::Succeeded | StepStatus::Skipped)
    }

    /// Whether the step is known to have happened.
    pub fn has_happened(self) -> bool {
        matches!(self, StepStatus::Succeeded | StepStatus::Applied)
    }

    /// Whether the step was sent and nobody knows what came of it.
    pub fn is_in_doubt(self) -> bool {
        matches!(self, StepStatus::Running | StepStatus::Uncertain)
    }
}

/// One step of one saga.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct StepState {
    /// What is known of it.
    #[serde(default)]
    pub status: StepStatus,
    /// The reply of a step that succeeded.
    #[serde(default, with = "crate::bytes::option", skip_serializing_if = "Option::is_none")]
    pub output: Option<Vec<u8>>,
    /// The way forward.
    #[serde(default, skip_serializing_if = "is_default")]
    pub forward: Leg,
    /// The way back.
    #[serde(default, skip_serializing_if = "is_default")]
    pub compensation: Leg,
}

impl StepState {
    /// One direction.
    pub fn leg(&self, direction: Direction) -> &Leg {
        match direction {
            Direction::Forward => &self.forward,
            Direction::Compensation => &self.compensation,
        }
    }

    pub(crate) fn leg_mut(&mut self, direction: Direction) -> &mut Leg {
        match direction {
            Direction::Forward => &mut self.forward,
            Direction::Compensation => &mut self.compensation,
        }
    }
}

/// One direction of a step: its counts and what is under way.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Leg {
    /// Attempts so far; also the number of the last one.
    #[serde(default, skip_serializing_if = "is_default")]
    pub attempts: u32,
    /// Attempts that count against the budget.
    #[serde(default, skip_serializing_if = "is_default")]
    pub failed: u32,
    /// Attempts that were neither OK, nor refused, nor provably not executed.
    #[serde(default, skip_serializing_if = "is_default")]
    pub ambiguous: u32,
    /// Attempts that failed as only a broken contract explains.
    #[serde(default, skip_serializing_if = "is_default")]
    pub contract: u32,
    /// The last attempt has no outcome yet.
    #[serde(default, skip_serializing_if = "is_default")]
    pub in_flight: bool,
    /// When the next attempt is due, while the direction backs off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_ms: Option<i64>,
    /// Why no further attempt is made before a person has looked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stuck: Option<Failure>,
    /// What every attempt sends; dropped when the direction is settled.
    #[serde(default, with = "crate::bytes::option", skip_serializing_if = "Option::is_none")]
    pub request: Option<Vec<u8>>,
    /// The last attempts, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub recent: Vec<Attempt>,
}

impl Leg {
    /// Attempts that have an outcome.
    pub(crate) fn settled(&self) -> u32 {
        self.attempts.saturating_sub(u32::from(self.in_flight))
    }

    /// An attempt may be sent now: nothing is waited for, or it is over, or no right clock can have meant it.
    pub(crate) fn is_due(&self, now_ms: i64) -> bool {
        let is_over = |next_ms| next_ms <= now_ms || next_ms > now_ms.saturating_add(LONGEST_WAIT_MS);
        !self.in_flight && self.stuck.is_none() && self.next_ms.is_none_or(is_over)
    }

    /// Nothing more is to be sent this way. An attempt in flight stays so.
    pub(crate) fn close(&mut self) {
        self.next_ms = None;
        self.stuck = None;
        self.request = None;
    }

    pub(crate) fn remember(&mut self, attempt: Attempt) {
        if self.recent.len() == RECENT {
            self.recent.remove(0);
        }
        self.recent.push(attempt);
    }
}

/// One attempt, as the saga's row remembers it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// Counts from 1.
    pub number: u32,
    /// What it came to.
    pub class: Class,
    /// The gRPC status code.
    #[serde(default, skip_serializing_if = "is_default")]
    pub code: i32,
    /// The failure's reason, if it had one.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// When the outcome was recorded.
    pub at_ms: i64,
    /// How long the attempt took.
    #[serde(default, skip_serializing_if = "is_default")]
    pub elapsed_ms: u32,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
