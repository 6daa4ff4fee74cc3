//! What a decision asks for, and what it leaves in the history.

use serde::{Deserialize, Serialize};

use crate::{Class, Failure, Resolution, State, StepIndex, Verb};

/// Which way a call goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// The step's own effect.
    Forward,
    /// Taking it back.
    Compensation,
}

/// One attempt of one step in one direction. Attempts count from 1; all of a direction share one operation key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Call {
    /// The step.
    pub step: StepIndex,
    /// Forward or compensation.
    pub direction: Direction,
    /// The attempt's number.
    pub attempt: u32,
}

/// What the caller of a decision has to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Call the participant, once the decision is committed and not before.
    Send(Call),
    /// Tell the world, in the very commit of the decision.
    Announce(Announcement),
}

/// What others want to know about a saga.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Announcement {
    /// Every step happened.
    Completed,
    /// Nothing is left of any step.
    Compensated,
    /// A person is needed.
    Suspended,
    /// A person has let it go on, or turned it back.
    Resumed,
    /// This call goes on failing although it may not fail; the saga goes on as far as it can.
    Alarm(Call),
}

/// One row of a saga's history. Nothing is ever decided from it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fact {
    /// The saga began.
    Started,
    /// The step is not needed.
    Skipped(StepIndex),
    /// The call is about to be sent.
    Intended(Call),
    /// The call ended.
    Answered {
        /// The call.
        call: Call,
        /// What it came to.
        class: Class,
        /// What went wrong.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        failure: Option<Failure>,
        /// How long it took.
        elapsed_ms: u32,
    },
    /// The call is no longer waited for; its effect is taken for possible.
    Abandoned(Call),
    /// The saga's state changed.
    Turned {
        /// The new state.
        to: State,
        /// Why the saga is to stop, if it is.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cause: Option<Failure>,
    },
    /// Another process took the saga over.
    Adopted,
    /// Somebody intervened.
    Intervened {
        /// What they asked for.
        verb: Verb,
        /// Who.
        by: String,
        /// Why.
        reason: String,
    },
    /// Somebody stated what became of a step.
    Resolved {
        /// The step.
        step: StepIndex,
        /// What they stated.
        resolution: Resolution,
        /// Who.
        by: String,
        /// Why.
        reason: String,
        /// What proves it.
        evidence: String,
    },
    /// The call goes on failing although it may not fail.
    Alarm(Call),
}

impl Fact {
    /// The kind of row.
    pub fn name(&self) -> &'static str {
        match self {
            Fact::Started => "started",
            Fact::Skipped(_) => "skipped",
            Fact::Intended(_) => "intended",
            Fact::Answered { .. } => "answered",
            Fact::Abandoned(_) => "abandoned",
            Fact::Turned { .. } => "turned",
            Fact::Adopted => "adopted",
            Fact::Intervened { .. } => "intervened",
            Fact::Resolved { .. } => "resolved",
            Fact::Alarm(_) => "alarm",
        }
    }

    /// The call that the row is about.
    pub fn call(&self) -> Option<Call> {
        match self {
            Fact::Intended(call) | Fact::Answered { call, .. } | Fact::Abandoned(call) | Fact::Alarm(call) => {
                Some(*call)
            }
            Fact::Started
            | Fact::Skipped(_)
            | Fact::Turned { .. }
            | Fact::Adopted
            | Fact::Intervened { .. }
            | Fact::Resolved { .. } => None,
        }
    }

    /// The step that the row is about.
    pub fn step(&self) -> Option<StepIndex> {
        match self {
            Fact::Skipped(step) | Fact::Resolved { step, .. } => Some(*step),
            Fact::Started
            | Fact::Intended(_)
            | Fact::Answered { .. }
            | Fact::Abandoned(_)
            | Fact::Turned { .. }
            | Fact::Adopted
            | Fact::Intervened { .. }
            | Fact::Alarm(_) => self.call().map(|call| call.step),
        }
    }
}
