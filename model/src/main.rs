//! `skald-model`: walks every schedule of so many faults through, for as long as it takes.

use std::time::Duration;

use clap::Parser;
use model::{Case, Rules, Search};

/// Walks every schedule of so many faults through.
#[derive(Debug, Parser)]
struct Args {
    /// The most faults of one schedule.
    #[arg(long, default_value_t = 3)]
    faults: u8,
    /// Only this plan.
    #[arg(long)]
    plan: Option<String>,
    /// One that dies and starts again, or two that take sagas over from each other.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=2))]
    orchestrators: u8,
}

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let names: Vec<&str> = Case::all().iter().map(|case| case.name).collect();
    if let Some(plan) = &args.plan {
        anyhow::ensure!(Case::named(plan).is_some(), "there is no plan {plan}; there are {}", names.join(", "));
    }
    let is_meant = |case: &&Case| args.plan.as_ref().is_none_or(|plan| case.name == plan);
    for case in Case::all().iter().filter(is_meant) {
        let rules = Rules::shipped(args.faults, args.orchestrators);
        walk(case, rules)?;
    }
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "people want to know how long it takes")]
fn walk(case: &'static Case, rules: Rules) -> anyhow::Result<()> {
    let begun = std::time::Instant::now();
    let walked = match Search::run(case, rules) {
        Ok(walked) => walked,
        Err(found) => anyhow::bail!("{}: {}\n{}", case.name, found.rule, found.schedule.join("\n")),
    };
    report(case, &walked, begun.elapsed());
    Ok(())
}

fn report(case: &Case, walked: &model::Walked, took: Duration) {
    let (states, schedules): (usize, usize) = (walked.states.iter().sum(), walked.schedules.iter().sum());
    println!(
        "{}: {states} states, {schedules} schedules, {} sagas, {} decisions, {:.1} s",
        case.name,
        walked.sagas,
        walked.decisions,
        took.as_secs_f64()
    );
    for (faults, (states, schedules)) in walked.states.iter().zip(&walked.schedules).enumerate() {
        println!("  {faults} faults: {states} states, {schedules} schedules");
    }
    println!("  {:?}\n  {:?}", walked.rows, walked.events);
}
