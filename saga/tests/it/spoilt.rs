//! Every invariant is broken once, on a saga that is otherwise sound, and says so: predicates that never fail prove nothing.

use saga::invariants::{check, check_step};
use saga::{Class, Direction, Event, Failure, Kind, Outcome, Plan, Saga, StepIndex};
use serde_json::{Value, json};

use crate::plans;
use crate::script::{Script, act};

/// Sound sagas, by what they are up to.
fn sample(name: &str) -> (&'static Plan, Saga) {
    let charge = |answers, until| Script::start("charge", answers).until(until);
    let script = match name {
        // authorize has succeeded, capture is under way.
        "running" => charge("", "do capture"),
        "suspended" => Script::start("charge", "do capture: suspend, done").run(),
        "completing" => charge("", "do credit"),
        "arbitrating" => charge("do capture: in doubt x4", "compensate authorize"),
        "compensating" => charge("do capture: refused", "compensate authorize"),
        "completed" => Script::start("charge", "").run(),
        "compensated" => Script::start("charge", "do capture: refused").run(),
        // Two compensatable steps before the pivot.
        "checkout running" => Script::start("checkout", "").until("do confirm-reservation"),
        "checkout arbitrating" => {
            Script::start("checkout", "do confirm-reservation: in doubt x4").until("compensate lock-reservation")
        }
        "checkout compensating" => {
            Script::start("checkout", "do confirm-reservation: refused").until("compensate authorize-payment")
        }
        other => panic!("there is no sample {other}"),
    };
    assert_eq!(check(script.plan, &script.saga), Ok(()), "{name}");
    (script.plan, script.saga)
}

/// The same with other values at some places of its row.
fn spoilt(saga: &Saga, edits: &[(&str, Value)]) -> Saga {
    let mut row = serde_json::to_value(saga).unwrap();
    for (path, value) in edits {
        let (parent, last) = path.rsplit_once('/').unwrap();
        let mut place = &mut row;
        for part in parent.split('/').filter(|part| !part.is_empty()) {
            place = match part.parse::<usize>() {
                Ok(index) => &mut place[index],
                Err(_) => &mut place[part],
            };
            if place.is_null() {
                *place = json!({});
            }
        }
        match last.parse::<usize>() {
            Ok(index) => place[index] = value.clone(),
            Err(_) => place[last] = value.clone(),
        }
    }
    serde_json::from_value(row).unwrap()
}

fn failure() -> Value {
    serde_json::to_value(Failure::new(9, "NO", "no")).unwrap()
}

/// A step that has not begun, one that has succeeded, and so on.
fn step(status: &str) -> Value {
    match status {
        "pending" => json!({"status": "pending"}),
        "succeeded" => json!({"status": "succeeded", "output": "cmVwbHk", "forward": {"attempts": 1}}),
        "running" => json!({"status": "running", "forward": {"attempts": 1, "in_flight": true}}),
        "uncertain" => json!({"status": "uncertain", "forward": {"attempts": 1, "ambiguous": 1, "failed": 1}}),
        "refused" => json!({"status": "refused", "forward": {"attempts": 1}}),
        "compensating" => {
            json!({"status": "compensating", "forward": {"attempts": 1}, "compensation": {"attempts": 1, "in_flight": true}})
        }
        "compensated" => json!({"status": "compensated", "forward": {"attempts": 1}, "compensation": {"attempts": 1}}),
        other => panic!("there is no step {other}"),
    }
}

/// What breaks, where, and what it must say.
fn broken(name: &str, edits: &[(&str, Value)], rule: &str) {
    let (plan, saga) = sample(name);
    let violation = check(plan, &spoilt(&saga, edits)).expect_err(rule);
    assert_eq!(violation.rule, rule, "{name} with {edits:?}");
}

#[test]
fn a_saga_has_its_plans_steps_in_their_order() {
    let (_, saga) = sample("running");
    let violation = check(&plans::CHECKOUT, &saga).unwrap_err();
    assert_eq!(violation.to_string(), "a saga has the steps of its plan");
    let order = "a step is sent only when the stages before it are finished";
    broken("running", &[("/steps/0", step("pending"))], order);
    broken("running", &[("/steps/0", step("uncertain"))], order);
    broken("checkout running", &[("/steps/1", step("pending"))], order);
    broken("completing", &[("/steps/1", step("uncertain"))], order);
    let (plan, saga) = sample("running");
    let violation = check(plan, &spoilt(&saga, &[("/steps/0", step("pending"))])).unwrap_err();
    assert_eq!(violation.step, Some(StepIndex(1)));
    assert_eq!(violation.to_string(), format!("{order} (step 1)"));
}

#[test]
fn a_saga_knows_when_it_was_decided_and_when_it_ended() {
    let (decided, ended) = ("a saga knows when it was decided", "a saga knows when it ended");
    broken("running", &[("/decided_ms", json!(5))], decided);
    broken("arbitrating", &[("/decided_ms", json!(5))], decided);
    broken("completing", &[("/decided_ms", Value::Null)], decided);
    broken("compensating", &[("/decided_ms", Value::Null)], decided);
    broken("completed", &[("/decided_ms", Value::Null)], decided);
    broken("completed", &[("/ended_ms", Value::Null)], ended);
    broken("compensated", &[("/ended_ms", Value::Null)], ended);
    broken("completing", &[("/ended_ms", json!(5))], ended);
}

#[test]
fn an_ended_saga_is_at_rest_and_whole() {
    let rest = "an ended saga waits for nothing";
    for name in ["completed", "compensated"] {
        for path in ["/steps/0/forward", "/steps/1/forward"] {
            broken(name, &[(&format!("{path}/next_ms"), json!(5))], rest);
            broken(name, &[(&format!("{path}/stuck"), failure())], rest);
            broken(name, &[(&format!("{path}/request"), json!("cmVwbHk"))], rest);
        }
    }
    // The pivot that was refused may still be under way, but not of a saga that has ended.
    broken("compensated", &[("/steps/1/forward/in_flight", json!(true))], rest);
    broken("completed", &[("/failure", failure())], "a completed saga has no failure");
    let every = "in a completed saga every step has happened or was not needed";
    broken("completed", &[("/steps/2", step("pending"))], every);
    broken("completed", &[("/steps/0", step("compensated"))], every);
    broken("compensated", &[("/failure", Value::Null)], "a compensated saga says why");
    let nothing = "in a compensated saga nothing is left of any step";
    broken("compensated", &[("/steps/0", step("succeeded"))], nothing);
    broken("compensated", &[("/steps/1", step("succeeded"))], nothing);
    broken("compensated", &[("/steps/2", step("succeeded"))], nothing);
    // Who does not keep refusals would not find this one.
    let forgetful = plans::ALL.iter().find(|plan| plan.steps().iter().any(|step| !step.keeps_refusals)).unwrap();
    let ends = Script::start(forgetful.kind, &format!("do {}: refused", forgetful.steps()[0].id)).run().saga;
    assert_eq!(check(forgetful, &ends), Ok(()));
    let refused = ends.steps().iter().position(|step| step.status == saga::StepStatus::Refused).unwrap();
    let in_doubt = spoilt(&ends, &[(&format!("/steps/{refused}/forward"), json!({"attempts": 2, "ambiguous": 1}))]);
    assert_eq!(check(forgetful, &in_doubt).unwrap_err().rule, nothing);
}

#[test]
fn an_open_saga_will_go_on() {
    let rule = "an open saga waits for a reply, for a time, or for a person";
    broken("completing", &[("/steps/2", step("pending"))], rule);
    let idle = json!({"status": "compensating", "forward": {"attempts": 1}, "compensation": {"attempts": 1}});
    broken("compensating", &[("/steps/0", idle)], rule);
}

#[test]
fn an_undecided_saga_only_goes_forward() {
    let back = "an undecided saga takes nothing back";
    broken("running", &[("/steps/0/compensation", json!({"attempts": 1}))], back);
    let early = "no retriable step is sent before the decision";
    broken("checkout running", &[("/steps/3", step("succeeded")), ("/steps/4", step("running"))], early);
    broken("running", &[("/failure", failure())], "an undecided saga has no reason to stop");
    broken("running", &[("/steps/1", step("refused"))], "an undecided saga has no refused step");
    broken("running", &[("/steps/1", step("succeeded"))], "a pivot that happened decides");
    // A suspended one may know more than it has decided on.
    let (plan, suspended) = sample("suspended");
    assert_eq!(check(plan, &spoilt(&suspended, &[("/steps/1", step("refused"))])), Ok(()));
}

#[test]
fn a_saga_past_its_pivot_goes_forward() {
    broken("completing", &[("/failure", failure())], "a saga that goes forward has no reason to stop");
    let past = "a saga goes forward only past its pivot";
    broken("completing", &[("/steps/1", step("running")), ("/steps/2", step("pending"))], past);
    let back = "a saga that goes forward takes nothing back";
    broken("completing", &[("/steps/0", step("compensating"))], back);
}

#[test]
fn while_the_pivot_is_in_doubt_only_its_arbiter_is_asked() {
    broken("arbitrating", &[("/failure", Value::Null)], "a saga that is to stop says why");
    let only = "only the arbiter is asked while the pivot is in doubt";
    broken("checkout arbitrating", &[("/steps/1", step("compensating"))], only);
    let doubt = "only a pivot in doubt is arbitrated";
    broken("arbitrating", &[("/steps/1", step("refused"))], doubt);
    broken("arbitrating", &[("/steps/1", step("pending"))], doubt);
    let early = "no retriable step is sent before the decision";
    broken("arbitrating", &[("/steps/1", step("succeeded")), ("/steps/2", step("running"))], early);
}

#[test]
fn a_saga_turns_back_in_reverse_order_and_only_without_its_pivot() {
    broken("compensating", &[("/failure", Value::Null)], "a saga that turned back says why");
    let early = "no retriable step is sent before the decision";
    broken("compensating", &[("/steps/2", step("running"))], early);
    let out = "a saga turns back only if its pivot did not happen";
    for status in ["succeeded", "running", "uncertain"] {
        broken("compensating", &[("/steps/1", step(status))], out);
    }
    let order = "compensations are sent in reverse order";
    for status in ["compensating", "compensated"] {
        // The arbiter of the pivot may go before the others, and is under way.
        let edits = [("/steps/0", step("compensating")), ("/steps/1", step(status)), ("/steps/2", step("succeeded"))];
        broken("checkout compensating", &edits, order);
    }
}

#[test]
fn what_a_step_says_of_its_attempts_agrees_with_itself() {
    let leg = |leg: Value, rule: &str| {
        broken("running", &[("/steps/1/forward", leg.clone())], rule);
        broken("compensating", &[("/steps/0/compensation", leg)], rule);
    };
    leg(json!({"in_flight": true}), "what is in flight was attempted");
    leg(json!({"attempts": 1, "in_flight": true, "next_ms": 5}), "what is in flight does not back off");
    leg(json!({"attempts": 1, "in_flight": true, "stuck": failure()}), "what is in flight is not stuck");
    leg(json!({"attempts": 1, "next_ms": 5, "stuck": failure()}), "what is stuck does not back off");
    for count in ["failed", "ambiguous", "contract"] {
        leg(json!({"attempts": 1, "in_flight": true, count: 2}), "no more attempts are counted than were made");
    }
    let attempt = json!({"number": 1, "class": "in_doubt", "at_ms": 5});
    let recent = vec![attempt; 6];
    leg(json!({"attempts": 9, "in_flight": true, "recent": recent}), "a row remembers the last attempts only");
    for waits in [json!({"next_ms": 5}), json!({"stuck": failure()}), json!({"request": "cmVwbHk"})] {
        leg(waits, "what was never attempted waits for nothing");
    }
}

#[test]
fn a_steps_status_agrees_with_its_kind_and_with_what_is_under_way() {
    let kind = "only a compensatable step is taken back";
    broken("completing", &[("/steps/2/compensation", json!({"attempts": 1}))], kind);
    broken("running", &[("/steps/1/compensation", json!({"attempts": 1}))], kind);
    broken("completing", &[("/steps/2", step("refused"))], "a retriable step is never refused");
    let agrees = "a step's status agrees with what is under way";
    let (sent, back) = (json!({"attempts": 1, "in_flight": true}), json!({"attempts": 1, "in_flight": true}));
    for status in ["pending", "uncertain", "succeeded", "refused"] {
        let edits = [("/steps/0/status", json!(status)), ("/steps/0/forward", sent.clone())];
        broken("running", &edits, agrees);
    }
    for status in ["pending", "uncertain", "running", "refused"] {
        let edits = [("/steps/0/status", json!(status)), ("/steps/0/compensation", back.clone())];
        broken("running", &edits, agrees);
    }
    for leg in ["forward", "compensation"] {
        let path = format!("/steps/0/{leg}");
        broken("running", &[("/steps/0", json!({"status": "skipped"})), (&path, json!({"attempts": 1}))], agrees);
        let edits = [("/steps/0", step("compensated")), (&path[..], sent.clone())];
        broken("compensating", &edits, agrees);
    }
    broken("running", &[("/steps/1/forward/in_flight", json!(false))], agrees);
    broken("running", &[("/steps/0/status", json!("applied"))], agrees);
    broken("compensating", &[("/steps/0/forward/in_flight", json!(true))], agrees);
    let never = json!({"status": "compensating", "forward": {"attempts": 1}});
    broken("compensating", &[("/steps/0", never)], agrees);
    let never = json!({"status": "compensated", "forward": {"attempts": 1}});
    broken("compensating", &[("/steps/0", never)], agrees);
    for status in ["compensating", "compensated"] {
        broken("compensating", &[("/steps/1", json!({"status": status, "forward": {"attempts": 1}}))], agrees);
    }
    let reply = "a step has a reply if it succeeded, and none before";
    broken("running", &[("/steps/0/output", Value::Null)], reply);
    broken("running", &[("/steps/1/output", json!("cmVwbHk"))], reply);
}

/// What may not become of a saga by an event.
fn regresses(name: &str, event: &Event, edits: &[(&str, Value)], rule: &str) {
    let (plan, before) = sample(name);
    assert_eq!(check_step(plan, &before, event, &before), Ok(()), "{name}");
    let violation = check_step(plan, &before, event, &spoilt(&before, edits)).expect_err(rule);
    assert_eq!(violation.rule, rule, "{name} with {edits:?}");
}

#[test]
fn a_saga_only_goes_forward() {
    let (plan, running) = sample("running");
    let of_plan = check_step(&plans::CHECKOUT, &running, &Event::Woke, &running).unwrap_err();
    assert_eq!(of_plan.rule, "a saga has the steps of its plan");
    let names = ["running", "arbitrating", "completing", "compensating", "completed", "compensated"];
    let allowed = [
        ("running", "arbitrating"),
        ("running", "completing"),
        ("running", "compensating"),
        ("running", "completed"),
        ("running", "compensated"),
        ("arbitrating", "completing"),
        ("arbitrating", "completed"),
        ("arbitrating", "compensating"),
        ("arbitrating", "compensated"),
        ("completing", "completed"),
        ("compensating", "compensated"),
    ];
    for before in names {
        for after in names.into_iter().filter(|after| *after != before) {
            let (_, saga) = sample(before);
            let turned = spoilt(&saga, &[("/state", json!(after))]);
            let rule = check_step(plan, &saga, &Event::Woke, &turned).err().map(|violation| violation.rule);
            let ended = ["completed", "compensated"].contains(&before);
            let expected = match allowed.contains(&(before, after)) {
                true => None,
                false if ended => Some("what has ended never changes"),
                false => Some("a saga only goes forward through its states"),
            };
            assert_eq!(rule, expected, "{before} to {after}");
        }
    }
}

#[test]
fn what_is_held_is_let_go_by_a_person_alone() {
    let (plan, suspended) = sample("suspended");
    let released = spoilt(&suspended, &[("/state", json!("running"))]);
    let held = check_step(plan, &suspended, &Event::Woke, &released).unwrap_err();
    assert_eq!(held.rule, "only an operator lets a suspended saga go");
    for event in [Event::Resume(act()), Event::Abort(act())] {
        let later = spoilt(&released, &[("/deadline_ms", json!(99_999))]);
        assert_eq!(check_step(plan, &suspended, &event, &later), Ok(()));
    }
    let silent = "nothing is sent for a suspended saga";
    regresses("suspended", &Event::Woke, &[("/steps/2", step("running"))], silent);
    let deadline = "a deadline moves only by what the saga was held";
    for name in ["running", "suspended", "completing"] {
        regresses(name, &Event::Woke, &[("/deadline_ms", json!(99_999))], deadline);
    }
    regresses("running", &Event::Resume(act()), &[("/deadline_ms", json!(99_999))], deadline);
}

#[test]
fn what_is_known_is_never_forgotten() {
    let woke = &Event::Woke;
    regresses("completing", woke, &[("/decided_ms", json!(7_777))], "a saga is decided once");
    let other = serde_json::to_value(Failure::new(9, "OTHER", "other")).unwrap();
    regresses("compensating", woke, &[("/failure", other)], "the first reason to stop is kept");
    let known = "what is known of a step is never forgotten";
    regresses("running", woke, &[("/steps/0", step("pending"))], known);
    regresses("running", woke, &[("/steps/0", step("running"))], known);
    regresses("completing", woke, &[("/steps/1", step("compensating"))], known);
    regresses("compensated", &Event::Woke, &[("/failure", failure())], "what has ended never changes");
    let counted = "attempts are counted one by one and never back";
    regresses("running", woke, &[("/steps/1/forward", json!({"attempts": 3, "in_flight": true}))], counted);
    regresses("running", woke, &[("/steps/0/forward", json!({"attempts": 0}))], counted);
    regresses("compensating", woke, &[("/steps/0/compensation", json!({"attempts": 3, "in_flight": true}))], counted);
    let (plan, failed) = sample("arbitrating");
    let fewer = spoilt(&failed, &[("/steps/1/forward/failed", json!(0))]);
    assert_eq!(check_step(plan, &failed, woke, &fewer).unwrap_err().rule, counted);
    let (plan, mut sending) = sample("running");
    sending.set_request(StepIndex(1), Direction::Forward, b"one".to_vec());
    let other = spoilt(&sending, &[("/steps/1/forward/request", json!("cmVwbHk"))]);
    assert_eq!(check_step(plan, &sending, woke, &other).unwrap_err().rule, counted);
    regresses("running", woke, &[("/steps/0/output", json!("b3RoZXI"))], "a reply never changes");
    let forward = "nothing goes forward once the saga turned back, or before its turn";
    regresses("compensating", woke, &[("/steps/0/forward/attempts", json!(2))], forward);
    regresses("compensating", woke, &[("/steps/1/forward/attempts", json!(2))], forward);
    regresses("arbitrating", woke, &[("/steps/1/forward/attempts", json!(5))], forward);
    regresses("running", woke, &[("/steps/2", step("running"))], forward);
}

#[test]
fn an_outcome_says_what_went_wrong_if_it_is_known() {
    let failure = || Failure::new(9, "NO", "no");
    let outcomes = [
        (Outcome::Refused(failure()), Class::Refused),
        (Outcome::NotExecuted(failure()), Class::NotExecuted),
        (Outcome::InDoubt(failure()), Class::InDoubt),
        (Outcome::Contract(failure()), Class::Contract),
        (Outcome::Lie(failure()), Class::Lie),
    ];
    for (outcome, class) in outcomes {
        assert_eq!((outcome.failure(), outcome.class()), (Some(&failure()), class));
    }
    let done = Outcome::Done { output: Vec::new(), skip: Vec::new() };
    assert_eq!((done.failure(), done.class()), (None, Class::Done));
}

#[test]
fn a_step_tells_its_methods_and_a_saga_whether_it_is_open() {
    let lines = plans::CHECKOUT.steps();
    assert_eq!(lines[0].method(Direction::Forward), Some("concert/LockReservation"));
    assert_eq!(lines[0].method(Direction::Compensation), Some("concert/UnlockReservation"));
    assert_eq!((lines[3].kind, lines[3].method(Direction::Compensation)), (Kind::Pivot, None));
    for (name, open) in [("running", true), ("suspended", true), ("compensating", true), ("completed", false)] {
        let (_, saga) = sample(name);
        assert_eq!((saga.is_open(), saga.is_terminal()), (open, !open), "{name}");
    }
}
