//! Which plans are refused.

use saga::{Plan, PlanError, pivot, retriable, step, together};

use crate::plans;

#[test]
fn the_plans_of_the_tests_are_sound() {
    for plan in plans::ALL {
        assert_eq!(plan.check(), Ok(()), "{}", plan.kind);
    }
}

#[test]
fn a_plan_lays_its_steps_out_in_stages() {
    let stages: Vec<usize> = plans::CHECKOUT.steps().iter().map(|step| step.stage).collect();
    assert_eq!(stages, [0, 1, 2, 3, 4, 4, 4]);
    assert_eq!(plans::CHECKOUT.find("confirm-reservation"), plans::CHECKOUT.pivot());
    assert_eq!(plans::CHECKOUT.arbiter(), Some((saga::StepIndex(0), "RESERVATION_CONFIRMED")));
    assert_eq!(plans::CHECKOUT.steps()[1].participant(), "customer");
}

#[test]
fn a_plan_that_cannot_keep_its_promise_is_refused() {
    const A: saga::Entry = step("a", "x/A", "x/UndoA");
    const P: saga::Entry = pivot("p", "x/P").arbiter("a", "P_DONE");
    const R: saga::Entry = retriable("r", "x/R");
    const CASES: &[(&[saga::Entry], PlanError)] = &[
        (&[], PlanError::Empty),
        (&[A, A], PlanError::DuplicateId("a")),
        (&[A, P, retriable("a", "x/R")], PlanError::DuplicateId("a")),
        (&[step("a", "A", "x/UndoA")], PlanError::BadMethod("a")),
        (&[step("a", "x/A", "/UndoA")], PlanError::BadMethod("a")),
        (&[retriable("r", "x/y/z")], PlanError::BadMethod("r")),
        (&[A.budget(0)], PlanError::NoBudget("a")),
        (&[step("a", "x/A", "y/UndoA")], PlanError::NoCompensation("a")),
        (&[A, P, pivot("q", "x/Q").arbiter("a", "Q")], PlanError::TwoPivots("q")),
        (&[together(&[A, P])], PlanError::PivotNotAlone("a")),
        (&[A, together(&[P, R])], PlanError::CannotBeCompensated("r")),
        (&[together(&[A, R])], PlanError::CannotBeCompensated("r")),
        (&[R, A, P], PlanError::CanBeRefused("a")),
        (&[R, P], PlanError::CannotBeCompensated("r")),
        (&[A, P, step("b", "x/B", "x/UndoB")], PlanError::CanBeRefused("b")),
        (&[A, pivot("p", "x/P")], PlanError::NoArbiter("p")),
        (&[A, pivot("p", "x/P").arbiter("z", "P_DONE")], PlanError::NoArbiter("p")),
        (&[A, pivot("p", "x/P").arbiter("r", "P_DONE"), R], PlanError::NoArbiter("p")),
        (&[A, pivot("p", "y/P").arbiter("a", "P_DONE")], PlanError::ArbiterElsewhere("p")),
    ];
    for (entries, error) in CASES {
        assert_eq!(Plan::new("bad", 1, entries).check(), Err(*error), "{error}");
    }
}
