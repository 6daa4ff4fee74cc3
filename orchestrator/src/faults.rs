//! What callers see when the journal or the runner cannot do what they were asked.

use std::time::Duration;

use service_kit::db;
use service_kit::refusal::{Fault, Refusal};
use tonic::{Code, Status};

use crate::{journal, runner};

/// The domain of the orchestrator's own reasons.
pub(crate) const DOMAIN: &str = "ticketing.orchestrator.v1";

/// When somebody who was turned away may ask again.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// The answer on the wire.
pub(crate) fn status(fault: Fault) -> Status {
    fault.into_status(DOMAIN)
}

pub(crate) fn of_journal(error: journal::Error) -> Fault {
    match error {
        journal::Error::Store(error) => Fault::Store(error),
        journal::Error::Corrupt(problem) => Fault::Store(db::Error::Corrupt { column: "of the saga".into(), problem }),
        journal::Error::Fenced => {
            let message = "another process changed the saga at the same time; try again";
            Refusal::new(Code::Aborted, "REQUEST_IN_PROGRESS", message).into()
        }
    }
}

pub(crate) fn of_runner(error: runner::Error) -> Fault {
    match error {
        runner::Error::Overloaded => {
            let message = "too many sagas are under way; nothing was started, try again later";
            Refusal::new(Code::ResourceExhausted, "OVERLOADED", message).retry_after(RETRY_AFTER).into()
        }
        runner::Error::Stopping => {
            let message = "the orchestrator is shutting down; repeat the call with the same request_id";
            Refusal::new(Code::Unavailable, "STOPPING", message).retry_after(RETRY_AFTER).into()
        }
        runner::Error::Adrift => {
            let message =
                "this orchestrator has lost touch with its database; repeat the call with the same request_id";
            Refusal::new(Code::Unavailable, "STOPPING", message).retry_after(RETRY_AFTER).into()
        }
        runner::Error::UnknownPlan { .. } => {
            Refusal::new(Code::FailedPrecondition, "PLAN_UNKNOWN", error.to_string()).into()
        }
        runner::Error::NotFound => Refusal::new(Code::NotFound, "SAGA_NOT_FOUND", error.to_string()).into(),
        runner::Error::Moved(version) => {
            let message = format!("the saga has moved on to version {version}; look at it again");
            Refusal::new(Code::Aborted, "ETAG_MISMATCH", message).with("version", version).into()
        }
        runner::Error::Illegal(illegal) => Refusal::precondition(illegal.reason(), illegal.to_string()).into(),
        runner::Error::Journal(error) => of_journal(error),
    }
}
