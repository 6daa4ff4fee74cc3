//! The `loadtest` binary: reads its arguments and hands over.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, Parser, Subcommand, ValueEnum};
use loadtest::scenario::{Scenario, Stand};
use loadtest::{Load, Mix, Plan, Progress, run};

/// Many small messages are made and dropped on all threads; this one is built for that.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Puts load on a running Skald and reports what came of it.
#[derive(Parser)]
#[command(version, max_term_width = 110)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Prepare reservations, then check them out.
    ///
    /// Exits with 1 when an answer broke a promise or a saga did not end.
    #[command(after_help = "Examples:\n  loadtest checkout --checkouts 20000 --rate 2000\n  \
        loadtest checkout --checkouts 50000 --concurrency 64 --pid $(pidof skald) --json\n  \
        loadtest checkout --checkouts 3000 --rate 50 --mix failures")]
    Checkout(Checkout),
    /// Start servers, put a steady load on them beside something else, and compare.
    ///
    /// Exits with 1 when an invariant is broken, or something is left that should not be.
    #[command(
        after_help = "Examples:\n  loadtest scenario consumers\n  loadtest scenario returned --rate 100 --rounds 5"
    )]
    Scenario(Scenic),
    /// Measure what this machine can do at best: syncs, commits, calls that do nothing.
    Floor(FloorOf),
}

#[derive(Args)]
struct FloorOf {
    /// Directory on the disk that is to be measured.
    #[arg(long, default_value = ".")]
    directory: PathBuf,
    /// Address of a PostgreSQL server to be measured as well: postgresql://skald@127.0.0.1/skald
    #[arg(long)]
    postgres: Option<String>,
    /// Print JSON for programs instead of text for people.
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
struct Scenic {
    /// What goes on beside the load.
    #[arg(value_enum)]
    scenario: Scenario,
    /// The binary `skald`; the one beside this program unless it is named.
    #[arg(long)]
    skald: Option<PathBuf>,
    /// Directory for the databases; one that goes afterwards unless it is named.
    #[arg(long)]
    data_dir: Option<PathBuf>,
    /// Customers a second.
    #[arg(long, default_value = "200", value_parser = rate)]
    rate: f64,
    /// Customers of one round.
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=75_000))]
    customers: u32,
    /// Rounds alone, and as many beside it.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    rounds: u32,
    /// The same seed brings the same customers.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Print JSON for programs instead of text for people.
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
struct Checkout {
    /// Where Skald listens. Where services are processes of their own, the address of the orchestrator, or several, and
    /// those of the services: http://127.0.0.1:7070,customer=http://127.0.0.1:7071,concert=…,token=…
    #[arg(long, default_value = "http://127.0.0.1:7070")]
    target: String,
    /// How many customers come.
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..=75_000))]
    checkouts: u32,
    /// Customers a second, however long the answers take.
    #[arg(long, conflicts_with = "concurrency", value_parser = rate)]
    rate: Option<f64>,
    /// Customers at a time, each as soon as one has been answered.
    #[arg(long, default_value_t = 64)]
    concurrency: usize,
    /// How they behave.
    #[arg(long, value_enum, default_value_t = MixName::Clean)]
    mix: MixName,
    /// The same seed makes the same customers come in the same order.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Process ids of the server, with commas between, to measure their processor time.
    #[arg(long = "pid", value_delimiter = ',')]
    pids: Vec<u32>,
    /// Print JSON for programs instead of text for people.
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum MixName {
    /// Everybody simply buys.
    Clean,
    /// One in four does something else. Some wait until their holds have expired, which takes a minute.
    Failures,
}

fn rate(text: &str) -> Result<f64, String> {
    let rate: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    if (0.01..=1_000_000.0).contains(&rate) { Ok(rate) } else { Err("must be 0.01 to 1,000,000".into()) }
}

#[tokio::main]
async fn main() -> ExitCode {
    let ended = match Arguments::parse().command {
        Command::Checkout(arguments) => checkout(arguments).await,
        Command::Scenario(arguments) => scenario(arguments).await,
        Command::Floor(arguments) => floor(arguments).await,
    };
    match ended {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn checkout(arguments: Checkout) -> Result<bool> {
    let Checkout { target, checkouts, rate, concurrency, mix, seed, pids, json } = arguments;
    let load = rate.map_or(Load::Closed { concurrency }, |rate| Load::Open { rate, rush: 0 });
    let mix = match mix {
        MixName::Clean => Mix::CLEAN,
        MixName::Failures => Mix::default(),
    };
    let plan = Plan { mix, seed, pids, ..Plan::clean(checkouts as usize, load) };
    let report = run(&target, &plan, Progress::Shown, None).await?;
    if json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        println!("{report}");
    }
    Ok(report.is_clean())
}

async fn scenario(arguments: Scenic) -> Result<bool> {
    let Scenic { scenario, skald, data_dir, rate, customers, rounds, seed, json } = arguments;
    let temporary = tempfile::tempdir()?;
    let stand = Stand {
        skald: skald.map_or_else(loadtest::scenario::beside, Ok)?,
        directory: data_dir.unwrap_or_else(|| temporary.path().to_owned()),
        rate,
        customers: customers as usize,
        rounds: rounds as usize,
        seed,
    };
    let outcome = scenario.run(&stand).await?;
    if json {
        println!("{}", serde_json::to_string_pretty(&outcome)?);
    } else {
        print!("{}", outcome.text());
    }
    Ok(outcome.is_clean)
}

async fn floor(arguments: FloorOf) -> Result<bool> {
    let floors = loadtest::floors(&arguments.directory, arguments.postgres.as_deref()).await?;
    if arguments.json {
        println!("{}", serde_json::to_string_pretty(&floors)?);
    } else {
        println!("{floors}");
    }
    Ok(true)
}
