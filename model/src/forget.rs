//! Forgets what of a saga no decision depends on, so that sagas that will do the same are one: times, texts, and counts
//! beyond what they can change. That it does not matter is tested: a saga that forgets after every event and one that
//! never does send the same calls.

use saga::{Failure, Leg, Phase, Saga, State, StepState, StepStatus};
use serde::{Deserialize, Serialize};

use crate::events::{self, DEADLINE_MS, LATER_MS};

/// Settled attempts of a compensation beyond which none counts any more.
const MOST_SETTLED: u32 = 3;

/// A saga with its fields open, by way of its row.
#[derive(Debug, Serialize, Deserialize)]
struct Open {
    state: State,
    deadline_ms: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    failure: Option<Failure>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    decided_ms: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ended_ms: Option<i64>,
    steps: Vec<StepState>,
}

/// The row of the saga without what does not matter.
pub(crate) fn row(saga: &Saga) -> String {
    let mut open = open(saga);
    let is_undecided = saga.phase() == Some(Phase::Running);
    open.deadline_ms = DEADLINE_MS;
    open.failure = open.failure.map(|_| Failure::default());
    open.decided_ms = open.decided_ms.map(|_| 0);
    open.ended_ms = open.ended_ms.map(|_| 0);
    if let State::Suspended(suspension) = &mut open.state {
        suspension.since_ms = 0;
        suspension.cause = Failure::default();
    }
    for step in &mut open.steps {
        forget_forward(step, is_undecided);
        forget_compensation(step);
    }
    serde_json::to_string(&open).expect("plain data always serializes")
}

/// The saga of a row.
pub(crate) fn saga(row: &str) -> Saga {
    serde_json::from_str(row).expect("what was a saga's row still is one")
}

/// The saga with the back-off of this leg over, and no other.
pub(crate) fn due(saga: &Saga, leg: events::Leg) -> Saga {
    let mut open = open(saga);
    let step = &mut open.steps[leg.step()];
    let leg = if leg.is_forward() { &mut step.forward } else { &mut step.compensation };
    leg.next_ms = Some(0);
    self::saga(&serde_json::to_string(&open).expect("plain data always serializes"))
}

fn open(saga: &Saga) -> Open {
    let row = serde_json::to_string(saga).expect("a saga always serializes");
    serde_json::from_str(&row).expect("a saga has these fields")
}

fn forget_forward(step: &mut StepState, is_undecided: bool) {
    use StepStatus::{Compensated, Compensating, Skipped, Succeeded};
    let is_settled = matches!(step.status, Succeeded | Skipped | Compensating | Compensated);
    let leg = &mut step.forward;
    leg.failed = if is_undecided && !is_settled { leg.failed } else { 0 };
    leg.ambiguous = if is_settled { 0 } else { leg.ambiguous.min(1) };
    leg.contract = if is_settled { 0 } else { leg.contract };
    let settled = leg.attempts.saturating_sub(u32::from(leg.in_flight)).min(1);
    recount(leg, settled);
}

fn forget_compensation(step: &mut StepState) {
    let leg = &mut step.compensation;
    (leg.failed, leg.ambiguous) = (0, 0);
    let settled = leg.attempts.saturating_sub(u32::from(leg.in_flight)).min(MOST_SETTLED);
    recount(leg, if step.status == StepStatus::Compensated { settled.min(1) } else { settled });
}

fn recount(leg: &mut Leg, settled: u32) {
    let counted = leg.failed.max(leg.ambiguous).max(leg.contract);
    leg.attempts = settled.max(counted) + u32::from(leg.in_flight);
    leg.next_ms = leg.next_ms.map(|_| LATER_MS);
    leg.stuck = leg.stuck.take().map(|_| Failure::default());
    leg.recent.clear();
}
