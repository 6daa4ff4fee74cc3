//! What people and programs read: reasons are told apart, and every text says something.

use std::collections::BTreeSet;

use saga::{Act, Call, Direction, Entry, Event, Fact, Illegal, Moment, Plan, PlanError, StepIndex};
use saga::{pivot, retriable, step, together};

use crate::plans;
use crate::script::Script;

fn all_differ<T: AsRef<str>>(words: &[T]) {
    let different: BTreeSet<&str> = words.iter().map(AsRef::as_ref).collect();
    assert_eq!(different.len(), words.len());
    assert!(different.iter().all(|word| word.len() > 3 && !word.ends_with('.')), "{different:?}");
}

#[test]
fn every_refusal_has_a_reason_and_a_text_of_its_own() {
    use Illegal::{CannotSkip, Ended, InFlight, NeverSent, NoSuchStep, Nothing, OtherPlan, PastPivot};
    use Illegal::{PivotByHand, Stale, Suspended, Unresolvable};
    let all = [
        Nothing,
        Stale,
        NeverSent,
        NoSuchStep,
        OtherPlan,
        CannotSkip,
        Ended,
        PastPivot,
        Suspended,
        InFlight,
        PivotByHand,
        Unresolvable,
    ];
    all_differ(&all.map(|illegal| illegal.to_string()));
    let reasons = all.map(Illegal::reason);
    all_differ(&reasons);
    assert!(reasons.iter().all(|reason| reason.chars().all(|letter| letter.is_ascii_uppercase() || letter == '_')));
    assert_eq!(PastPivot.reason(), "PAST_PIVOT");
}

#[test]
fn every_problem_of_a_plan_names_the_step() {
    let all = [
        PlanError::DuplicateId("a"),
        PlanError::BadMethod("a"),
        PlanError::NoBudget("a"),
        PlanError::NoCompensation("a"),
        PlanError::TwoPivots("a"),
        PlanError::PivotNotAlone("a"),
        PlanError::CannotBeCompensated("a"),
        PlanError::CanBeRefused("a"),
        PlanError::NoArbiter("a"),
        PlanError::ArbiterElsewhere("a"),
    ];
    let texts = all.map(|problem| problem.to_string());
    all_differ(&texts);
    assert!(texts.iter().all(|text| text.contains('a')));
    assert!(!PlanError::Empty.to_string().is_empty());
}

#[test]
fn facts_tell_what_they_are_about() {
    let call = Call { step: StepIndex(1), direction: Direction::Forward, attempt: 1 };
    for (fact, name, call, step) in [
        (Fact::Started, "started", None, None),
        (Fact::Skipped(StepIndex(2)), "skipped", None, Some(StepIndex(2))),
        (Fact::Intended(call), "intended", Some(call), Some(StepIndex(1))),
        (Fact::Abandoned(call), "abandoned", Some(call), Some(StepIndex(1))),
        (Fact::Adopted, "adopted", None, None),
        (Fact::Alarm(call), "alarm", Some(call), Some(StepIndex(1))),
    ] {
        assert_eq!((fact.name(), fact.call(), fact.step()), (name, call, step));
    }
    let at = Moment { now_ms: 9, jitter: 9 };
    let script = Script::start("charge", "").until("do capture");
    let act = Act { by: "operator".into(), reason: "because".into() };
    let decision = saga::decide(script.plan, &script.saga, &Event::Suspend(act), at).unwrap();
    let names: Vec<_> = decision.facts.iter().map(Fact::name).collect();
    assert!(names.contains(&"intervened") && names.contains(&"turned"), "{names:?}");
}

/// Plans are built when the program is; this one when it runs, and is the same.
#[test]
fn a_plan_is_what_its_table_says() {
    let side_by_side: &'static [Entry] = Box::leak(Box::new([retriable("c", "x/C"), retriable("d", "y/D").budget(7)]));
    let entries = [
        step("a", "x/A", "x/UndoA").budget(2),
        step("b", "y/B", "y/UndoB").forgets_refusals(),
        pivot("p", "x/P").arbiter("a", "P_DONE"),
        together(side_by_side),
    ];
    let plan = Plan::new("made", 3, &entries);
    assert_eq!(plan.check(), Ok(()));
    assert_eq!((plan.kind, plan.version), ("made", 3));
    let lines: Vec<_> =
        plan.steps().iter().map(|line| (line.id, line.stage, line.budget, line.keeps_refusals)).collect();
    let usual = plans::CHARGE.steps()[0].budget;
    let expected =
        [("a", 0, 2, true), ("b", 1, usual, false), ("p", 2, usual, true), ("c", 3, usual, true), ("d", 3, 7, true)];
    assert_eq!(lines, expected);
    assert_eq!((plan.find("p"), plan.pivot()), (Some(StepIndex(2)), Some(StepIndex(2))));
    assert_eq!((plan.find("z"), plan.step(StepIndex(9)).is_none()), (None, true));
    assert_eq!(plan.arbiter(), Some((StepIndex(0), "P_DONE")));
}
