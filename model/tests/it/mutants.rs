//! A wrong rule does not get past the model. Each is told with its shortest schedule.

use model::{Case, Found, Mutant, Rules, Search};

/// The first case in which the mutant shows, with the fewest faults.
fn caught(mutant: Mutant, most: u8) -> Option<(&'static str, Box<Found>)> {
    (0..=most).find_map(|faults| {
        let rules = Rules { faults, orchestrators: 2, mutant: Some(mutant) };
        let shows = |case: &'static Case| Some((case.name, Search::run(case, rules).err()?));
        ["checkout", "point-charge"].into_iter().filter_map(Case::named).find_map(shows)
    })
}

#[test]
fn every_wrong_rule_is_caught_within_three_faults() {
    for mutant in Mutant::CAUGHT {
        let Some((case, found)) = caught(mutant, 3) else { panic!("{mutant:?} is not caught") };
        println!("{mutant:?} in {case}, {} faults: {}\n{}\n", found.faults, found.rule, found.schedule.join("\n"));
    }
}
