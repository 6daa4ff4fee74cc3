//! What the hot paths cost, in instructions, which do not depend on how busy a machine is: each work runs under callgrind, once
//! more and once less, and what lies between is its cost. `cost` compares with `tests/cost/baseline.txt` and fails when one
//! costs a tenth more; `cost --write` writes what it has counted. Counts depend on the profile: the baseline is of dev builds.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context as _, Result, bail, ensure};
use clap::Parser;

mod work;

use work::Work;

/// How much more than the baseline is still the same.
const TOLERANCE: f64 = 0.10;
/// Times that a work is done in the short and in the long run.
const TIMES: [u32; 2] = [20, 120];

/// Counts the instructions of the hot paths.
#[derive(Parser)]
struct Arguments {
    /// Make what is counted the baseline.
    #[arg(long)]
    write: bool,
    /// Do one work so often and end: what runs under callgrind.
    #[arg(long, num_args = 2, value_names = ["WORK", "TIMES"])]
    only: Option<Vec<String>>,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(2)
        }
    }
}

fn run(arguments: &Arguments) -> Result<bool> {
    if let Some([name, times]) = arguments.only.as_deref() {
        let work = Work::ALL.into_iter().find(|work| work.name() == name).context("there is no such work")?;
        work.run(times.parse()?)?;
        return Ok(true);
    }
    let counted: Result<BTreeMap<_, _>> = Work::ALL.into_iter().map(|work| Ok((work.name(), cost(work)?))).collect();
    let counted = counted?;
    if arguments.write {
        let lines = counted.iter().fold(String::new(), |mut lines, (name, cost)| {
            let _always = writeln!(lines, "{name} {cost}");
            lines
        });
        std::fs::write(baseline(), lines)?;
        return Ok(true);
    }
    let known = read(&baseline())?;
    let mut is_well = true;
    for (name, cost) in counted {
        let before = *known.get(name).with_context(|| format!("{name} has no baseline: cost --write"))?;
        let change = cost as f64 / before as f64 - 1.0;
        let verdict = if change > TOLERANCE { "TOO MUCH" } else { "ok" };
        println!("{name:<18} {cost:>10} instructions, baseline {before:>10}, {:+.1} %: {verdict}", change * 100.0);
        is_well &= change <= TOLERANCE;
    }
    Ok(is_well)
}

/// Instructions of doing it once.
fn cost(work: Work) -> Result<u64> {
    let [less, more] = TIMES;
    let (short, long) = (instructions(work, less)?, instructions(work, more)?);
    ensure!(long > short, "{} costs nothing", work.name());
    Ok((long - short) / u64::from(more - less))
}

fn instructions(work: Work, times: u32) -> Result<u64> {
    let program = std::env::current_exe()?;
    let mut callgrind = Command::new("valgrind");
    callgrind.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]).arg(program);
    let output = callgrind.args(["--only", work.name(), &times.to_string()]).output();
    let output = output.context("valgrind is needed: apt-get install valgrind")?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{} failed: {said}", work.name());
    let counted = said.lines().find_map(|line| line.split_once("Collected : "));
    let Some((_, counted)) = counted else { bail!("valgrind counted nothing: {said}") };
    Ok(counted.trim().parse()?)
}

fn baseline() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("cost/baseline.txt")
}

fn read(path: &Path) -> Result<BTreeMap<String, u64>> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let lines = text.lines().filter_map(|line| line.split_once(' '));
    lines.map(|(name, cost)| Ok((name.to_owned(), cost.parse()?))).collect()
}
