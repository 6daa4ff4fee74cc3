//! One run of the matrix: which cases, in which order, on which engines, and what it came to.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result, ensure};
use service_kit::clock::Stopwatch;
use service_kit::crash::POINTS;

use crate::cases::{self, Case};
use crate::matrix::{Engine, Matrix};

#[derive(Debug, clap::Args)]
pub(crate) struct Run {
    /// The engine; both if none is named.
    #[arg(long)]
    engine: Option<Engine>,
    /// Only points whose names begin so, with step and direction if wanted.
    #[arg(long, default_value = "")]
    point: String,
    /// What the order, and with a budget the choice, of deaths follows from.
    #[arg(long)]
    seed: Option<u64>,
    /// Seconds for all engines together, without the stories that take long; all cases, however long it takes, if none
    /// is given.
    #[arg(long)]
    budget: Option<u64>,
}

/// What happened on one engine.
#[derive(Debug, Default)]
struct Tally {
    deaths: usize,
    failed: usize,
    points: BTreeSet<String>,
    /// Requests, and how many of them completed and were compensated.
    ended: (usize, usize, usize),
}

/// Runs it.
#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
pub(crate) async fn run(run: &Run) -> Result<()> {
    let seed = run.seed.unwrap_or_else(|| fastrand::u64(..1_000_000));
    let engines = run.engine.map_or(vec![Engine::Sqlite, Engine::Postgres], |engine| vec![engine]);
    let shares = i64::try_from(engines.len()).unwrap_or(i64::MAX);
    let budget_ms = run.budget.map_or(i64::MAX, |seconds| i64::try_from(seconds * 1_000).unwrap_or(i64::MAX) / shares);
    for engine in engines {
        let cases = run.cases(engine, seed);
        println!("{engine:?}: {} cases, seed {seed}", cases.len());
        let watch = Stopwatch::start();
        let tally = deaths(engine, &cases, (seed, budget_ms)).await?;
        let (requests, completed, compensated) = tally.ended;
        println!(
            "{engine:?}: {} deaths at {} points in {} ms, {} not survived; {requests} requests, {completed} completed, \
             {compensated} compensated",
            tally.deaths,
            tally.points.len(),
            watch.elapsed_ms(),
            tally.failed
        );
        ensure!(tally.failed == 0, "{} of {} deaths were not survived", tally.failed, tally.deaths);
        if run.point.is_empty() && run.budget.is_none() {
            ensure!(completed > 0 && compensated > 0, "nothing completed, or nothing was compensated");
            reached_all(engine, &tally.points)?;
        }
    }
    Ok(())
}

impl Run {
    fn cases(&self, engine: Engine, seed: u64) -> Vec<Case> {
        let mut cases = cases::all();
        cases.retain(|case| case.point.starts_with(&self.point) && case.only.is_none_or(|only| only == engine));
        cases.retain(|case| self.budget.is_none() || !case.story.is_slow());
        fastrand::Rng::with_seed(seed).shuffle(&mut cases);
        cases
    }
}

async fn deaths(engine: Engine, cases: &[Case], (seed, budget_ms): (u64, i64)) -> Result<Tally> {
    let (watch, mut tally) = (Stopwatch::start(), Tally::default());
    let mut matrix = Matrix::new(engine, seed).await?;
    for (case, next_seed) in cases.iter().zip(seed + 1..) {
        if watch.elapsed_ms() > budget_ms {
            break;
        }
        tally.deaths += 1;
        match matrix.run(case).await {
            Ok(()) => drop(tally.points.insert(case.name().to_owned())),
            Err(error) => {
                eprintln!("FAILED {}\n{error:#}", again(engine, case, seed));
                tally.failed += 1;
                // What one death has spoiled is not held against the others.
                matrix = Matrix::new(engine, next_seed).await?;
            }
        }
    }
    tally.ended = matrix.end().await.context("at the end")?;
    Ok(tally)
}

/// A point that nothing reaches tests nothing.
fn reached_all(engine: Engine, reached: &BTreeSet<String>) -> Result<()> {
    let others = cases::all().into_iter().filter(|case| case.only.is_some_and(|only| only != engine));
    let others: BTreeSet<_> = others.map(|case| case.name().to_owned()).collect();
    let missing: Vec<_> =
        POINTS.iter().filter(|point| !reached.contains(**point) && !others.contains(**point)).collect();
    ensure!(missing.is_empty(), "nothing died at {missing:?}");
    Ok(())
}

/// The line that does it again.
fn again(engine: Engine, case: &Case, seed: u64) -> String {
    let engine = format!("{engine:?}").to_lowercase();
    format!(
        "{:?}: cargo run -p skald-tests --bin crash-matrix -- --engine {engine} --point '{}' --seed {seed}",
        case.story, case.point
    )
}
