//! What an attempt came to. The participants' adapter classifies a reply; what follows from the class is decided here.

use serde::{Deserialize, Serialize};

use crate::StepIndex;

/// One failure as the caller of a participant saw it. The adapter bounds its size before it gets here.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Failure {
    /// The gRPC status code.
    pub code: i32,
    /// The machine-readable reason; empty if none was given.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// For people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub message: String,
    /// An encoded `google.rpc.Status`, not looked into here.
    #[serde(default, with = "crate::bytes", skip_serializing_if = "Vec::is_empty")]
    pub details: Vec<u8>,
}

impl Failure {
    /// A failure without details.
    pub fn new(code: i32, reason: impl Into<String>, message: impl Into<String>) -> Failure {
        Failure { code, reason: reason.into(), message: message.into(), details: Vec::new() }
    }
}

/// What an attempt came to, one variant per row of the table of outcomes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The effect is there, or is taken back. `skip` names later steps that this reply made needless.
    Done {
        /// The reply's bytes.
        output: Vec<u8>,
        /// Steps that need not run.
        skip: Vec<StepIndex>,
    },
    /// A definite no.
    Refused(Failure),
    /// The request provably changed nothing.
    NotExecuted(Failure),
    /// Nobody knows whether it happened.
    InDoubt(Failure),
    /// In doubt, and the participant asks to be left alone for these milliseconds (0 if it did not say).
    Overloaded(Failure, i64),
    /// An outside processor is still deciding; ask again after these milliseconds (0 if it did not say).
    Pending(i64),
    /// In doubt, with a code that only a broken contract or configuration explains.
    Contract(Failure),
    /// An impossible reply: it cannot be read, or it speaks of something else.
    Lie(Failure),
}

impl Outcome {
    /// The outcome without its contents.
    pub fn class(&self) -> Class {
        match self {
            Outcome::Done { .. } => Class::Done,
            Outcome::Refused(_) => Class::Refused,
            Outcome::NotExecuted(_) => Class::NotExecuted,
            Outcome::InDoubt(_) => Class::InDoubt,
            Outcome::Overloaded(..) => Class::Overloaded,
            Outcome::Pending(_) => Class::Pending,
            Outcome::Contract(_) => Class::Contract,
            Outcome::Lie(_) => Class::Lie,
        }
    }

    /// What went wrong, if it is known.
    pub fn failure(&self) -> Option<&Failure> {
        match self {
            Outcome::Done { .. } | Outcome::Pending(_) => None,
            Outcome::Refused(failure)
            | Outcome::NotExecuted(failure)
            | Outcome::InDoubt(failure)
            | Outcome::Overloaded(failure, _)
            | Outcome::Contract(failure)
            | Outcome::Lie(failure) => Some(failure),
        }
    }
}

/// The class of an outcome, as history and metrics name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// See [`Outcome::Done`].
    Done,
    /// See [`Outcome::Refused`].
    Refused,
    /// See [`Outcome::NotExecuted`].
    NotExecuted,
    /// See [`Outcome::InDoubt`].
    InDoubt,
    /// See [`Outcome::Overloaded`].
    Overloaded,
    /// See [`Outcome::Pending`].
    Pending,
    /// See [`Outcome::Contract`].
    Contract,
    /// See [`Outcome::Lie`].
    Lie,
}

impl Class {
    /// Whether the effect may be there after such an outcome, without the saga knowing.
    pub fn is_ambiguous(self) -> bool {
        match self {
            Class::Done | Class::Refused | Class::NotExecuted => false,
            Class::InDoubt | Class::Overloaded | Class::Pending | Class::Contract | Class::Lie => true,
        }
    }

    /// Whether such an outcome counts against the step's budget. A participant that says when to come back does not
    /// fail; only the saga's deadline bounds it.
    pub fn spends_budget(self) -> bool {
        match self {
            Class::NotExecuted | Class::InDoubt | Class::Contract => true,
            Class::Done | Class::Refused | Class::Overloaded | Class::Pending | Class::Lie => false,
        }
    }
}
