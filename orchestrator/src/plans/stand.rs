//! Where the steps of a saga stand, as its definition asks.

use saga::{Plan, StepIndex, StepStatus};

use crate::journal::Record;

/// Whether a step may have left something that is not known to be taken back.
pub fn may_be_there(record: &Record, step: StepIndex) -> bool {
    match status(record, step) {
        StepStatus::Running
        | StepStatus::Uncertain
        | StepStatus::Succeeded
        | StepStatus::Applied
        | StepStatus::Compensating => true,
        StepStatus::Pending | StepStatus::Skipped | StepStatus::Refused | StepStatus::Compensated => false,
    }
}

/// Whether a step is known to have happened.
pub fn has_happened(record: &Record, step: StepIndex) -> bool {
    status(record, step).has_happened()
}

/// Id of the step that refused; empty when none did.
pub fn refusing_step(plan: &'static Plan, record: &Record) -> &'static str {
    let refused = record.saga.steps().iter().position(|step| step.status == StepStatus::Refused);
    refused.and_then(|index| plan.step(StepIndex(index))).map_or("", |step| step.id)
}

fn status(record: &Record, step: StepIndex) -> StepStatus {
    record.saga.steps().get(step.0).map_or(StepStatus::Pending, |step| step.status)
}
