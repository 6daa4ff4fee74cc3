//! Write-ahead and agreement: what participants have kept of the steps of a saga, against what the journal intended and what
//! it has noted. Participants are read before the journal, so what they did was intended by the time that it is looked for.

use orchestrator::verify::{Past, SagaFact, StepFact};
use saga::{Direction, StepIndex, StepStatus};
use service_kit::barrier::State;
use service_kit::verify::Operation;

use crate::verify::facts::Facts;

/// The clocks of two databases differ by less.
const CLOCKS_MS: i64 = 5_000;

pub(super) fn were_intended(facts: &Facts) -> Vec<String> {
    let mut broken = Vec::new();
    for (id, operations) in &facts.operations {
        let (Some(saga), Some(past)) = (facts.sagas.get(id), facts.pasts.get(id)) else { continue };
        // Without its plan nobody can tell which step is which.
        if saga.is_archived || saga.steps.is_empty() {
            continue;
        }
        for (service, operation) in operations {
            if let Some(problem) = unintended((saga, past), service, operation) {
                let (step, state) = (&operation.step, operation.state);
                broken.push(format!("sagas/{id}: {step} is {state:?} at {service}, {problem}"));
            }
        }
    }
    broken
}

/// Why the journal cannot have sent what a participant has kept.
fn unintended((saga, past): (&SagaFact, &Past), service: &str, kept: &Operation) -> Option<String> {
    let is_it = |step: &StepFact| step.id == kept.step && step.participant == service;
    let Some(index) = saga.steps.iter().position(is_it).map(StepIndex) else {
        return Some("which is no step of it".into());
    };
    let due: &[Direction] = match kept.state {
        State::Applied | State::Refused | State::InProgress => &[Direction::Forward],
        State::Tombstone => &[Direction::Compensation],
        State::Compensated => &[Direction::Forward, Direction::Compensation],
    };
    if let Some(missing) = due.iter().find(|direction| past.intent(index, **direction).is_none()) {
        return Some(format!("and its {missing:?} was never intended"));
    }
    let intents = past.intents.iter().filter(|intent| intent.step == index);
    let (epoch, time) = intents
        .fold((i64::MAX, i64::MAX), |(epoch, time), intent| (epoch.min(intent.epoch), time.min(intent.create_time)));
    if kept.epoch < epoch || kept.epoch > saga.epoch {
        return Some(format!("sent in epoch {}, and intended in {epoch} to {}", kept.epoch, saga.epoch));
    }
    let is_early = kept.create_time.saturating_add(CLOCKS_MS) < time;
    is_early.then(|| format!("from {}, and intended only at {time}", kept.create_time))
}

pub(super) fn agree(facts: &Facts) -> Vec<String> {
    let mut broken = Vec::new();
    for (id, saga) in facts.sagas.iter().filter(|(_, saga)| !saga.is_archived) {
        let nothing = Vec::new();
        let operations = facts.operations.get(id).unwrap_or(&nothing);
        let resolved = facts.pasts.get(id).map(|past| past.resolved.as_slice()).unwrap_or_default();
        for (index, step) in saga.steps.iter().enumerate() {
            // A person has stated what became of it, and answers for that.
            if resolved.contains(&StepIndex(index)) {
                continue;
            }
            let is_it = |kept: &&(&str, Operation)| kept.0 == step.participant && kept.1.step == step.id;
            let kept = operations.iter().find(is_it).map(|(_, kept)| kept.state);
            if !can_be(step, kept) {
                broken.push(format!("sagas/{id}: {} is {:?}, its participant has {kept:?}", step.id, step.status));
            }
        }
    }
    broken
}

/// Whether a participant can have kept this of a step that the journal has so. What is in doubt can be anything.
fn can_be(step: &StepFact, kept: Option<State>) -> bool {
    match step.status {
        StepStatus::Succeeded | StepStatus::Applied => kept == Some(State::Applied),
        StepStatus::Compensated => matches!(kept, Some(State::Compensated | State::Tombstone)),
        StepStatus::Refused => !matches!(kept, Some(State::Applied | State::InProgress)),
        StepStatus::Pending if step.forward > 0 => !matches!(kept, Some(State::Applied | State::InProgress)),
        StepStatus::Pending | StepStatus::Skipped => kept.is_none(),
        StepStatus::Running | StepStatus::Uncertain | StepStatus::Compensating => true,
    }
}
