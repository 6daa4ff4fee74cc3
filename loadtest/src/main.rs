//! The `loadtest` binary: reads its arguments and hands over.

use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, Parser, Subcommand, ValueEnum};
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
    let Command::Checkout(arguments) = Arguments::parse().command;
    match checkout(arguments).await {
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
