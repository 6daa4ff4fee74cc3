//! The crash matrix: the whole system as one real process over a real database dies at every named point, with every step
//! and in both directions, and the next life must find everything in order: nothing that was acknowledged is gone, nothing
//! stays open, every book balances. And the same when the machine loses its power (`power`).

mod cases;
mod child;
mod history;
mod life;
mod matrix;
mod power;
mod run;
mod shop;
mod stories;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    role: Option<Role>,
    #[command(flatten)]
    run: run::Run,
}

#[derive(Subcommand)]
enum Role {
    /// The process that dies; the matrix starts it.
    #[command(hide = true)]
    Up(service_kit::process::Arguments),
    /// Cuts the power under load, again and again.
    Power(power::Run),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let done = match arguments.role {
        Some(Role::Up(arguments)) => child::run(&arguments),
        Some(Role::Power(arguments)) => power::run(&arguments),
        None => run::run(&arguments.run),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
