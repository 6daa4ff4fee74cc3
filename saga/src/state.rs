//! Where one run of a plan stands: everything that a decision reads, and nothing else.
//!
//! A [`Saga`] is made by [`start`](crate::start), changed by [`decide`](crate::decide) alone, and kept by the journal as
//! one value. Its serialized form is compact and lives for years: fields may be added with a default, never renamed.
//! Identity, version, epoch and owner belong to the journal's row, not to the saga.

mod step;

use serde::{Deserialize, Serialize};

use crate::{Call, Direction, Failure, Kind, Plan, StepIndex};

pub(crate) use step::RECENT;
pub use step::{Attempt, Leg, StepState, StepStatus};

/// Where the saga is going, or where it ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Undecided: going through the steps up to the pivot.
    Running,
    /// Decided: going forward until every step has happened.
    Completing,
    /// Every step happened once.
    Completed,
    /// To be stopped while the pivot is in doubt: its arbiter is asked.
    Arbitrating,
    /// Decided: taking back whatever may have happened.
    Compensating,
    /// Nothing is left of any step.
    Compensated,
    /// Held for a person: nothing is sent, replies are recorded.
    Suspended(Suspension),
}

impl State {
    /// The state's name without its contents.
    pub fn name(&self) -> &'static str {
        match self {
            State::Running => "running",
            State::Completing => "completing",
            State::Completed => "completed",
            State::Arbitrating => "arbitrating",
            State::Compensating => "compensating",
            State::Compensated => "compensated",
            State::Suspended(_) => "suspended",
        }
    }
}

/// The states that a saga works in, and that a suspended one returns to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// See [`State::Running`].
    Running,
    /// See [`State::Completing`].
    Completing,
    /// See [`State::Arbitrating`].
    Arbitrating,
    /// See [`State::Compensating`].
    Compensating,
}

impl From<Phase> for State {
    fn from(phase: Phase) -> State {
        match phase {
            Phase::Running => State::Running,
            Phase::Completing => State::Completing,
            Phase::Arbitrating => State::Arbitrating,
            Phase::Compensating => State::Compensating,
        }
    }
}

/// Why and since when a saga is held, and where it came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Suspension {
    /// The state that it returns to.
    pub from: Phase,
    /// When it was suspended; the deadline moves by as much as it takes.
    pub since_ms: i64,
    /// What needs a person.
    pub cause: Failure,
}

/// One run of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Saga {
    pub(crate) state: State,
    pub(crate) deadline_ms: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) failure: Option<Failure>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) decided_ms: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) ended_ms: Option<i64>,
    pub(crate) steps: Vec<StepState>,
}

impl Saga {
    /// The state.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// The state that the saga works in, or returns to when it is resumed. None once it has ended.
    pub fn phase(&self) -> Option<Phase> {
        match &self.state {
            State::Running => Some(Phase::Running),
            State::Completing => Some(Phase::Completing),
            State::Arbitrating => Some(Phase::Arbitrating),
            State::Compensating => Some(Phase::Compensating),
            State::Suspended(suspension) => Some(suspension.from),
            State::Completed | State::Compensated => None,
        }
    }

    /// Whether the saga has ended. What has ended never changes again.
    pub fn is_terminal(&self) -> bool {
        self.phase().is_none()
    }

    /// Whether the saga has not ended.
    pub fn is_open(&self) -> bool {
        !self.is_terminal()
    }

    /// Whether the saga is held for a person.
    pub fn is_suspended(&self) -> bool {
        matches!(self.state, State::Suspended(_))
    }

    /// Whether the saga can no longer turn back.
    pub fn is_past_pivot(&self, plan: &Plan) -> bool {
        self.pivot_status(plan).is_some_and(StepStatus::has_happened)
            || self.phase() == Some(Phase::Completing)
            || self.state == State::Completed
    }

    /// Until when the saga may stay undecided.
    pub fn deadline_ms(&self) -> i64 {
        self.deadline_ms
    }

    /// Why the saga is to stop or did not complete.
    pub fn failure(&self) -> Option<&Failure> {
        self.failure.as_ref()
    }

    /// When the saga was decided: past its pivot, or turned back.
    pub fn decided_ms(&self) -> Option<i64> {
        self.decided_ms
    }

    /// When the saga ended.
    pub fn ended_ms(&self) -> Option<i64> {
        self.ended_ms
    }

    /// The steps, in the plan's order.
    pub fn steps(&self) -> &[StepState] {
        &self.steps
    }

    /// The reply of a step that succeeded.
    pub fn output(&self, step: StepIndex) -> Option<&[u8]> {
        self.steps.get(step.0)?.output.as_deref()
    }

    /// The calls that were to be sent and have no outcome yet.
    pub fn in_flight(&self) -> impl Iterator<Item = Call> + '_ {
        self.legs().filter(|(_, _, leg)| leg.in_flight).map(|(step, direction, leg)| Call {
            step,
            direction,
            attempt: leg.attempts,
        })
    }

    /// When the saga next has something to do by itself: the earliest of its back-offs and, while it counts, its
    /// deadline. None while it only waits for replies or for a person.
    pub fn next_wake_ms(&self) -> Option<i64> {
        if self.is_suspended() {
            return None;
        }
        let deadline = (self.state == State::Running).then_some(self.deadline_ms);
        self.legs().filter_map(|(_, _, leg)| leg.next_ms).chain(deadline).min()
    }

    /// The request bytes that every attempt of this step and direction sends, once they are set.
    pub fn request(&self, step: StepIndex, direction: Direction) -> Option<&[u8]> {
        self.steps.get(step.0)?.leg(direction).request.as_deref()
    }

    /// Keeps the request bytes of a call that is about to be sent for the first time, so that later attempts send the
    /// same. Belongs between the decision and its commit. Changes nothing if there are bytes, or nothing is in flight.
    pub fn set_request(&mut self, step: StepIndex, direction: Direction, bytes: Vec<u8>) {
        let leg = self.steps.get_mut(step.0).map(|step| step.leg_mut(direction));
        if let Some(leg) = leg.filter(|leg| leg.in_flight) {
            leg.request.get_or_insert(bytes);
        }
    }

    /// Every direction of every step.
    pub(crate) fn legs(&self) -> impl Iterator<Item = (StepIndex, Direction, &Leg)> {
        self.steps.iter().enumerate().flat_map(|(index, step)| {
            let index = StepIndex(index);
            [(index, Direction::Forward, &step.forward), (index, Direction::Compensation, &step.compensation)]
        })
    }

    pub(crate) fn pivot_status(&self, plan: &Plan) -> Option<StepStatus> {
        self.steps.get(plan.pivot()?.0).map(|step| step.status)
    }

    /// The step may have left something, or may yet, that a saga which turns back has to take back.
    pub(crate) fn must_compensate(&self, plan: &Plan, step: StepIndex) -> bool {
        let line = &plan.steps()[step.0];
        let state = &self.steps[step.0];
        line.kind == Kind::Compensatable
            && match state.status {
                StepStatus::Running | StepStatus::Uncertain | StepStatus::Succeeded => true,
                // A late duplicate of an attempt in doubt would not find the refusal.
                StepStatus::Refused => state.forward.ambiguous > 0 && !line.keeps_refusals,
                StepStatus::Pending
                | StepStatus::Skipped
                | StepStatus::Applied
                | StepStatus::Compensating
                | StepStatus::Compensated => false,
            }
    }
}
