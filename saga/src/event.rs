//! Everything that can happen to a saga.

use serde::{Deserialize, Serialize};

use crate::{Call, Outcome, StepIndex};

/// When a decision is made, and the randomness that it may use. Read by the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// Milliseconds since the epoch.
    pub now_ms: i64,
    /// Any number; spreads retries.
    pub jitter: u64,
}

/// Who intervenes, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Act {
    /// The customer or operator.
    pub by: String,
    /// Their reason.
    pub reason: String,
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A call ended.
    Attempted {
        /// The call.
        call: Call,
        /// What it came to.
        outcome: Outcome,
        /// How long it took.
        elapsed_ms: u32,
    },
    /// Time has passed; the saga looks at what is due.
    Woke,
    /// This process took the saga over: whatever was in flight is in doubt.
    Adopted,
    /// The customer wants out.
    CancelRequested(Act),
    /// An operator wants the saga to turn back.
    Abort(Act),
    /// An operator wants the saga to hold still.
    Suspend(Act),
    /// An operator lets a suspended saga go on.
    Resume(Act),
    /// An operator wants what is backing off to be tried now.
    Retry(Act),
    /// An operator states what became of a step.
    Resolve {
        /// The step.
        step: StepIndex,
        /// What became of it.
        resolution: Resolution,
        /// Who and why.
        act: Act,
        /// What proves it.
        evidence: String,
    },
}

/// What a person can ask of a saga.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verb {
    /// See [`Event::CancelRequested`].
    Cancel,
    /// See [`Event::Abort`].
    Abort,
    /// See [`Event::Suspend`].
    Suspend,
    /// See [`Event::Resume`].
    Resume,
    /// See [`Event::Retry`].
    Retry,
}

/// What an operator may state about a step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Resolution {
    /// An uncertain compensatable step or an unfinished retriable one has happened, with this reply.
    Succeeded {
        /// The reply's bytes.
        #[serde(default, with = "crate::bytes")]
        output: Vec<u8>,
    },
    /// An uncertain compensatable step did not happen, and its tombstone is set, so that it never will.
    NotApplied,
    /// What a stuck compensation was to do is done.
    Compensated,
}
