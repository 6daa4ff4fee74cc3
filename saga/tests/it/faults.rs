//! Every fault at every step, as scenarios.

use crate::plans;
use crate::script::{Script, check};

#[test]
fn a_checkout_completes() {
    check(
        "checkout",
        "",
        "do lock-reservation; do reserve-points; do authorize-payment; do confirm-reservation; \
         do capture-points; do capture-payment; do complete-token; announce completed",
    );
}

#[test]
fn a_first_step_that_is_refused_leaves_nothing_to_compensate() {
    check("checkout", "do lock-reservation: refused", "do lock-reservation; announce compensated");
}

#[test]
fn a_refused_payment_gives_the_points_and_the_seat_back() {
    check(
        "checkout",
        "do authorize-payment: refused",
        "do lock-reservation; do reserve-points; do authorize-payment; \
         compensate reserve-points; compensate lock-reservation; announce compensated",
    );
}

#[test]
fn a_refused_pivot_compensates_everything_before_it() {
    check(
        "checkout",
        "do confirm-reservation: refused",
        "do lock-reservation; do reserve-points; do authorize-payment; do confirm-reservation; \
         compensate authorize-payment; compensate reserve-points; compensate lock-reservation; announce compensated",
    );
}

#[test]
fn a_step_in_doubt_is_asked_again_and_then_compensated_too() {
    check(
        "checkout",
        "do reserve-points: in doubt x4",
        "do lock-reservation; do reserve-points x4; \
         compensate reserve-points; compensate lock-reservation; announce compensated",
    );
}

#[test]
fn a_step_that_recovers_within_its_budget_is_not_given_up() {
    for fault in ["in doubt", "not executed", "overloaded", "pending"] {
        check(
            "trip",
            &format!("do hotel: {fault} x3; do flight: {fault} x3; do mail: {fault} x3"),
            "do hotel x4; do flight x4; do mail x4; announce completed",
        );
    }
}

#[test]
fn a_step_that_was_provably_never_executed_is_not_compensated() {
    check(
        "checkout",
        "do reserve-points: not executed x4",
        "do lock-reservation; do reserve-points x4; compensate lock-reservation; announce compensated",
    );
}

#[test]
fn one_attempt_in_doubt_among_those_never_executed_is_enough_to_compensate() {
    check(
        "checkout",
        "do reserve-points: not executed, in doubt, not executed x2",
        "do lock-reservation; do reserve-points x4; \
         compensate reserve-points; compensate lock-reservation; announce compensated",
    );
}

#[test]
fn a_broken_contract_is_given_up_after_two_tries() {
    check(
        "checkout",
        "do authorize-payment: contract x2",
        "do lock-reservation; do reserve-points; do authorize-payment x2; \
         compensate authorize-payment; compensate reserve-points; compensate lock-reservation; announce compensated",
    );
}

#[test]
fn a_pending_answer_does_not_count_until_the_deadline() {
    check("charge", "do authorize: pending always", "do authorize x30; compensate authorize; announce compensated");
}

#[test]
fn an_overloaded_participant_is_left_alone_and_bounded_by_the_deadline() {
    let script = Script::start("charge", "do authorize: overloaded always").run();
    assert_eq!(script.saga.state().name(), "compensated");
    assert!(script.saga.steps()[0].forward.attempts > 4);
    assert_eq!(script.saga.steps()[0].forward.failed, 0);
    assert_eq!(script.saga.failure().unwrap().reason, "DEADLINE_EXCEEDED");
}

#[test]
fn a_retriable_step_is_retried_for_ever() {
    check(
        "charge",
        "do credit: in doubt x30",
        "do authorize; do capture; do credit x20; alarm at do credit; do credit x11; announce completed",
    );
}

#[test]
fn a_retriable_step_that_refuses_is_parked_when_the_rest_is_done() {
    check(
        "checkout",
        "do capture-points: refused; do capture-payment: in doubt",
        "do lock-reservation; do reserve-points; do authorize-payment; do confirm-reservation; \
         do capture-points; do capture-payment; do complete-token; alarm at do capture-points; \
         do capture-payment; announce suspended",
    );
}

#[test]
fn a_retriable_step_with_a_broken_contract_is_parked_after_two_slow_tries() {
    let script = Script::start("charge", "do credit: contract x2").run();
    assert_eq!(script.trace(), "do authorize; do capture; do credit x2; alarm at do credit; announce suspended");
    assert!(script.now_ms >= 15_000);
}

#[test]
fn a_compensation_is_never_given_up() {
    check(
        "checkout",
        "do authorize-payment: refused; compensate lock-reservation: in doubt x25",
        "do lock-reservation; do reserve-points; do authorize-payment; compensate reserve-points; \
         compensate lock-reservation x20; alarm at compensate lock-reservation; \
         compensate lock-reservation x6; announce compensated",
    );
}

#[test]
fn a_compensation_that_three_attempts_did_not_settle_goes_on_in_the_background() {
    let answers = "do authorize-payment: refused; compensate reserve-points: in doubt always";
    let mut script = Script::start("checkout", answers).until("compensate lock-reservation");
    assert_eq!(
        script.trace(),
        "do lock-reservation; do reserve-points; do authorize-payment; \
         compensate reserve-points x3; compensate lock-reservation"
    );
    for _ in 0..20 {
        script.step();
    }
    assert_eq!(script.saga.state().name(), "compensating");
    assert!(script.saga.steps()[1].compensation.attempts > 10);
}

#[test]
fn a_compensation_that_refuses_does_not_keep_the_others_and_then_needs_a_person() {
    check(
        "checkout",
        "do confirm-reservation: refused; compensate authorize-payment: refused",
        "do lock-reservation; do reserve-points; do authorize-payment; do confirm-reservation; \
         compensate authorize-payment; alarm at compensate authorize-payment; compensate reserve-points; \
         compensate lock-reservation; announce suspended",
    );
}

#[test]
fn a_lie_halts_the_saga_wherever_it_is_told() {
    for plan in plans::ALL {
        for step in plan.steps() {
            let id = step.id;
            let script = Script::start(plan.kind, &format!("do {id}: lie")).run();
            assert!(script.saga.is_suspended(), "{} {id}", plan.kind);
            if step.compensation.is_some() {
                let answers = format!("compensate {id}: lie; do {id}: late, cancel, done");
                let script = Script::start(plan.kind, &answers).run();
                assert!(script.saga.is_suspended(), "{} {id}: {}", plan.kind, script.trace());
            }
        }
    }
}

#[test]
fn every_step_that_is_refused_or_given_up_before_the_decision_ends_compensated() {
    for plan in plans::ALL {
        for step in plan.steps().iter().filter(|step| step.kind != saga::Kind::Retriable) {
            for fault in ["refused", "in doubt always", "not executed always", "contract always", "pending always"] {
                let script = Script::start(plan.kind, &format!("do {}: {fault}", step.id)).run();
                assert_eq!(script.saga.state().name(), "compensated", "{} {}", plan.kind, step.id);
            }
        }
    }
}

#[test]
fn a_refusal_that_a_participant_does_not_keep_is_compensated_if_an_attempt_was_in_doubt() {
    check(
        "forgetful",
        "do points: in doubt, refused",
        "do seat; do points x2; compensate points; compensate seat; announce compensated",
    );
    check("forgetful", "do points: refused", "do seat; do points; compensate seat; announce compensated");
}

#[test]
fn an_adopted_step_is_asked_again_under_the_same_key() {
    check(
        "charge",
        "do authorize: adopt; do capture: adopt; do credit: adopt",
        "do authorize x2; do capture x2; do credit x2; announce completed",
    );
}

#[test]
fn a_step_that_kills_its_process_spends_its_budget() {
    check(
        "trip",
        "do flight: adopt x8",
        "do hotel; do flight x4; compensate flight; compensate hotel; announce compensated",
    );
}
