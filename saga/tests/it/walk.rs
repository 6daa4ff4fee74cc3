//! Every event in every state that a saga can reach, for every plan, with the invariants checked on each edge.
//!
//! Sagas that differ only in times, texts and counts that no longer matter are one state.

use std::collections::{BTreeMap, HashSet};
use std::fmt::Write;

use saga::{
    Call, Direction, Event, Illegal, Leg, Moment, Outcome, Phase, Plan, Resolution, Saga, StepIndex, StepStatus, start,
};

use crate::plans;
use crate::script::{DEADLINE_MS, act, decide_checked, outcome};

const ANSWERS: [&str; 8] = ["done", "refused", "not executed", "in doubt", "overloaded", "pending", "contract", "lie"];

/// Enough jitter that a back-off is never nothing.
const JITTER: u64 = 0x2121_2121_2121_2121;

#[test]
fn every_event_in_every_state_of_a_checkout_keeps_the_invariants() {
    walk(&plans::CHECKOUT);
}

#[test]
fn every_event_in_every_state_of_a_plan_with_a_group_keeps_the_invariants() {
    walk(&plans::GROUP);
}

#[test]
fn every_event_in_every_state_of_the_other_plans_keeps_the_invariants() {
    for plan in [&plans::CANCELLATION, &plans::CHARGE, &plans::TRIP, &plans::PAIR, &plans::FORGETFUL] {
        walk(plan);
    }
}

fn walk(plan: &Plan) {
    let walk = Walk::over(plan);
    for end in ["completed", "compensated", "suspended"] {
        assert!(walk.states.contains_key(end), "{} never gets {end}: {:?}", plan.kind, walk.states);
    }
    assert_eq!(walk.states.contains_key("arbitrating"), plan.pivot().is_some(), "{}", plan.kind);
}

#[derive(Default)]
struct Walk {
    seen: HashSet<String>,
    open: Vec<(Saga, i64)>,
    states: BTreeMap<&'static str, usize>,
}

impl Walk {
    fn over(plan: &Plan) -> Walk {
        let mut walk = Walk::default();
        let fresh = start(plan, DEADLINE_MS, &[], Moment { now_ms: 0, jitter: JITTER }).expect("a saga").saga;
        walk.visit(plan, fresh, 0);
        while let Some((saga, now_ms)) = walk.open.pop() {
            // A suspended saga is one that is resumed, which is walked through as well.
            if !saga.is_suspended() {
                assert_ends(plan, saga.clone(), now_ms);
            }
            for (event, now_ms) in events(plan, &saga, now_ms) {
                let at = Moment { now_ms, jitter: JITTER };
                match decide_checked(plan, &saga, &event, at) {
                    Ok(decision) => {
                        assert!(!is_stale(&saga, &event), "{event:?} {saga:?}");
                        walk.visit(plan, decision.saga, now_ms);
                    }
                    Err(illegal) => assert!(is_expected(&saga, &event, illegal), "{event:?} {illegal:?} {saga:?}"),
                }
            }
        }
        walk
    }

    fn visit(&mut self, plan: &Plan, saga: Saga, now_ms: i64) {
        if self.seen.insert(key(plan, &saga)) {
            *self.states.entry(saga.state().name()).or_default() += 1;
            self.open.push((saga, now_ms));
        }
    }
}

/// Everything that can happen now, the impossible included.
fn events(plan: &Plan, saga: &Saga, now_ms: i64) -> Vec<(Event, i64)> {
    let mut events = Vec::new();
    for call in saga.in_flight() {
        let mut outcomes: Vec<Outcome> = ANSWERS.map(outcome).into();
        if let Some((_, reason)) = plan.arbiter() {
            outcomes.push(outcome(&format!("refused {reason}")));
        }
        events.extend(outcomes.into_iter().map(|outcome| (attempted(call, outcome), now_ms + 1)));
        let late = Call { attempt: call.attempt - 1, ..call };
        let early = Call { attempt: call.attempt + 1, ..call };
        events.extend([late, early].map(|call| (attempted(call, outcome("done")), now_ms)));
    }
    let wakes = saga.steps().iter().flat_map(|step| [step.forward.next_ms, step.compensation.next_ms]);
    let deadline = (saga.phase() == Some(Phase::Running)).then_some(saga.deadline_ms());
    events.extend(wakes.flatten().chain(deadline).map(|wake_ms| (Event::Woke, wake_ms.max(now_ms))));
    events.push((Event::Woke, now_ms));
    events.push((Event::Adopted, now_ms));
    let verbs = [Event::CancelRequested, Event::Abort, Event::Suspend, Event::Resume, Event::Retry];
    events.extend(verbs.map(|verb| (verb(act()), now_ms + 1)));
    for step in (0..=plan.steps().len()).map(StepIndex) {
        let succeeded = Resolution::Succeeded { output: Vec::new() };
        for resolution in [succeeded, Resolution::NotApplied, Resolution::Compensated] {
            let evidence = String::new();
            events.push((Event::Resolve { step, resolution, act: act(), evidence }, now_ms + 1));
        }
    }
    events
}

fn attempted(call: Call, outcome: Outcome) -> Event {
    Event::Attempted { call, outcome, elapsed_ms: 1 }
}

/// A reply that the saga does not wait for.
fn is_stale(saga: &Saga, event: &Event) -> bool {
    matches!(event, Event::Attempted { call, .. } if !saga.in_flight().any(|waiting| waiting == *call))
}

/// An event is refused for the reason that the state gives, and no other.
fn is_expected(saga: &Saga, event: &Event, illegal: Illegal) -> bool {
    match event {
        Event::Attempted { .. } => matches!(illegal, Illegal::Stale | Illegal::NeverSent),
        Event::Resolve { .. } if saga.is_open() => {
            matches!(illegal, Illegal::NoSuchStep | Illegal::PivotByHand | Illegal::InFlight | Illegal::Unresolvable)
        }
        _ if saga.is_terminal() => illegal == Illegal::Ended,
        Event::Woke => illegal == Illegal::Nothing,
        Event::Adopted => false,
        Event::CancelRequested(_) | Event::Abort(_) => matches!(illegal, Illegal::PastPivot | Illegal::Nothing),
        Event::Suspend(_) => illegal == Illegal::Nothing && saga.is_suspended(),
        Event::Resume(_) => illegal == Illegal::Nothing && !saga.is_suspended(),
        Event::Retry(_) => illegal == if saga.is_suspended() { Illegal::Suspended } else { Illegal::Nothing },
        Event::Resolve { .. } => false,
    }
}

/// Once every call is done as asked, and a person lets go what is held, the saga ends.
fn assert_ends(plan: &Plan, mut saga: Saga, mut now_ms: i64) {
    for _ in 0..100 {
        let event = if saga.is_terminal() {
            return;
        } else if saga.is_suspended() {
            Event::Resume(act())
        } else if let Some(call) = saga.in_flight().next() {
            attempted(call, outcome("done"))
        } else {
            now_ms = now_ms.max(saga.next_wake_ms().expect("an open saga moves"));
            Event::Woke
        };
        saga = decide_checked(plan, &saga, &event, Moment { now_ms, jitter: JITTER }).expect("it goes on").saga;
    }
    panic!("no end in sight: {saga:?}");
}

/// What of a saga bears on what it does next.
fn key(plan: &Plan, saga: &Saga) -> String {
    let is_undecided = saga.phase() == Some(Phase::Running);
    let mut key = format!("{} {:?} {}", saga.state().name(), saga.phase(), saga.failure().is_some());
    for (step, line) in saga.steps().iter().zip(plan.steps()) {
        let (forward, compensation) = (&step.forward, &step.compensation);
        let failed = if is_undecided { forward.failed.min(line.budget) } else { 0 };
        // A late effect is possible: it marks a step uncertain, and a forgotten refusal as one to compensate.
        let is_ambiguous = forward.ambiguous > 0 && (step.status != StepStatus::Refused || !line.keeps_refusals);
        let settled = (compensation.attempts - u32::from(compensation.in_flight)).min(3);
        let is_open = !matches!(step.status, StepStatus::Succeeded | StepStatus::Skipped | StepStatus::Compensated);
        let counts = is_open.then_some((forward.attempts > 0, failed, is_ambiguous, settled));
        let legs = (leg_key(forward), leg_key(compensation));
        write!(key, "|{:?} {counts:?} {legs:?}", step.status).expect("a string");
    }
    key
}

fn leg_key(leg: &Leg) -> Option<(bool, bool, bool, bool)> {
    let (is_backing_off, is_stuck) = (leg.next_ms.is_some(), leg.stuck.is_some());
    let is_open = leg.in_flight || is_backing_off || is_stuck;
    is_open.then_some((leg.in_flight, is_backing_off, is_stuck, leg.contract > 0))
}

#[test]
fn an_event_for_a_saga_of_another_plan_is_refused() {
    let at = Moment { now_ms: 0, jitter: 0 };
    let saga = start(&plans::CHARGE, DEADLINE_MS, &[], at).unwrap().saga;
    assert_eq!(saga::decide(&plans::CHECKOUT, &saga, &Event::Woke, at), Err(Illegal::OtherPlan));
    let call = Call { step: StepIndex(7), direction: Direction::Forward, attempt: 1 };
    assert_eq!(saga::decide(&plans::CHARGE, &saga, &attempted(call, outcome("done")), at), Err(Illegal::NoSuchStep));
}
