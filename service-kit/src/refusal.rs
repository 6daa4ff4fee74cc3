//! Refusals and faults, to and from `tonic::Status`: the one place that knows how an error travels. A status carries
//! `ErrorInfo` (a reason for programs), `BadRequest` where fields were wrong and `RetryInfo` where waiting helps; the
//! trailer `saga-outcome` says what a code alone cannot: whether the step was decided, or did not happen.

use std::time::Duration;

use prost::Message as _;
use tonic::metadata::MetadataValue;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _};

use crate::db;

/// The trailer that tells what became of a saga's step when the answer is not OK.
pub const SAGA_OUTCOME: &str = "saga-outcome";

/// The values of [`SAGA_OUTCOME`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SagaOutcome {
    /// Decided: no, and every repeat gets the same answer.
    Refused,
    /// Not executed, for certain; a repeat may succeed.
    NotApplied,
    /// An outside party is still deciding.
    Pending,
}

impl SagaOutcome {
    /// How the trailer spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::NotApplied => "not-applied",
            Self::Pending => "pending",
        }
    }

    /// Reads the trailer of an answer.
    pub fn of(status: &Status) -> Option<Self> {
        let value = status.metadata().get(SAGA_OUTCOME)?.to_str().ok()?;
        [Self::Refused, Self::NotApplied, Self::Pending].into_iter().find(|outcome| outcome.as_str() == value)
    }

    /// Whether an answer says that an outside party is still deciding.
    pub fn is_pending<R>(answer: &Result<R, Status>) -> bool {
        answer.as_ref().is_err_and(|status| Self::of(status) == Some(Self::Pending))
    }

    /// Adds the trailer to an answer.
    pub fn mark(self, mut status: Status) -> Status {
        status.metadata_mut().insert(SAGA_OUTCOME, MetadataValue::from_static(self.as_str()));
        status
    }
}

/// A business rule says no.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The canonical code.
    pub code: Code,
    /// `ErrorInfo.reason`: stable, for programs.
    pub reason: &'static str,
    /// For people: what happened, to whom, what to do.
    pub message: String,
    /// `ErrorInfo.metadata`.
    pub metadata: Vec<(&'static str, String)>,
    /// When to ask again, where that helps.
    pub retry_after: Option<Duration>,
}

impl Refusal {
    /// A refusal with any code.
    pub fn new(code: Code, reason: &'static str, message: impl Into<String>) -> Self {
        Self { code, reason, message: message.into(), metadata: Vec::new(), retry_after: None }
    }

    /// The state of things does not allow it.
    pub fn precondition(reason: &'static str, message: impl Into<String>) -> Self {
        Self::new(Code::FailedPrecondition, reason, message)
    }

    /// There is no such thing.
    pub fn not_found(reason: &'static str, name: impl Into<String>) -> Self {
        let name = name.into();
        Self::new(Code::NotFound, reason, format!("{name} does not exist")).with("name", name)
    }

    /// Adds a fact for programs.
    #[must_use]
    pub fn with(mut self, key: &'static str, value: impl ToString) -> Self {
        self.metadata.push((key, value.to_string()));
        self
    }

    /// Says when to ask again.
    #[must_use]
    pub fn retry_after(mut self, delay: Duration) -> Self {
        self.retry_after = Some(delay);
        self
    }

    /// Whether it holds only for now, because somebody who is needed is not there: nothing was decided, nothing was done,
    /// and a repeat may succeed.
    pub fn is_passing(&self) -> bool {
        self.code == Code::Unavailable
    }

    /// The answer on the wire; `domain` is the package of the service that refuses.
    pub fn into_status(self, domain: &str) -> Status {
        let metadata = self.metadata.into_iter().map(|(key, value)| (key.to_owned(), value));
        let mut details =
            ErrorDetails::with_error_info(self.reason, domain, metadata.collect::<std::collections::HashMap<_, _>>());
        if let Some(delay) = self.retry_after {
            details.set_retry_info(Some(delay));
        }
        Status::with_error_details(self.code, self.message, details)
    }
}

/// Why a call was not answered with a result.
#[derive(Debug, Clone)]
pub enum Fault {
    /// A field of the request is wrong: its path and what it must be.
    Invalid {
        /// Path of the field within the request.
        field: String,
        /// What is wrong with it and how to mend it.
        problem: String,
        /// `ErrorInfo.reason`.
        reason: &'static str,
    },
    /// A business rule says no.
    Refused(Refusal),
    /// An outside party is still deciding; ask again after a while.
    Pending(Duration),
    /// The store failed.
    Store(db::Error),
}

impl From<db::Error> for Fault {
    fn from(error: db::Error) -> Self {
        Self::Store(error)
    }
}

impl From<Refusal> for Fault {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl Fault {
    /// A violation of one field.
    pub fn field(field: impl Into<String>, problem: impl Into<String>) -> Self {
        Self::Invalid { field: field.into(), problem: problem.into(), reason: "FIELD_INVALID" }
    }

    /// Whether the store did not answer, so that asking it for anything more is in vain.
    pub(crate) fn is_outage(&self) -> bool {
        matches!(self, Self::Store(db::Error::Unavailable(_) | db::Error::InDoubt(_)))
    }

    /// The answer on the wire to a call that is not a saga's step.
    pub fn into_status(self, domain: &str) -> Status {
        match self {
            Self::Invalid { field, problem, reason } => {
                let message = format!("{field} {problem}");
                let mut details = ErrorDetails::with_bad_request_violation(&field, problem);
                details.set_error_info(reason, domain, std::collections::HashMap::from([("field".to_owned(), field)]));
                Status::with_error_details(Code::InvalidArgument, message, details)
            }
            Self::Refused(refusal) => refusal.into_status(domain),
            Self::Pending(delay) => {
                let details = ErrorDetails::with_retry_info(Some(delay));
                Status::with_error_details(Code::Unavailable, "an outside party is still deciding", details)
            }
            Self::Store(error) => store_status(&error),
        }
    }

    /// The answer on the wire to a saga's step: as above, with the trailer. Everything but a commit in doubt was rolled
    /// back for certain. A wrong field gets no trailer: the contract is broken, and nobody should build on the answer.
    pub fn into_step_status(self, domain: &str) -> Status {
        let outcome = match &self {
            Self::Invalid { .. } | Self::Store(db::Error::InDoubt(_)) => None,
            Self::Refused(refusal) if refusal.is_passing() => Some(SagaOutcome::NotApplied),
            Self::Refused(_) => Some(SagaOutcome::Refused),
            Self::Pending(_) => Some(SagaOutcome::Pending),
            Self::Store(_) => Some(SagaOutcome::NotApplied),
        };
        let status = self.into_status(domain);
        match outcome {
            Some(outcome) => outcome.mark(status),
            None => status,
        }
    }
}

/// What a caller sees of a broken store: no text of the database.
fn store_status(error: &db::Error) -> Status {
    tracing::warn!(%error, "the store failed");
    match error {
        db::Error::Unavailable(_) => Status::unavailable("the store is unavailable; try again"),
        db::Error::InDoubt(_) => {
            Status::unknown("the store did not confirm the write; repeat the call with the same request_id")
        }
        db::Error::Constraint(_) | db::Error::Corrupt { .. } | db::Error::Bug(_) => {
            Status::internal("the service failed; its log tells more")
        }
    }
}

/// A refusal in the form in which the barrier keeps it: an encoded `google.rpc.Status`.
pub(crate) fn to_bytes(status: &Status) -> Vec<u8> {
    status.details().to_vec()
}

/// The refusal again, to the letter.
pub(crate) fn from_bytes(bytes: &[u8]) -> Result<Status, db::Error> {
    let corrupt = |error: prost::DecodeError| db::Error::Corrupt { column: "reply".into(), problem: error.to_string() };
    let kept = tonic_types::Status::decode(bytes).map_err(corrupt)?;
    Ok(Status::with_details(Code::from_i32(kept.code), kept.message, bytes.to_vec().into()))
}

/// `ErrorInfo.reason` of an answer, or nothing.
pub fn reason(status: &Status) -> Option<String> {
    status.get_details_error_info().map(|info| info.reason)
}

#[cfg(test)]
mod tests;
