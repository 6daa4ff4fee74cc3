//! A saga's serialized form: what the journal keeps must stay readable for years.

use saga::{Direction, Event, Fact, Saga, StepIndex, StepStatus, invariants};

use crate::plans;
use crate::script::{Script, act};

/// Written by the first version. Never edit it: a newer build has to read it.
const GOLDEN: &str = include_str!("golden.json");

#[test]
fn the_first_versions_row_is_still_understood() {
    let saga: Saga = serde_json::from_str(GOLDEN).unwrap();
    assert_eq!(invariants::check(&plans::CHECKOUT, &saga), Ok(()));
    assert_eq!(saga.state().name(), "suspended");
    assert_eq!(saga.phase(), Some(saga::Phase::Arbitrating));
    assert_eq!(saga.output(StepIndex(1)), Some(b"reply".as_slice()));
    assert_eq!(saga.request(StepIndex(3), Direction::Forward), Some(b"confirm".as_slice()));
    assert_eq!(saga.failure().unwrap().details, b"status");
    assert_eq!(saga.steps()[3].status, StepStatus::Uncertain);
    assert_eq!(saga.steps()[3].forward.recent.len(), 4);
}

#[test]
fn a_row_with_fields_of_a_newer_version_is_understood() {
    let mut row: serde_json::Value = serde_json::from_str(GOLDEN).unwrap();
    row["novelty"] = 1.into();
    row["steps"][0]["novelty"] = 1.into();
    row["steps"][0]["forward"]["novelty"] = 1.into();
    let known: Saga = serde_json::from_str(GOLDEN).unwrap();
    assert_eq!(serde_json::from_value::<Saga>(row).unwrap(), known);
}

#[test]
fn a_fresh_row_holds_little_but_what_has_happened() {
    let script = Script::start("charge", "");
    assert_eq!(
        serde_json::to_string(&script.saga).unwrap(),
        r#"{"state":"running","deadline_ms":30000,"steps":[{"status":"running","forward":{"attempts":1,"in_flight":true}},{"status":"pending"},{"status":"pending"}]}"#
    );
}

#[test]
fn a_saga_comes_back_from_its_row_at_every_step() {
    for plan in plans::ALL {
        for answers in ["", "do confirm-reservation: in doubt x4", "do points: lie", "do hotel: suspend, refused"] {
            let mut script = Script::start(plan.kind, answers);
            while script.step() {
                let row = serde_json::to_string(&script.saga).unwrap();
                assert_eq!(serde_json::from_str::<Saga>(&row).unwrap(), script.saga);
            }
        }
    }
}

#[test]
fn facts_come_back_from_the_history() {
    let script = Script::start("charge", "").until("do capture");
    let at = saga::Moment { now_ms: 9, jitter: 9 };
    let decision = saga::decide(script.plan, &script.saga, &Event::Abort(act()), at).unwrap();
    let text = serde_json::to_string(&decision.facts).unwrap();
    assert_eq!(serde_json::from_str::<Vec<Fact>>(&text).unwrap(), decision.facts);
    assert_eq!(decision.facts.last().unwrap().step(), Some(StepIndex(0)));
}

#[test]
fn every_attempt_sends_the_bytes_of_the_first_until_the_step_is_settled() {
    let mut script = Script::start("charge", "do authorize: in doubt");
    let (first, forward) = (StepIndex(0), Direction::Forward);
    script.saga.set_request(first, forward, b"first".to_vec());
    script.step();
    script.step();
    script.saga.set_request(first, forward, b"second".to_vec());
    assert_eq!(script.saga.request(first, forward), Some(b"first".as_slice()));
    script.step();
    assert_eq!(script.saga.request(first, forward), None);
    script.saga.set_request(first, forward, b"third".to_vec());
    assert_eq!(script.saga.request(first, forward), None);
}

#[test]
fn a_pivots_request_is_kept_until_its_reply_is_known() {
    let answers = "do capture: in doubt x4; compensate authorize: refused PAYMENT_CAPTURED";
    let mut script = Script::start("charge", answers).until("do capture");
    let (pivot, forward) = (StepIndex(1), Direction::Forward);
    script.saga.set_request(pivot, forward, b"capture".to_vec());
    while script.saga.output(pivot).is_none() {
        assert_eq!(script.saga.request(pivot, forward), Some(b"capture".as_slice()));
        assert!(script.step());
    }
    assert_eq!(script.saga.request(pivot, forward), None);
}

#[test]
fn a_row_remembers_the_last_five_attempts() {
    let script = Script::start("charge", "do credit: in doubt x9").run();
    let numbers: Vec<u32> = script.saga.steps()[2].forward.recent.iter().map(|attempt| attempt.number).collect();
    assert_eq!(numbers, [6, 7, 8, 9, 10]);
}
