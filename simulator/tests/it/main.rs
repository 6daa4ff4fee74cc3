//! The simulation itself is put to the test: it repeats itself, it finds what is wrong, and it makes it small.

use simulator::{Kind, Mutant, Options, many, run, shrink};

/// The seeds within which each mistake has to be found; none where it does no harm.
const MUTANTS: &[(Mutant, Option<u64>)] = &[
    (Mutant::NoTombstone, Some(500)),
    (Mutant::ActionTwice, Some(100)),
    (Mutant::UndoTwice, Some(100)),
    (Mutant::KeyPerAttempt, Some(100)),
    (Mutant::NoFence, Some(500)),
    (Mutant::TimeoutIsFailure, Some(200)),
    (Mutant::GatewayRetries, Some(100)),
    (Mutant::UndoGivesUp, Some(500)),
    (Mutant::LocalLeases, Some(1_000)),
    (Mutant::NoStoredReply, Some(100)),
    (Mutant::EarlyAck, Some(100)),
    (Mutant::StaleStatus, Some(100)),
    (Mutant::PurgeSoon, Some(200)),
    (Mutant::RecoveryForgets, Some(2_000)),
    (Mutant::ResumeForward, None),
    (Mutant::PurgeLate, Some(4_000)),
];

/// Seeds with which a harmless mistake must do no harm.
const HARMLESS: u64 = 300;

#[test]
fn a_seed_repeats_itself_to_the_letter() {
    let options = Options { trace: true, ..Options::default() };
    for seed in 0..40 {
        let (first, second) = (run(seed, &options), run(seed, &options));
        let differs = first.lines.iter().zip(&second.lines).find(|(first, second)| first != second);
        assert_eq!(differs, None, "seed {seed}");
        assert_eq!(first.hash, second.hash, "seed {seed}");
        // Another thread has another database, and may have other addresses.
        let hash = std::thread::spawn(move || run(seed, &Options::default()).hash).join().unwrap();
        assert_eq!(first.hash, hash, "seed {seed} on another thread");
    }
}

#[test]
fn nothing_breaks_a_promise() {
    let totals = many(0..600, 2, &Options::default(), false);
    assert_eq!(totals.failing, [], "cargo run -p simulator --bin skald-sim -- --seed N --trace");
    assert_eq!(totals.missed(), [""; 0]);
    assert!(totals.completed * 5 > totals.sagas && totals.compensated * 5 > totals.sagas, "{totals:?}");
}

#[test]
fn every_mistake_is_found() {
    assert_eq!(MUTANTS.iter().map(|(mutant, _)| *mutant).collect::<Vec<_>>(), Mutant::ALL);
    for (mutant, seeds) in MUTANTS {
        let options = Options { mutant: Some(*mutant), ..Options::default() };
        let totals = many(0..seeds.unwrap_or(HARMLESS), 2, &options, true);
        match (seeds, totals.failing.first()) {
            (Some(_), Some((seed, violation))) => println!("{mutant}: seed {seed}: {violation}"),
            (Some(seeds), None) => panic!("{mutant} was not found within {seeds} seeds"),
            (None, None) => println!("{mutant}: harmless in {HARMLESS} seeds"),
            (None, Some((seed, violation))) => panic!("{mutant} does harm with seed {seed}: {violation}"),
        }
    }
}

#[test]
fn a_mistake_in_leases_harms_nothing_but_liveness() {
    let options = Options { mutant: Some(Mutant::LocalLeases), ..Options::default() };
    let totals = many(0..400, 2, &options, false);
    let unsafe_ones: Vec<_> =
        totals.failing.iter().filter(|(_, violation)| !violation.starts_with("liveness")).collect();
    assert!(unsafe_ones.is_empty(), "{unsafe_ones:?}");
}

#[test]
fn a_failing_run_is_made_small() {
    let options = Options { mutant: Some(Mutant::ActionTwice), ..Options::default() };
    let totals = many(0..100, 2, &options, true);
    let (seed, _) = totals.failing.first().expect("the mistake is found");
    let (faults, report) = shrink(*seed, &options).expect("the seed fails");
    let wishes = faults.iter().filter(|fault| fault.kind == Kind::Wish).count();
    assert!((1..=2).contains(&wishes) && faults.len() <= 4, "{faults:?}");
    assert!(!report.violations.is_empty() && !report.lines.is_empty());
}
