//! `skald-sim`: runs seeds of the simulation, and shows what went wrong in one that failed.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use service_kit::clock::{Clock as _, SystemClock};
use simulator::{Kind, Mutant, Options, Totals, many, run, shrink};

/// Runs whole systems from seeds, with everything that can go wrong.
#[derive(Debug, Parser)]
struct Arguments {
    /// One seed.
    #[arg(long, conflicts_with = "seeds")]
    seed: Option<u64>,
    /// Tells what happens in it.
    #[arg(long)]
    trace: bool,
    /// A range of seeds, such as 0..20000.
    #[arg(long, value_parser = range)]
    seeds: Option<Range<u64>>,
    /// Threads.
    #[arg(long, default_value_t = 1)]
    jobs: usize,
    /// A file that gains a line about the range.
    #[arg(long)]
    ledger: Option<PathBuf>,
    /// The number of a mistake that is made on purpose.
    #[arg(long, value_parser = mutant)]
    mutant: Option<Mutant>,
}

fn range(text: &str) -> Result<Range<u64>, String> {
    let (from, to) = text.split_once("..").ok_or("must be two numbers with .. between them")?;
    let number = |text: &str| text.replace('_', "").parse::<u64>().map_err(|error| error.to_string());
    Ok(number(from)?..number(to)?)
}

fn mutant(text: &str) -> Result<Mutant, String> {
    let number = text.trim_start_matches('M').parse().map_err(|_| "must be a number from 1 to 16".to_owned())?;
    Mutant::of(number).ok_or_else(|| "must be a number from 1 to 16".to_owned())
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let options = Options { mutant: arguments.mutant, only: None, trace: arguments.trace };
    let is_clean = match (arguments.seed, arguments.seeds.clone()) {
        (Some(seed), _) => one(seed, &options),
        (None, seeds) => batch(seeds.unwrap_or(0..20_000), &arguments, &options),
    };
    if is_clean { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// One seed, made small if it fails.
fn one(seed: u64, options: &Options) -> bool {
    let report = run(seed, options);
    report.lines.iter().for_each(|line| println!("{line}"));
    println!(
        "seed {seed}: {} sagas, {} completed, {} compensated, {:.1} s, trace {:016x}",
        report.sagas,
        report.completed,
        report.compensated,
        report.elapsed_ms as f64 / 1_000.0,
        report.hash
    );
    if report.violations.is_empty() {
        return true;
    }
    report.violations.iter().for_each(|violation| println!("VIOLATION {violation}"));
    explain(seed, options);
    false
}

fn explain(seed: u64, options: &Options) {
    let Some((faults, report)) = shrink(seed, options) else { return };
    println!("\nenough for seed {seed} to fail:");
    for fault in &faults {
        println!("  {fault} [{:x}]", fault.key);
    }
    println!("\nthen it goes like this:");
    report.lines.iter().for_each(|line| println!("{line}"));
}

fn batch(seeds: Range<u64>, arguments: &Arguments, options: &Options) -> bool {
    let begin_ms = SystemClock.now_ms();
    let totals = many(seeds.clone(), arguments.jobs, options, false);
    let seconds = (SystemClock.now_ms() - begin_ms).max(1) as f64 / 1_000.0;
    show(&totals, seconds);
    if let Some(file) = &arguments.ledger
        && let Err(error) = note(file, &seeds, &totals)
    {
        println!("the ledger {} cannot be written: {error}", file.display());
    }
    for (seed, violation) in &totals.failing {
        println!("seed {seed}: {violation}\n  cargo run -p simulator --bin skald-sim -- --seed {seed} --trace");
    }
    if let Some((seed, _)) = totals.failing.first() {
        explain(*seed, options);
    }
    let missed = if seeds.end - seeds.start >= 1_000 { totals.missed() } else { Vec::new() };
    if !missed.is_empty() {
        println!("these runs prove nothing: they never met {missed:?}");
    }
    totals.violations == 0 && missed.is_empty()
}

fn show(totals: &Totals, seconds: f64) {
    let rate = totals.seeds as f64 / seconds;
    let hours = totals.elapsed_ms as f64 / 3_600_000.0;
    println!(
        "{} seeds in {seconds:.1} s ({rate:.0}/s), {} sagas ({} completed, {} compensated), {hours:.0} simulated hours",
        totals.seeds, totals.sagas, totals.completed, totals.compensated
    );
    let faults = totals.faults.iter().filter(|(kind, _)| **kind != Kind::Wish);
    let faults: Vec<_> = faults.map(|(kind, count)| format!("{} {count}", kind.name())).collect();
    println!("{}; purged {}; violations {}", faults.join(", "), totals.purged, totals.violations);
}

/// Appends what was run: commit, range, counts.
fn note(file: &Path, seeds: &Range<u64>, totals: &Totals) -> std::io::Result<()> {
    let commit = std::process::Command::new("git").args(["rev-parse", "--short", "HEAD"]).output();
    let commit = commit.map_or_else(|_| String::new(), |output| String::from_utf8_lossy(&output.stdout).trim().into());
    let faults: u64 = totals.faults.iter().filter(|(kind, _)| **kind != Kind::Wish).map(|(_, count)| count).sum();
    let by_kind: Vec<_> = totals.faults.iter().map(|(kind, count)| format!("{}={count}", kind.name())).collect();
    let mut file = OpenOptions::new().create(true).append(true).open(file)?;
    writeln!(
        file,
        "{commit} {}..{} seeds={} sagas={} completed={} compensated={} hours={:.1} faults={faults} violations={} [{}]",
        seeds.start,
        seeds.end,
        totals.seeds,
        totals.sagas,
        totals.completed,
        totals.compensated,
        totals.elapsed_ms as f64 / 3_600_000.0,
        totals.violations,
        by_kind.join(", ")
    )
}
