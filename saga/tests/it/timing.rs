//! When a saga wakes.

use saga::schedule::LONGEST_WAIT_MS;
use saga::{Event, Illegal, Moment, Outcome, Saga, start};

use crate::plans::{CHARGE, TRIP};
use crate::script::{DEADLINE_MS, Script, act, decide_checked, failure, outcome};

/// The wait after one answer to the first call that is in flight, at time 1,000.
fn wait_after(saga: &Saga, plan: &saga::Plan, outcome: Outcome, jitter: u64) -> Option<i64> {
    let call = saga.in_flight().next().unwrap();
    let event = Event::Attempted { call, outcome, elapsed_ms: 1 };
    let at = Moment { now_ms: 1_000, jitter };
    let next = decide_checked(plan, saga, &event, at).unwrap().saga;
    next.steps()[call.step.0].leg(call.direction).next_ms.map(|next_ms| next_ms - 1_000)
}

#[test]
fn a_saga_that_waits_for_replies_wakes_at_its_deadline_while_it_is_undecided() {
    let script = Script::start("trip", "");
    assert_eq!(script.saga.next_wake_ms(), Some(DEADLINE_MS));
    let script = script.until("do mail");
    assert_eq!(script.saga.next_wake_ms(), None);
}

#[test]
fn the_deadline_compensates_what_is_in_flight() {
    let mut script = Script::start("trip", "").until("do flight");
    script.now_ms = DEADLINE_MS - 1;
    assert_eq!(script.apply(&Event::Woke), Err(Illegal::Nothing));
    script.now_ms = DEADLINE_MS;
    script.apply(&Event::Woke).unwrap();
    assert_eq!(script.saga.failure().unwrap().reason, "DEADLINE_EXCEEDED");
    assert_eq!(script.run().trace(), "do hotel; do flight; compensate flight; compensate hotel; announce compensated");
}

#[test]
fn a_reply_after_the_deadline_begins_no_further_step() {
    let mut script = Script::start("charge", "");
    script.now_ms = DEADLINE_MS;
    assert_eq!(script.run().trace(), "do authorize; compensate authorize; announce compensated");
}

#[test]
fn a_pivots_reply_after_the_deadline_still_decides() {
    let mut script = Script::start("charge", "").until("do capture");
    script.now_ms = DEADLINE_MS;
    assert_eq!(script.run().trace(), "do authorize; do capture; do credit; announce completed");
}

#[test]
fn the_deadline_does_not_count_once_the_saga_is_decided() {
    let mut script = Script::start("charge", "do credit: in doubt").until("do credit");
    script.now_ms = 100 * DEADLINE_MS;
    assert_eq!(script.apply(&Event::Woke), Err(Illegal::Nothing));
    assert_eq!(script.run().saga.state().name(), "completed");
}

#[test]
fn a_back_off_grows_with_the_attempts_and_keeps_to_its_jitter() {
    let fresh = start(&TRIP, DEADLINE_MS, &[], Moment { now_ms: 0, jitter: 0 }).unwrap().saga;
    for jitter in [0, 7, 50] {
        let wait_ms = wait_after(&fresh, &TRIP, Outcome::InDoubt(failure("")), jitter);
        // A back-off of nothing is an attempt at once.
        let expected = (jitter > 0).then_some(i64::try_from(jitter).unwrap());
        assert_eq!(wait_ms, expected);
    }
}

#[test]
fn what_a_participant_asks_for_is_honoured() {
    let fresh = start(&TRIP, DEADLINE_MS, &[], Moment { now_ms: 0, jitter: 0 }).unwrap().saga;
    assert_eq!(wait_after(&fresh, &TRIP, Outcome::Pending(700), 7), Some(700));
    assert_eq!(wait_after(&fresh, &TRIP, Outcome::Pending(0), 7), Some(7));
    assert_eq!(wait_after(&fresh, &TRIP, Outcome::Pending(i64::MAX), 7), Some(300_000));
    assert_eq!(wait_after(&fresh, &TRIP, Outcome::Overloaded(failure(""), 700), 7), Some(707));
    assert_eq!(wait_after(&fresh, &TRIP, Outcome::Overloaded(failure(""), -9), 7), Some(7));
}

#[test]
fn a_decided_step_with_a_broken_contract_is_tried_again_slowly() {
    let script = Script::start("charge", "").until("do credit");
    let wait_ms = wait_after(&script.saga, &CHARGE, Outcome::Contract(failure("")), 0);
    assert_eq!(wait_ms, Some(15_000));
}

#[test]
fn a_back_off_without_jitter_is_an_attempt_in_the_same_decision() {
    let mut saga = start(&CHARGE, DEADLINE_MS, &[], Moment { now_ms: 0, jitter: 0 }).unwrap().saga;
    let at = Moment { now_ms: 0, jitter: 0 };
    for attempt in 1..=3 {
        let call = saga.in_flight().next().unwrap();
        assert_eq!(call.attempt, attempt);
        let event = Event::Attempted { call, outcome: Outcome::InDoubt(failure("")), elapsed_ms: 0 };
        saga = decide_checked(&CHARGE, &saga, &event, at).unwrap().saga;
    }
}

#[test]
fn a_saga_knows_when_it_was_decided_and_when_it_ended() {
    let script = Script::start("charge", "").until("do credit");
    assert_eq!((script.saga.decided_ms(), script.saga.ended_ms()), (Some(2), None));
    let script = script.run();
    assert_eq!((script.saga.decided_ms(), script.saga.ended_ms()), (Some(2), Some(3)));
    let mut script = Script::start("charge", "");
    script.apply(&Event::CancelRequested(act())).unwrap();
    assert_eq!(script.saga.decided_ms(), Some(0));
}

#[test]
fn a_reply_to_an_earlier_attempt_changes_nothing() {
    let mut script = Script::start("trip", "do hotel: in doubt").until("do hotel");
    let late = script.saga.in_flight().next().unwrap();
    script.step();
    script.step();
    assert_eq!(script.saga.in_flight().next().unwrap().attempt, 2);
    for answer in ["done", "refused", "lie"] {
        let event = Event::Attempted { call: late, outcome: outcome(answer), elapsed_ms: 1 };
        assert_eq!(script.apply(&event), Err(Illegal::Stale));
    }
}

#[test]
fn a_wait_that_no_right_clock_can_have_meant_is_over() {
    let script = Script::start("trip", "").until("do flight");
    let at = |now_ms| Moment { now_ms, jitter: 7 };
    let call = script.saga.in_flight().next().unwrap();
    let event = Event::Attempted { call, outcome: outcome("in doubt"), elapsed_ms: 1 };
    let waiting = decide_checked(&TRIP, &script.saga, &event, at(1_000)).unwrap().saga;
    let due_ms = waiting.next_wake_ms().unwrap();
    assert_eq!(due_ms, 1_007);
    // As if the clock had been ahead when the wait was decided on, and were right again.
    let woken = |early_ms| decide_checked(&TRIP, &waiting, &Event::Woke, at(due_ms - early_ms));
    assert_eq!(woken(LONGEST_WAIT_MS), Err(Illegal::Nothing));
    assert_eq!(woken(3_600_000).unwrap().saga.in_flight().count(), 1);
}
