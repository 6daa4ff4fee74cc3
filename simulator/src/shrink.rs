//! Makes a failing run small: leaves out whatever it fails without, wishes of customers included. What remains is needed.

use std::collections::BTreeSet;

use crate::faults::Fault;
use crate::run::{Options, Report, run};

/// Most runs that are spent on it.
const MOST_RUNS: usize = 3_000;

/// The smallest set of faults found with which the seed fails, and the run with it, told line by line.
pub fn shrink(seed: u64, options: &Options) -> Option<(Vec<Fault>, Report)> {
    let first = run(seed, options);
    if first.violations.is_empty() {
        return None;
    }
    let mut faults = first.fired;
    let mut runs = 0;
    let mut fails = |faults: &[Fault]| {
        runs += 1;
        runs <= MOST_RUNS && !run(seed, &with(options, faults, false)).violations.is_empty()
    };
    let mut parts = 2;
    while faults.len() > 1 {
        let size = faults.len().div_ceil(parts);
        let without = |part: usize| -> Vec<Fault> {
            let left_out = part * size..(part + 1) * size;
            let kept = faults.iter().enumerate().filter(|(place, _)| !left_out.contains(place));
            kept.map(|(_, fault)| *fault).collect()
        };
        if let Some(smaller) = (0..parts).map(without).find(|smaller| smaller.len() < faults.len() && fails(smaller)) {
            faults = smaller;
            parts = (parts - 1).max(2);
        } else if size == 1 {
            break;
        } else {
            parts = (parts * 2).min(faults.len());
        }
    }
    let report = run(seed, &with(options, &faults, true));
    // Others may have been allowed that never came up.
    let fired = report.fired.clone();
    Some((fired, report))
}

fn with(options: &Options, faults: &[Fault], trace: bool) -> Options {
    let only: BTreeSet<u64> = faults.iter().map(|fault| fault.key).collect();
    Options { only: Some(only), trace, ..options.clone() }
}
