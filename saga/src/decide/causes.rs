//! The failures that a decision itself gives a saga.

use crate::{Act, Failure};

/// gRPC status codes.
const CANCELLED: i32 = 1;
const UNKNOWN: i32 = 2;
const DEADLINE_EXCEEDED: i32 = 4;
const ABORTED: i32 = 10;
const INTERNAL: i32 = 13;

impl Failure {
    pub(super) fn cancelled(act: &Act) -> Failure {
        let message = if act.reason.is_empty() { "it was cancelled" } else { &act.reason };
        Failure::new(CANCELLED, "CANCELLED", message)
    }

    pub(super) fn aborted(act: &Act) -> Failure {
        Failure::new(ABORTED, "ABORTED", act.reason.clone())
    }

    pub(super) fn suspended(act: &Act) -> Failure {
        Failure::new(ABORTED, "SUSPENDED", act.reason.clone())
    }

    pub(super) fn deadline() -> Failure {
        Failure::new(DEADLINE_EXCEEDED, "DEADLINE_EXCEEDED", "the saga was not decided in time")
    }

    pub(super) fn adopted() -> Failure {
        Failure::new(UNKNOWN, "ADOPTED", "the process that sent the call has stopped")
    }

    pub(super) fn not_applied() -> Failure {
        Failure::new(ABORTED, "NOT_APPLIED", "an operator stated that the step did not happen")
    }

    pub(super) fn two_winners() -> Failure {
        Failure::new(INTERNAL, "TWO_WINNERS", "the pivot and its arbiter both claim to have happened")
    }

    pub(super) fn impossible_skip() -> Failure {
        Failure::new(INTERNAL, "IMPOSSIBLE_SKIP", "the reply skips a step that decides or has begun")
    }
}
