//! What a checkout holds while it is open: seats from the lock to the confirmation, points from the moment that they may
//! be set aside until they are moved or given back.

use saga::{Saga, StepIndex, StepStatus};
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::{CAPTURE_POINTS, CONFIRM, LOCK, POINTS, output};
use crate::exposure::Held;

/// As much of what the lock answered as is counted here: every write of a checkout comes by.
#[derive(Deserialize)]
struct Locked {
    amount: i64,
    seats: Vec<IgnoredAny>,
}

/// What was never told is not counted; the saga is.
pub(super) fn by(saga: &Saga) -> Held {
    let status = |step: StepIndex| saga.steps().get(step.0).map_or(StepStatus::Pending, |step| step.status);
    let Some(locked) = output::<Locked>(saga, LOCK) else {
        return Held::default();
    };
    let seats = may_be_there(status(LOCK)) && !status(CONFIRM).has_happened();
    let amount = may_be_there(status(POINTS)) && status(CAPTURE_POINTS) != StepStatus::Succeeded;
    Held {
        amount: if amount { locked.amount } else { 0 },
        seats: if seats { i64::try_from(locked.seats.len()).unwrap_or(i64::MAX) } else { 0 },
    }
}

/// Whether the step may have left something that is not known to be taken back.
fn may_be_there(status: StepStatus) -> bool {
    match status {
        StepStatus::Running
        | StepStatus::Uncertain
        | StepStatus::Succeeded
        | StepStatus::Applied
        | StepStatus::Compensating => true,
        StepStatus::Pending | StepStatus::Skipped | StepStatus::Refused | StepStatus::Compensated => false,
    }
}
