//! A wrong rule does not get past the model. Each is told with its shortest schedule.

use model::{Case, Found, Mutant, Rules, Search};

const FAULTS: u8 = 3;

/// The first plan in which the mutant shows with so many faults.
fn caught(mutant: Mutant, faults: u8) -> Option<(&'static str, Box<Found>)> {
    let rules = Rules::with(mutant, faults, 2);
    let shows = |case: &'static Case| Some((case.name, Search::run(case, rules).err()?));
    ["cancellation", "checkout", "point-charge"].into_iter().filter_map(Case::named).find_map(shows)
}

fn told(found: &Found) -> String {
    format!("{} faults: {}\n{}\n", found.faults, found.rule, found.schedule.join("\n"))
}

#[test]
fn every_wrong_rule_is_caught_within_three_faults() {
    for mutant in Mutant::CAUGHT {
        let Some((plan, found)) = (0..=FAULTS).find_map(|faults| caught(mutant, faults)) else {
            panic!("{mutant:?} is not caught");
        };
        println!("{mutant:?} in a {plan}, {}", told(&found));
        let marked = found.schedule.iter().filter(|line| line.starts_with('!')).count();
        assert!(marked <= usize::from(found.faults), "{}", told(&found));
    }
}

#[test]
fn a_step_that_is_sent_by_hand_after_its_compensation_is_harmless() {
    for plan in ["cancellation", "point-charge", "group"] {
        let case = Case::named(plan).expect("a plan of the model");
        let rules = Rules::with(Mutant::HandSent, FAULTS, 1);
        let walked = Search::run(case, rules).unwrap_or_else(|found| panic!("{plan}, {}", told(&found)));
        assert!(walked.events["request by hand"] > 100, "{plan}: {:?}", walked.events);
    }
}
