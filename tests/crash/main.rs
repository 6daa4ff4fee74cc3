//! The crash matrix: the whole system as one real process over a real database dies at every named point, with every step
//! and in both directions, and the next life must find everything in order: nothing that was acknowledged is gone, nothing
//! stays open, every book balances. And the same when the machine loses its power (`power`).

mod cases;
mod child;
mod history;
mod life;
mod matrix;
mod power;
mod shop;
mod stories;

use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use clap::{Parser, Subcommand};
use service_kit::clock::Stopwatch;

use cases::Case;
use matrix::{Engine, Matrix};

#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    role: Option<Role>,
    #[command(flatten)]
    run: Run,
}

#[derive(Subcommand)]
enum Role {
    /// The process that dies; the matrix starts it.
    #[command(hide = true)]
    Up(service_kit::process::Arguments),
    /// Cuts the power under load, again and again.
    Power(power::Run),
}

#[derive(clap::Args)]
struct Run {
    /// The engine; both if none is named.
    #[arg(long)]
    engine: Option<Engine>,
    /// Only points whose names begin so, with step and direction if wanted.
    #[arg(long, default_value = "")]
    point: String,
    /// What the order, and with a budget the choice, of deaths follows from.
    #[arg(long)]
    seed: Option<u64>,
    /// Seconds for all engines together; all cases, however long it takes, if none is given.
    #[arg(long)]
    budget: Option<u64>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let done = match arguments.role {
        Some(Role::Up(arguments)) => child::run(&arguments),
        Some(Role::Power(arguments)) => power::run(&arguments),
        None => run(&arguments.run),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn run(run: &Run) -> Result<()> {
    let seed = run.seed.unwrap_or_else(|| fastrand::u64(..1_000_000));
    let engines = run.engine.map_or(vec![Engine::Sqlite, Engine::Postgres], |engine| vec![engine]);
    let share_ms = run.budget.map(|seconds| i64::try_from(seconds * 1_000).unwrap_or(i64::MAX) / engines.len() as i64);
    for engine in engines {
        let directory = tempfile::tempdir()?;
        let mut cases = cases::all();
        cases.retain(|case| case.point.starts_with(&run.point));
        fastrand::Rng::with_seed(seed).shuffle(&mut cases);
        println!("{engine:?}: {} cases, seed {seed}", cases.len());
        let watch = Stopwatch::start();
        let mut matrix = Matrix::new(engine, directory.path(), seed).await?;
        let mut failed = Vec::new();
        let mut count = 0;
        for case in &cases {
            if share_ms.is_some_and(|share_ms| watch.elapsed_ms() > share_ms) {
                break;
            }
            count += 1;
            if let Err(error) = matrix.run(case).await {
                eprintln!("FAILED {}\n{error:#}", again(engine, case, seed));
                failed.push(case.clone());
                // What one death has spoiled is not held against the others.
                matrix = Matrix::new(engine, tempfile::tempdir()?.keep().as_path(), seed + count).await?;
            }
        }
        let points = matrix.deaths.len();
        let (requests, completed, compensated) = matrix.end().await.context("at the end")?;
        println!(
            "{engine:?}: {count} deaths at {points} points in {} ms; {requests} requests, {completed} completed, \
             {compensated} compensated; {} failed",
            watch.elapsed_ms(),
            failed.len()
        );
        if !failed.is_empty() {
            bail!("{} of {count} deaths were not survived", failed.len());
        }
        if run.budget.is_none() && (completed == 0 || compensated == 0) && run.point.is_empty() {
            bail!("nothing completed, or nothing was compensated");
        }
    }
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
