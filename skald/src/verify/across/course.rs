//! The course of a saga by its history, against its row. Both are of one database; the row is read later, and so may be ahead
//! of the history for a moment.

use orchestrator::verify::{Course, Past, SagaFact};
use saga::{Direction, StepIndex};
use uuid::Uuid;

use crate::verify::facts::Facts;

/// Sagas that have a history.
fn with_pasts(facts: &Facts) -> impl Iterator<Item = (&Uuid, &SagaFact, &Past)> {
    let alive = facts.sagas.iter().filter(|(_, saga)| !saga.is_archived);
    alive.filter_map(|(id, saga)| Some((id, saga, facts.pasts.get(id)?)))
}

pub(super) fn ends_once(facts: &Facts) -> Vec<String> {
    let broken = with_pasts(facts).filter_map(|(id, saga, past)| {
        let has_ended = matches!(saga.course, Course::Completed | Course::Compensated);
        let due = has_ended.then_some((saga.state, saga.version));
        if past.end != due {
            return Some(format!(
                "sagas/{id} is {} at version {}, its history ends {:?}",
                saga.state, saga.version, past.end
            ));
        }
        let (_, end) = past.end?;
        (past.last > end).then(|| format!("sagas/{id} ended at version {end}, its history goes on to {}", past.last))
    });
    broken.collect()
}

pub(super) fn turns_once(facts: &Facts) -> Vec<String> {
    let mut broken = Vec::new();
    for (id, saga, past) in with_pasts(facts) {
        let forward = past.intents.iter().filter(|intent| intent.direction == Direction::Forward);
        for intent in forward.filter(|intent| past.back.is_some_and(|back| back <= intent.version)) {
            broken.push(format!("sagas/{id} sent step {} forward at version {}", intent.step.0, intent.version));
        }
        // The arbiter decides whether the saga turns back at all, so it goes first if it is asked.
        let is_arbiter = |step: StepIndex| saga.steps.get(step.0).is_some_and(|step| step.is_arbiter);
        let back = past.intents.iter().filter(|intent| intent.direction == Direction::Compensation);
        let back: Vec<_> =
            back.map(|intent| intent.step).filter(|step| !(past.is_arbitrated && is_arbiter(*step))).collect();
        // Of a plan of another build nobody can tell here which step is the arbiter.
        if !saga.steps.is_empty() && back.windows(2).any(|pair| pair[0] <= pair[1]) {
            broken.push(format!(
                "sagas/{id} took back in the order {:?}",
                back.iter().map(|step| step.0).collect::<Vec<_>>()
            ));
        }
    }
    broken
}

pub(super) fn counts_attempts(facts: &Facts) -> Vec<String> {
    let mut broken = Vec::new();
    for (id, saga, past) in with_pasts(facts) {
        for (index, step) in saga.steps.iter().enumerate() {
            let intended = |direction| past.intent(StepIndex(index), direction).map_or(0, |intent| intent.attempts);
            let (due, counted) =
                ((intended(Direction::Forward), intended(Direction::Compensation)), (step.forward, step.compensation));
            if due != counted {
                broken.push(format!(
                    "sagas/{id}: {} counts {counted:?} attempts there and back, its history {due:?}",
                    step.id
                ));
            }
        }
    }
    broken
}
