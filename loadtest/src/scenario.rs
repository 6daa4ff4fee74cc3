//! Scenarios: a server of their own, a steady load, something that goes on beside it, and what that did to the answers. In
//! the end every invariant is checked over what is left; a broken one fails the scenario whatever its figures.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};
use clap::ValueEnum;
use serde::Serialize;

use crate::process::Process;
use crate::report::Latency;

mod consumers;
mod returned;
mod rounds;

use rounds::{Comparison, Rounds};

/// One of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Scenario {
    /// A provider of messages that is slow and fails, and a data platform that is down.
    Consumers,
    /// A performance is cancelled, and what was sold of it is given back.
    Returned,
}

/// How it runs.
#[derive(Debug, Clone)]
pub struct Stand {
    /// The binary `skald`.
    pub skald: PathBuf,
    /// Where its databases lie, each in a directory of its own.
    pub directory: PathBuf,
    /// Customers a second.
    pub rate: f64,
    /// Customers of one round.
    pub customers: usize,
    /// Rounds of each kind.
    pub rounds: usize,
    /// The same seed brings the same customers.
    pub seed: u64,
}

/// What came of one.
#[derive(Debug, Clone, Serialize)]
pub struct Outcome {
    /// Which.
    pub scenario: Scenario,
    /// Customers a second.
    pub rate: f64,
    /// The load on its own, and beside what goes on.
    pub comparison: Comparison,
    /// What else was counted.
    pub counts: Vec<(String, u64)>,
    /// Whether every invariant holds, and nothing is left that should not be.
    pub is_clean: bool,
}

impl Scenario {
    /// Goes through it.
    ///
    /// # Errors
    /// When a server does not start, or refuses what it must not.
    pub async fn run(self, stand: &Stand) -> Result<Outcome> {
        match self {
            Self::Consumers => consumers::run(stand).await,
            Self::Returned => returned::run(stand).await,
        }
    }
}

impl Stand {
    fn serve(&self, name: &str, settings: &[String]) -> Result<Process> {
        let directory = self.directory.join(name);
        let mut args = vec!["up".into(), "--listen".into(), "127.0.0.1:0".into()];
        args.extend(["--data-dir".into(), directory.into_os_string()]);
        args.extend(settings.iter().flat_map(|setting| ["--set".into(), setting.into()]));
        Process::start(&self.skald, args)
    }

    /// Whether every invariant holds in a database whose server has ended.
    fn verify(&self, name: &str) -> Result<bool> {
        let mut verify = Command::new(&self.skald);
        verify.arg("verify").arg("--data-dir").arg(self.directory.join(name));
        let checked = verify.output().context("cannot run verify")?;
        if !checked.status.success() {
            eprintln!("{}", String::from_utf8_lossy(&checked.stdout));
        }
        Ok(checked.status.success())
    }
}

/// The binary beside this one.
///
/// # Errors
/// When nobody knows where this one is.
pub fn beside() -> Result<PathBuf> {
    let own = std::env::current_exe().context("cannot tell where this program is")?;
    Ok(own.parent().unwrap_or(Path::new(".")).join("skald"))
}

impl Outcome {
    /// The outcome as a table for people.
    pub fn text(&self) -> String {
        let mut text = format!("{:?} at {} customers a second\n", self.scenario, self.rate);
        text += &format!("{:<10} {:>8} {:>9} {:>9} {:>9}\n", "", "answers", "p50 ms", "p99 ms", "max ms");
        let mut row = |name: &str, latency: &Latency| {
            let Latency { count, p50_ms, p99_ms, max_ms, .. } = latency;
            text += &format!("{name:<10} {count:>8} {p50_ms:>9.2} {p99_ms:>9.2} {max_ms:>9.2}\n");
        };
        self.comparison.alone.iter().for_each(|latency| row("alone", latency));
        self.comparison.beside.iter().for_each(|latency| row("beside", latency));
        text +=
            &format!("ratio of medians: p50 {:.3}, p99 {:.3}\n", self.comparison.p50_ratio, self.comparison.p99_ratio);
        for (what, count) in &self.counts {
            text += &format!("{what}: {count}\n");
        }
        text + if self.is_clean { "every invariant holds\n" } else { "BROKEN: see above\n" }
    }
}
