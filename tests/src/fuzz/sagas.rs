//! A saga as the journal keeps it: the first byte chooses the plan, the rest is its JSON. What can be read is what is
//! written again; and whatever can be read and fits its plan takes any event without a panic.

use orchestrator::plans::{Plans, cancellation, checkout, point_charge};
use saga::{Act, Call, Event, Failure, Moment, Outcome, Plan, Resolution, Saga, StepIndex, invariants};

/// When everything happens.
const AT: Moment = Moment { now_ms: 1_800_000_000_000, jitter: 7 };

pub(super) fn plans() -> Vec<&'static Plan> {
    let plans = Plans::default();
    let known = [checkout::KIND, cancellation::KIND, point_charge::KIND];
    known.iter().filter_map(|kind| (1..9).find_map(|version| plans.find(kind, version))).map(|it| it.plan()).collect()
}

pub(super) fn run(data: &[u8]) {
    let Some((first, json)) = data.split_first() else { return };
    let plans = plans();
    let plan = plans[usize::from(*first) % plans.len()];
    let Ok(saga) = serde_json::from_slice::<Saga>(json) else { return };
    let written = serde_json::to_string(&saga).unwrap();
    assert_eq!(serde_json::from_str::<Saga>(&written).unwrap(), saga);
    // Nobody drives one that does not fit.
    if invariants::check(plan, &saga).is_err() {
        return;
    }
    for event in events(plan, &saga) {
        if let Ok(decision) = saga::decide(plan, &saga, &event, AT) {
            drop(serde_json::to_string(&decision.saga).unwrap());
        }
    }
}

pub(super) fn events(plan: &Plan, saga: &Saga) -> Vec<Event> {
    let act = || Act { by: "customers/1".into(), reason: "because".into() };
    let mut events = vec![
        Event::Woke,
        Event::Adopted,
        Event::CancelRequested(act()),
        Event::Abort(act()),
        Event::Suspend(act()),
        Event::Resume(act()),
        Event::Retry(act()),
    ];
    for step in (0..plan.steps().len()).map(StepIndex) {
        for resolution in
            [Resolution::Succeeded { output: b"{}".to_vec() }, Resolution::NotApplied, Resolution::Compensated]
        {
            events.push(Event::Resolve { step, resolution, act: act(), evidence: "seen".into() });
        }
    }
    for call in saga.in_flight() {
        events.extend(outcomes().into_iter().map(|outcome| Event::Attempted { call, outcome, elapsed_ms: 5 }));
        let late = Call { attempt: call.attempt.wrapping_add(1), ..call };
        events.push(Event::Attempted { call: late, outcome: done(), elapsed_ms: 5 });
    }
    events
}

fn done() -> Outcome {
    Outcome::Done { output: b"{}".to_vec(), skip: Vec::new() }
}

fn outcomes() -> Vec<Outcome> {
    let failure = || Failure { code: 9, reason: "NO".into(), message: "no".into(), details: Vec::new() };
    vec![done(), Outcome::Refused(failure()), Outcome::Lie(failure())]
}

/// Sagas as they come along on the way of each plan, also on the way back.
pub(super) fn seeds() -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    for (number, plan) in (0..).zip(plans()) {
        for turn in [None, Some(1), Some(3)] {
            let mut saga = saga::start(plan, AT.now_ms + 30_000, &[], AT).unwrap().saga;
            for steps in 0..12 {
                seeds.push([&[number], &serde_json::to_vec(&saga).unwrap()[..]].concat());
                let Some(call) = saga.in_flight().next() else { break };
                let outcome = if turn == Some(steps) { outcomes().swap_remove(1) } else { done() };
                let event = Event::Attempted { call, outcome, elapsed_ms: 5 };
                let Ok(decision) = saga::decide(plan, &saga, &event, AT) else { break };
                saga = decision.saga;
            }
        }
    }
    seeds.sort();
    seeds.dedup();
    seeds
}
