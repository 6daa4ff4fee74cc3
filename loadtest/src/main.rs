//! The `loadtest` binary: reads its arguments and hands over.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

mod cli;

use cli::{checkout, floor, knee, scenario};

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
    Checkout(checkout::Arguments),
    /// Find out how many customers a second a server keeps up with, and what the machine can do at best.
    ///
    /// Raises the rate of an open model step by step until p99 is too long or too many are told something else than that
    /// they have bought. Starts a server of its own unless there is a target. Exits with 1 when an invariant is broken.
    #[command(after_help = "Examples:\n  loadtest knee\n  loadtest knee --engine postgres --html knee.html\n  \
        loadtest knee --target http://127.0.0.1:7070 --p99-ms 500,25")]
    Knee(knee::Arguments),
    /// Start servers, send customers, let something go wrong, and look at the books.
    ///
    /// Exits with 1 when an invariant is broken, or something is left that should not be.
    #[command(after_help = "Examples:\n  loadtest scenario --list\n  loadtest scenario L2 --html seats.html\n  \
        loadtest scenario participant-down --rate 200 --engine postgres\n  loadtest scenario L1 --scale 0.05")]
    Scenario(scenario::Arguments),
    /// Measure what this machine can do at best: syncs, commits, calls that do nothing.
    Floor(floor::Arguments),
}

#[tokio::main]
async fn main() -> ExitCode {
    let ended = match Arguments::parse().command {
        Command::Checkout(arguments) => arguments.run().await,
        Command::Knee(arguments) => arguments.run().await,
        Command::Scenario(arguments) => arguments.run().await,
        Command::Floor(arguments) => arguments.run().await,
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
