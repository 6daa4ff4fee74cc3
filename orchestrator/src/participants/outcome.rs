//! Of which class an answer is. A code alone never proves that a step was not executed: a timeout arrives as CANCELLED, a
//! cut connection as UNKNOWN, an over-long reply as OUT_OF_RANGE after the effect was committed. So a definite no needs the
//! participant's own trailer, and a definite "not executed" proof that the request never left. A participant that says that
//! it has rolled back speaks of the copy that it got: where somebody in between has sent two, the other may have happened.

use std::sync::Arc;
use std::time::Duration;

use saga::{Failure, Outcome};
use service_kit::refusal::{SagaOutcome, reason};
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

/// Longest reason of a failure that a journal keeps; ours have a third of it.
const REASON: usize = 100;
/// Longest message of a failure that a journal keeps.
const MESSAGE: usize = 500;
/// Largest details of a failure that a journal keeps.
const DETAILS: usize = 4096;

/// The class of a status other than OK.
pub fn classify(status: &Status) -> Outcome {
    let failure = failure(status);
    match SagaOutcome::of(status) {
        Some(SagaOutcome::Refused) => return Outcome::Refused(failure),
        Some(SagaOutcome::NotApplied) => return Outcome::InDoubt(failure),
        Some(SagaOutcome::Pending) => return Outcome::Pending(retry_after_ms(status)),
        None => {}
    }
    if never_left(status) {
        return Outcome::NotExecuted(failure);
    }
    match status.code() {
        Code::ResourceExhausted => Outcome::Overloaded(failure, retry_after_ms(status)),
        Code::Unauthenticated
        | Code::PermissionDenied
        | Code::Unimplemented
        | Code::InvalidArgument
        | Code::NotFound
        | Code::AlreadyExists
        | Code::FailedPrecondition
        | Code::OutOfRange => Outcome::Contract(failure),
        Code::Ok
        | Code::Unavailable
        | Code::Unknown
        | Code::Cancelled
        | Code::DeadlineExceeded
        | Code::Internal
        | Code::Aborted
        | Code::DataLoss => Outcome::InDoubt(failure),
    }
}

/// The class of an OK reply that cannot be true.
pub fn lie(problem: &str) -> Outcome {
    Outcome::Lie(Failure::new(Code::Internal as i32, "REPLY_IMPOSSIBLE", start_of(problem, MESSAGE)))
}

/// What the journal keeps of a status, in bounded size.
fn failure(status: &Status) -> Failure {
    let details = if status.details().len() <= DETAILS { status.details().to_vec() } else { Vec::new() };
    Failure {
        code: status.code() as i32,
        reason: start_of(&reason(status).unwrap_or_default(), REASON),
        message: start_of(status.message(), MESSAGE),
        details,
    }
}

fn start_of(text: &str, longest: usize) -> String {
    text.chars().take(longest).collect()
}

fn retry_after_ms(status: &Status) -> i64 {
    let delay = status.get_details_retry_info().and_then(|info| info.retry_delay);
    i64::try_from(delay.unwrap_or(Duration::ZERO).as_millis()).unwrap_or(i64::MAX)
}

/// A call that did not leave this process.
#[derive(Debug, thiserror::Error)]
#[error("the call did not leave this process")]
struct NotSent;

/// The status of a call that did not leave this process.
pub(crate) fn not_sent(why: &str) -> Status {
    let mut status = Status::unavailable(why);
    status.set_source(Arc::new(NotSent));
    status
}

/// Whether the request provably never reached the participant: it was not sent, or no connection was made.
fn never_left(status: &Status) -> bool {
    let mut source = std::error::Error::source(status);
    while let Some(error) = source {
        if error.is::<tonic::ConnectError>() || error.is::<NotSent>() {
            return true;
        }
        source = error.source();
    }
    false
}

#[cfg(test)]
mod tests {
    use saga::Class;

    use super::*;

    #[test]
    fn only_the_trailer_makes_a_refusal_of_a_status() {
        let refused = SagaOutcome::Refused.mark(Status::failed_precondition("no"));
        assert_eq!(classify(&refused).class(), Class::Refused);
        assert_eq!(classify(&Status::failed_precondition("no")).class(), Class::Contract);
    }

    #[test]
    fn every_code_without_a_trailer_is_in_doubt_in_some_way() {
        for code in 1..=16 {
            let class = classify(&Status::new(Code::from_i32(code), "")).class();
            assert!(class.is_ambiguous(), "code {code} is {class:?}");
        }
    }

    #[test]
    fn what_never_left_was_not_executed() {
        let status = Status::from_error(Box::new(tonic::ConnectError("nobody listens".into())));
        assert_eq!(classify(&status).class(), Class::NotExecuted);
        assert_eq!(classify(&not_sent("there is no time")).class(), Class::NotExecuted);
    }

    #[test]
    fn a_participant_speaks_of_the_copy_that_it_got() {
        let status = SagaOutcome::NotApplied.mark(Status::unavailable("rolled back"));
        assert_eq!(classify(&status).class(), Class::InDoubt);
        let status = SagaOutcome::Pending.mark(Status::unavailable("asking"));
        assert_eq!(classify(&status), Outcome::Pending(0));
    }

    #[test]
    fn what_the_journal_keeps_is_bounded() {
        let long = Status::with_details(Code::Unknown, "x".repeat(10_000), vec![0; 10_000].into());
        let kept = failure(&long);
        assert_eq!((kept.message.len(), kept.details.len()), (MESSAGE, 0));
        let Outcome::Lie(kept) = lie(&"x".repeat(10_000)) else { panic!("a lie is one") };
        assert_eq!(kept.message.len(), MESSAGE);
    }
}
