//! The shipped rules keep every promise in every schedule of up to three faults.

use model::{Case, Found, Rules, Search, Walked};

const FAULTS: u8 = 2;

fn walk(name: &str, orchestrators: u8, faults: u8) -> Walked {
    let case = Case::named(name).expect("a plan of the model");
    let rules = Rules { faults, orchestrators, mutant: None };
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
fn every_schedule_of_a_checkout() {
    walk("checkout", 2, FAULTS);
}
