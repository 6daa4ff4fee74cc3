//! Steps side by side, skipped steps, and plans without a pivot.

use saga::{Call, Direction, Event, Illegal, Moment, Outcome, StepStatus, start};

use crate::plans::{CHECKOUT, TRIP};
use crate::script::{Script, check};

#[test]
fn a_group_goes_on_when_all_of_it_is_done() {
    check("group", "do points: in doubt", "do seat; do points; do card; do points; do confirm; announce completed");
}

#[test]
fn a_sibling_in_flight_of_a_refused_step_is_taken_for_possible_and_compensated_at_once() {
    check(
        "group",
        "do card: late, done; do points: refused",
        "do seat; do points; do card; compensate card; compensate seat; announce compensated",
    );
    check(
        "group",
        "do card: refused; do points: late, refused",
        "do seat; do points; do card; compensate points; compensate seat; announce compensated",
    );
}

#[test]
fn a_group_is_compensated_in_reverse_order() {
    check(
        "group",
        "do confirm: refused",
        "do seat; do points; do card; do confirm; \
         compensate card; compensate points; compensate seat; announce compensated",
    );
}

#[test]
fn a_plan_without_a_pivot_is_decided_by_its_last_compensatable_step() {
    check("trip", "do mail: in doubt x9", "do hotel; do flight; do mail x10; announce completed");
    check("pair", "", "do left; do right; announce completed");
    let script = Script::start("trip", "").until("do mail");
    assert!(script.saga.is_past_pivot(script.plan));
}

#[test]
fn a_skipped_step_is_neither_done_nor_compensated() {
    let free = ["reserve-points", "authorize-payment", "capture-points", "capture-payment"];
    let script = Script::start_without("checkout", &free, "").run();
    assert_eq!(script.trace(), "do lock-reservation; do confirm-reservation; do complete-token; announce completed");
    let script = Script::start_without("checkout", &free, "do confirm-reservation: refused").run();
    assert_eq!(
        script.trace(),
        "do lock-reservation; do confirm-reservation; compensate lock-reservation; announce compensated"
    );
    let script = Script::start_without("trip", &["hotel", "flight", "mail"], "").run();
    assert_eq!(script.trace(), "announce completed");
}

#[test]
fn a_reply_can_make_later_steps_needless() {
    let mut script = Script::start("checkout", "");
    let skip = ["reserve-points", "authorize-payment", "capture-points"].map(|id| script.index(id));
    answer_first(&mut script, skip.to_vec());
    assert_eq!(script.saga.steps()[1].status, StepStatus::Skipped);
    assert_eq!(script.trace(), "do lock-reservation; do confirm-reservation");
}

#[test]
fn a_reply_that_skips_what_decides_or_has_begun_is_a_lie() {
    for id in ["lock-reservation", "confirm-reservation"] {
        let mut script = Script::start("checkout", "");
        let skip = vec![script.index(id)];
        answer_first(&mut script, skip);
        assert!(script.saga.is_suspended(), "{id}");
    }
    for id in ["lock-reservation", "confirm-reservation"] {
        let skip = [CHECKOUT.find(id).unwrap()];
        let at = Moment { now_ms: 0, jitter: 0 };
        assert_eq!(start(&CHECKOUT, 1, &skip, at), Err(Illegal::CannotSkip));
        assert_eq!(start(&TRIP, 1, &[saga::StepIndex(9)], at), Err(Illegal::CannotSkip));
    }
}

fn answer_first(script: &mut Script, skip: Vec<saga::StepIndex>) {
    let call = Call { step: saga::StepIndex(0), direction: Direction::Forward, attempt: 1 };
    let outcome = Outcome::Done { output: Vec::new(), skip };
    let event = Event::Attempted { call, outcome, elapsed_ms: 3 };
    script.apply(&event).unwrap();
}
