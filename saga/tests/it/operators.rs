//! Cancel, abort, suspend, resume, retry and resolve, at every point where they are asked.

use saga::{Event, Illegal, Resolution, StepStatus};

use crate::plans;
use crate::script::{DEADLINE_MS, Script, act, check};

fn resolve(script: &Script, id: &str, resolution: Resolution) -> Event {
    Event::Resolve { step: script.index(id), resolution, act: act(), evidence: "the participant's books".to_owned() }
}

fn succeeded() -> Resolution {
    Resolution::Succeeded { output: b"attested".to_vec() }
}

#[test]
fn a_cancel_compensates_at_once_what_is_in_flight_too() {
    check(
        "checkout",
        "do reserve-points: cancel",
        "do lock-reservation; do reserve-points; \
         compensate reserve-points; compensate lock-reservation; announce compensated",
    );
}

#[test]
fn what_is_no_longer_waited_for_counts_as_an_attempt_in_doubt() {
    let script = Script::start("trip", "do flight: cancel").run();
    assert_eq!(script.saga.steps()[1].forward.ambiguous, 1);
}

#[test]
fn a_cancel_compensates_at_once_while_backing_off() {
    let mut script = Script::start("trip", "do hotel: in doubt");
    script.step();
    assert_eq!(script.saga.in_flight().count(), 0);
    script.apply(&Event::CancelRequested(act())).unwrap();
    assert_eq!(script.saga.failure().unwrap().reason, "CANCELLED");
    assert_eq!(script.run().trace(), "do hotel; compensate hotel; announce compensated");
}

#[test]
fn a_cancel_past_the_pivot_is_told_so() {
    for plan in plans::ALL {
        let Some(last) = plan.steps().iter().find(|step| step.kind == saga::Kind::Retriable) else {
            continue;
        };
        let mut script = Script::start(plan.kind, "").until(&format!("do {}", last.id));
        assert_eq!(script.apply(&Event::CancelRequested(act())), Err(Illegal::PastPivot));
        assert_eq!(script.apply(&Event::Abort(act())), Err(Illegal::PastPivot));
        let mut script = script.run();
        assert_eq!(script.apply(&Event::CancelRequested(act())), Err(Illegal::Ended));
    }
}

#[test]
fn a_second_cancel_has_nothing_to_do() {
    let mut script = Script::start("trip", "").until("do flight");
    script.apply(&Event::CancelRequested(act())).unwrap();
    assert_eq!(script.apply(&Event::CancelRequested(act())), Err(Illegal::Nothing));
    assert_eq!(script.apply(&Event::Abort(act())), Err(Illegal::Nothing));
}

#[test]
fn a_suspended_saga_sends_nothing_records_replies_and_goes_on_where_it_was() {
    for plan in plans::ALL {
        for step in plan.steps() {
            let call = format!("do {}", step.id);
            let mut script = Script::start(plan.kind, &format!("{call}: suspend, done")).until(&call).run();
            assert!(script.saga.is_suspended());
            assert_eq!(script.saga.next_wake_ms(), None);
            assert_eq!(script.apply(&Event::Woke), Err(Illegal::Nothing));
            assert_eq!(script.apply(&Event::Suspend(act())), Err(Illegal::Nothing));
            assert_eq!(script.apply(&Event::Retry(act())), Err(Illegal::Suspended));
            assert_eq!(script.saga.in_flight().count(), 0);
            script.apply(&Event::Resume(act())).unwrap();
            assert_eq!(script.run().saga.state().name(), "completed", "{} {call}", plan.kind);
        }
    }
}

#[test]
fn the_time_that_a_saga_was_held_does_not_count_against_its_deadline() {
    let mut script = Script::start("trip", "do hotel: suspend, in doubt").run();
    script.now_ms += 10 * DEADLINE_MS;
    script.apply(&Event::Resume(act())).unwrap();
    assert_eq!(script.saga.deadline_ms(), 11 * DEADLINE_MS + 1);
    assert_eq!(script.run().saga.state().name(), "completed");
}

#[test]
fn a_refusal_that_came_while_suspended_turns_the_saga_on_resume() {
    let mut script = Script::start("trip", "do flight: suspend, refused").run();
    assert_eq!(script.saga.phase(), Some(saga::Phase::Running));
    script.apply(&Event::Resume(act())).unwrap();
    assert_eq!(
        script.run().trace(),
        "do hotel; do flight; announce suspended; announce resumed; compensate hotel; announce compensated"
    );
}

#[test]
fn a_suspended_saga_that_is_cancelled_stops_when_it_is_resumed() {
    let mut script = Script::start("trip", "do flight: suspend, done").run();
    script.apply(&Event::CancelRequested(act())).unwrap();
    assert!(script.saga.is_suspended());
    script.apply(&Event::Resume(act())).unwrap();
    assert_eq!(script.run().saga.state().name(), "compensated");
}

#[test]
fn an_abort_frees_and_turns_a_suspended_saga() {
    let mut script = Script::start("trip", "do flight: lie").run();
    script.apply(&Event::Abort(act())).unwrap();
    let script = script.run();
    assert_eq!(
        script.trace(),
        "do hotel; do flight; announce suspended; announce resumed; compensate flight; compensate hotel; announce compensated"
    );
    assert_eq!(script.saga.failure().unwrap().reason, "ABORTED");
}

#[test]
fn a_retry_forgets_the_back_off() {
    let mut script = Script::start("charge", "do credit: in doubt x9").until("do credit");
    assert_eq!(script.apply(&Event::Retry(act())), Err(Illegal::Nothing));
    script.step();
    let now_ms = script.now_ms;
    script.apply(&Event::Retry(act())).unwrap();
    assert_eq!(script.now_ms, now_ms);
    assert_eq!(script.saga.in_flight().count(), 1);
}

#[test]
fn a_parked_retriable_step_completes_once_its_cause_is_mended() {
    let mut script = Script::start("charge", "do credit: refused").run();
    script.apply(&Event::Resume(act())).unwrap();
    assert_eq!(
        script.run().trace(),
        "do authorize; do capture; do credit; alarm at do credit; announce suspended; announce resumed; do credit; announce completed"
    );
}

#[test]
fn a_step_parked_for_a_broken_contract_has_its_tries_again_after_a_resume() {
    let mut script = Script::start("charge", "do credit: contract x3").run();
    script.apply(&Event::Resume(act())).unwrap();
    assert_eq!(
        script.run().trace(),
        "do authorize; do capture; do credit x2; alarm at do credit; announce suspended; announce resumed; \
         do credit x2; announce completed"
    );
}

#[test]
fn a_retriable_step_can_be_resolved_as_succeeded() {
    let mut script = Script::start("charge", "do credit: refused").run();
    let event = resolve(&script, "credit", succeeded());
    script.apply(&event).unwrap();
    assert!(script.saga.is_suspended());
    script.apply(&Event::Resume(act())).unwrap();
    assert_eq!(script.saga.state().name(), "completed");
    assert_eq!(script.saga.output(script.index("credit")), Some(b"attested".as_slice()));
}

#[test]
fn an_uncertain_step_can_be_resolved_as_succeeded_and_the_saga_goes_on() {
    let mut script = Script::start("trip", "do hotel: in doubt");
    script.step();
    let event = resolve(&script, "hotel", succeeded());
    script.apply(&event).unwrap();
    assert_eq!(script.run().trace(), "do hotel; do flight; do mail; announce completed");
}

#[test]
fn an_uncertain_step_can_be_resolved_as_not_applied_and_is_not_compensated() {
    let mut script = Script::start("forgetful", "do points: in doubt").until("do points");
    script.step();
    let event = resolve(&script, "points", Resolution::NotApplied);
    script.apply(&event).unwrap();
    assert_eq!(script.run().trace(), "do seat; do points; compensate seat; announce compensated");
}

#[test]
fn a_stuck_compensation_can_be_attested() {
    let answers = "do flight: refused; compensate hotel: refused";
    let mut script = Script::start("trip", answers).run();
    let event = resolve(&script, "hotel", Resolution::Compensated);
    script.apply(&event).unwrap();
    script.apply(&Event::Resume(act())).unwrap();
    assert_eq!(script.saga.state().name(), "compensated");
}

#[test]
fn a_compensation_that_was_hardly_tried_cannot_be_attested() {
    let answers = "do flight: refused; compensate hotel: in doubt x9";
    let mut script = Script::start("trip", answers).until("compensate hotel");
    let event = resolve(&script, "hotel", Resolution::Compensated);
    assert_eq!(script.apply(&event), Err(Illegal::InFlight));
    script.step();
    assert_eq!(script.apply(&event), Err(Illegal::Unresolvable));
    for _ in 0..4 {
        script.step();
    }
    script.apply(&event).unwrap();
    assert_eq!(script.saga.state().name(), "compensated");
}

#[test]
fn a_pivot_is_never_resolved_by_hand() {
    let answers = "do capture: in doubt; compensate authorize: in doubt always";
    let mut script = Script::start("charge", answers).until("do capture");
    script.step();
    for resolution in [succeeded(), Resolution::NotApplied, Resolution::Compensated] {
        let event = resolve(&script, "capture", resolution);
        assert_eq!(script.apply(&event), Err(Illegal::PivotByHand));
    }
    script.apply(&Event::Abort(act())).unwrap();
    for _ in 0..9 {
        let event = resolve(&script, "authorize", Resolution::Compensated);
        assert_eq!(script.apply(&event), Err(Illegal::PivotByHand));
        script.step();
    }
}

#[test]
fn what_is_known_is_not_resolved() {
    let mut script = Script::start("trip", "").until("do flight");
    let cases = [("hotel", succeeded()), ("hotel", Resolution::NotApplied), ("mail", succeeded())];
    for (id, resolution) in cases {
        let event = resolve(&script, id, resolution);
        assert_eq!(script.apply(&event), Err(Illegal::Unresolvable));
    }
    let event = resolve(&script, "flight", succeeded());
    assert_eq!(script.apply(&event), Err(Illegal::InFlight));
    assert_eq!(script.saga.steps()[0].status, StepStatus::Succeeded);
}

#[test]
fn adopt_then_apply_is_one_decision_that_sends_nothing_pointless() {
    let script = Script::start("trip", "").until("do flight");
    // No jitter: the adopted step would be sent again at once.
    let at = saga::Moment { now_ms: 5, jitter: 0 };
    let adopted = saga::decide(script.plan, &script.saga, &Event::Adopted, at).unwrap();
    assert_eq!(adopted.commands.len(), 1);
    let decision = adopted.then(script.plan, &Event::CancelRequested(act()), at).unwrap();
    let sent: Vec<_> = decision.commands.iter().filter_map(crate::script::sent).collect();
    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0].direction, saga::Direction::Compensation);
    let names: Vec<_> = decision.facts.iter().map(saga::Fact::name).collect();
    assert_eq!(names, ["adopted", "answered", "intended", "intervened", "abandoned", "turned", "intended"]);
}
