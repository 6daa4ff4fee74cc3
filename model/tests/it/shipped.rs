//! The shipped rules keep every promise in every schedule of up to three faults.

use model::{Case, Found, Rules, Search, Walked};

fn walk(name: &str, orchestrators: u8, faults: u8) -> Walked {
    let case = Case::named(name).expect("a plan of the model");
    let rules = Rules::shipped(faults, orchestrators);
    let told = |found: Box<Found>| panic!("{name}: {}\n{}", found.rule, found.schedule.join("\n"));
    let walked = Search::run(case, rules).unwrap_or_else(told);
    let (states, schedules): (usize, usize) = (walked.states.iter().sum(), walked.schedules.iter().sum());
    println!("{name}, {orchestrators} orchestrators, {faults} faults: {states} states, {schedules} schedules");
    // Nothing goes wrong by itself.
    assert!(walked.calm_rows.contains_key("completed"), "{name}: {:?}", walked.calm_rows);
    for unrest in ["arbitrating", "compensating", "compensated", "suspended"] {
        assert!(!walked.calm_rows.contains_key(unrest), "{name} without a fault: {:?}", walked.calm_rows);
        // A walk that never gets there proves nothing of it.
        assert!(walked.rows.contains_key(unrest), "{name} is never {unrest}: {:?}", walked.rows);
    }
    walked
}

#[test]
fn every_schedule_of_three_faults_in_a_checkout() {
    let walked = walk("checkout", 2, 3);
    // Every kind of fault, and what the world makes of it.
    for kind in [
        "abort",
        "adoption",
        "adoption past the deadline",
        "answer past the deadline",
        "cancel",
        "crash",
        "deadline",
        "duplicate",
        "end of the hold",
        "late arrival",
        "late write",
        "lost or late request",
        "lost or spoiled reply",
        "refusal",
        "resolve",
        "retry by hand",
        "suspend",
        "verb elsewhere",
        "take-over",
        "take-over past the deadline",
        "write found out",
        "write in doubt",
    ] {
        assert!(walked.events.contains_key(kind), "no {kind}: {:?}", walked.events);
    }
}

#[test]
fn every_schedule_of_three_faults_in_a_checkout_that_costs_nothing() {
    walk("checkout-for-free", 2, 3);
}

#[test]
fn every_schedule_of_three_faults_in_a_checkout_by_card_with_one_orchestrator() {
    let walked = walk("checkout-by-card", 1, 3);
    assert!(walked.events.contains_key("decline"), "{:?}", walked.events);
}

#[test]
fn every_schedule_of_two_faults_in_a_checkout_by_card_with_two_orchestrators() {
    walk("checkout-by-card", 2, 2);
}

#[test]
fn every_schedule_of_three_faults_in_a_cancellation() {
    walk("cancellation", 2, 3);
}

#[test]
fn every_schedule_of_three_faults_in_a_point_charge() {
    let walked = walk("point-charge", 2, 3);
    for kind in ["decline", "processor asked", "processor's answer"] {
        assert!(walked.events.contains_key(kind), "no {kind}: {:?}", walked.events);
    }
}

#[test]
fn every_schedule_of_three_faults_in_a_plan_with_groups() {
    walk("group", 2, 3);
}

/// Requests that can do nothing any more are forgotten on the way; whoever keeps them meets the same sagas.
#[test]
fn what_is_forgotten_changes_nothing() {
    for (name, faults) in [("cancellation", 3), ("point-charge", 2), ("group", 2)] {
        let case = Case::named(name).expect("a plan of the model");
        let rules = Rules::shipped(faults, 2);
        let short = walk(name, 2, faults);
        let whole = Search::run(case, Rules { keeps_all: true, ..rules }).expect("nothing is broken either way");
        assert!(whole.states.iter().sum::<usize>() > short.states.iter().sum(), "{name}: nothing is forgotten");
        assert_eq!((short.sagas, short.decisions), (whole.sagas, whole.decisions), "{name}");
    }
}
