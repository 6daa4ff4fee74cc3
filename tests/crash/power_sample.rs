//! A few losses of power. Hundreds: `cargo run -p skald-tests --bin crash-matrix -- power`.
//!
//! Without the test harness, which knows no test that finds out by itself that it cannot be run: one that was not run must
//! not count as passed.

use std::process::{Command, ExitCode};

/// What the command exits with where no disk can be mounted.
const NOT_RUN: i32 = 77;
const NAME: &str = "losses_of_power_lose_nothing_that_was_acknowledged";

fn main() -> ExitCode {
    let mut power = Command::new(env!("CARGO_BIN_EXE_crash-matrix"));
    let status = power.args(["power", "--budget", "25"]).status();
    match status.map(|status| status.code()) {
        Ok(Some(0)) => {
            println!("test {NAME} ... ok\n\ntest result: ok. 1 passed; 0 failed; 0 ignored");
            ExitCode::SUCCESS
        }
        Ok(Some(NOT_RUN)) => {
            println!("test {NAME} ... ignored, NOT RUN: needs /dev/fuse and the right to mount");
            println!("\ntest result: ok. 0 passed; 0 failed; 1 ignored");
            ExitCode::SUCCESS
        }
        other => {
            println!("test {NAME} ... FAILED: {other:?}\n\ntest result: FAILED. 0 passed; 1 failed; 0 ignored");
            ExitCode::FAILURE
        }
    }
}
