//! Records of the journal as messages of the contracts.

use prost::Message as _;
use saga::{Failure, Saga, State};
use tonic_types::Status;

/// A failure as the participant told it.
pub fn failure(failure: &Failure) -> Status {
    let kept = Status::decode(failure.details.as_slice())
        .ok()
        .filter(|kept| kept.code == failure.code);
    kept.unwrap_or_else(|| Status {
        code: failure.code,
        message: failure.message.clone(),
        details: Vec::new(),
    })
}

/// Why the saga is suspended, or else why it is to stop or did not complete.
pub fn cause(saga: &Saga) -> Option<Status> {
    let cause = if let State::Suspended(suspension) = saga.state() {
        Some(&suspension.cause)
    } else {
        saga.failure()
    };
    cause.map(failure)
}
