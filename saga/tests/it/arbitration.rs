//! A pivot in doubt: one row decides, whatever the order of replies.

use saga::{Event, Illegal, StepStatus};

use crate::script::{Script, act, check};

#[test]
fn a_pivot_in_doubt_is_given_up_only_through_its_arbiter() {
    check(
        "checkout",
        "do confirm-reservation: in doubt x4",
        "do lock-reservation; do reserve-points; do authorize-payment; do confirm-reservation x4; \
         compensate lock-reservation; compensate authorize-payment; compensate reserve-points; announce compensated",
    );
}

#[test]
fn a_pivot_never_executed_is_arbitrated_too() {
    check(
        "charge",
        "do capture: not executed x4",
        "do authorize; do capture x4; compensate authorize; announce compensated",
    );
}

#[test]
fn an_arbiter_that_lost_sends_the_saga_forward_after_the_pivots_reply_was_fetched() {
    let answers = "do confirm-reservation: in doubt x4; compensate lock-reservation: refused RESERVATION_CONFIRMED";
    let script = Script::start("checkout", answers).run();
    assert_eq!(
        script.trace(),
        "do lock-reservation; do reserve-points; do authorize-payment; do confirm-reservation x4; \
         compensate lock-reservation; do confirm-reservation; \
         do capture-points; do capture-payment; do complete-token; announce completed"
    );
    let pivot = script.index("confirm-reservation");
    assert_eq!(script.saga.output(pivot), Some(b"reply".as_slice()));
    assert_eq!(script.saga.failure(), None);
}

#[test]
fn the_pivots_reply_is_fetched_however_long_it_takes() {
    check(
        "charge",
        "do capture: in doubt x10; compensate authorize: refused PAYMENT_CAPTURED",
        "do authorize; do capture x4; compensate authorize; do capture x7; do credit; announce completed",
    );
}

#[test]
fn a_pivot_that_denies_what_its_arbiter_told_is_a_lie() {
    check(
        "charge",
        "do capture: in doubt x4, refused; compensate authorize: refused PAYMENT_CAPTURED",
        "do authorize; do capture x4; compensate authorize; do capture; announce suspended",
    );
}

#[test]
fn an_arbiter_may_be_refused_only_with_the_plans_reason() {
    check(
        "charge",
        "do capture: in doubt x4; compensate authorize: refused OTHERWISE",
        "do authorize; do capture x4; compensate authorize; alarm at compensate authorize; announce suspended",
    );
}

#[test]
fn a_compensation_may_not_be_refused_once_the_saga_has_turned_back() {
    check(
        "charge",
        "do capture: refused; compensate authorize: refused PAYMENT_CAPTURED",
        "do authorize; do capture; compensate authorize; alarm at compensate authorize; announce suspended",
    );
}

#[test]
fn an_arbiter_is_asked_until_it_answers() {
    check(
        "charge",
        "do capture: in doubt x4; compensate authorize: in doubt x3, pending x3, overloaded",
        "do authorize; do capture x4; compensate authorize x8; announce compensated",
    );
}

#[test]
fn a_pivot_that_happened_wins_over_the_arbiter_in_flight() {
    check(
        "charge",
        "do capture: cancel, done; compensate authorize: late x3, refused PAYMENT_CAPTURED",
        "do authorize; do capture; compensate authorize; do credit; announce completed",
    );
}

#[test]
fn a_saga_does_not_end_before_the_arbiter_that_lost_has_answered() {
    let answers = "do capture: cancel, done; compensate authorize: late x9, in doubt";
    let mut script = Script::start("charge", answers).until("do credit");
    script.step();
    script.step();
    assert_eq!(script.saga.state().name(), "completing");
    assert_eq!(script.saga.in_flight().count(), 1);
    assert_eq!(script.run().saga.state().name(), "completed");
}

#[test]
fn a_refused_pivot_leaves_the_arbiter_in_flight_as_an_ordinary_compensation() {
    check(
        "checkout",
        "do confirm-reservation: cancel, refused LOCK_LOST; compensate lock-reservation: in doubt",
        "do lock-reservation; do reserve-points; do authorize-payment; do confirm-reservation; \
         compensate lock-reservation x2; compensate authorize-payment; compensate reserve-points; announce compensated",
    );
}

#[test]
fn a_pivot_that_answers_in_doubt_while_its_arbiter_is_asked_is_not_asked_again() {
    check(
        "charge",
        "do capture: cancel, in doubt; compensate authorize: in doubt x2",
        "do authorize; do capture; compensate authorize x3; announce compensated",
    );
}

#[test]
fn two_winners_halt_the_saga_whichever_answers_first() {
    check(
        "charge",
        "do capture: cancel, done; compensate authorize: done",
        "do authorize; do capture; compensate authorize; do credit; announce suspended",
    );
    check(
        "charge",
        "do capture: cancel, late, done; compensate authorize: done",
        "do authorize; do capture; compensate authorize; announce suspended",
    );
}

#[test]
fn a_late_pivot_that_lost_changes_nothing() {
    check(
        "charge",
        "do capture: cancel, late, refused; compensate authorize: done",
        "do authorize; do capture; compensate authorize; announce compensated",
    );
}

#[test]
fn a_refused_pivot_is_arbitrated_if_an_earlier_attempt_may_yet_arrive() {
    check(
        "forgetful",
        "do confirm: in doubt, refused; compensate seat: refused CONFIRMED",
        "do seat; do points; do confirm x2; compensate seat; do confirm; do capture; announce completed",
    );
    check(
        "forgetful",
        "do confirm: refused",
        "do seat; do points; do confirm; compensate points; compensate seat; announce compensated",
    );
}

#[test]
fn a_cancel_or_deadline_is_arbitrated_only_while_the_pivot_is_in_doubt() {
    check(
        "charge",
        "do capture: cancel, late, in doubt; compensate authorize: refused PAYMENT_CAPTURED",
        "do authorize; do capture; compensate authorize; do capture; do credit; announce completed",
    );
    check(
        "charge",
        "do capture: pending always",
        "do authorize; do capture x30; compensate authorize; announce compensated",
    );
}

#[test]
fn a_pivots_reply_that_came_while_suspended_decides_on_resume() {
    let answers = "do capture: cancel, suspend, done; compensate authorize: refused PAYMENT_CAPTURED";
    let mut script = Script::start("charge", answers).run();
    assert!(script.saga.is_suspended());
    assert!(script.saga.is_past_pivot(script.plan));
    assert_eq!(script.apply(&Event::Abort(act())), Err(Illegal::PastPivot));
    script.apply(&Event::Resume(act())).unwrap();
    assert_eq!(script.saga.steps()[0].status, StepStatus::Succeeded);
    assert_eq!(script.run().saga.state().name(), "completed");
}

#[test]
fn an_arbiters_reply_that_came_while_suspended_decides_on_resume() {
    for (answer, end) in [("done", "compensated"), ("refused PAYMENT_CAPTURED", "completed")] {
        let answers = format!("do capture: cancel, in doubt; compensate authorize: suspend, {answer}");
        let mut script = Script::start("charge", &answers).run();
        assert!(script.saga.is_suspended());
        script.apply(&Event::Resume(act())).unwrap();
        assert_eq!(script.run().saga.state().name(), end);
    }
}
