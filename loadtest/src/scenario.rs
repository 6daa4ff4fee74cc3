//! Scenarios: servers of their own, customers, something that goes on, and what had to come of it. Each is a row of a table; in
//! the end every invariant is checked over what is left, and a broken one fails the scenario whatever its figures.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::findings::{Expected, Findings, Ours, Part};
use crate::machine::Machine;
use crate::progress::Progress;
use crate::system::Makings;
use crate::verdict::Verdict;

mod consumers;
mod crush;
mod exercise;
mod interrupt;
mod returned;
mod room;
mod rounds;
mod table;

pub use crush::Crush;
pub(crate) use exercise::falls_section;
pub use exercise::{Drilled, Drills, Fall};
pub use room::Room;
pub use rounds::Comparison;
pub use table::{Scenario, find};

/// How a scenario runs.
#[derive(Debug, Clone)]
pub struct Stand {
    /// What its servers are made of.
    pub makings: Makings,
    /// 1 is as large as life.
    pub scale: f64,
    /// Customers a second at the checkout: half of what the server keeps up with.
    pub rate: f64,
    /// The same seed brings the same customers.
    pub seed: u64,
    /// Whether somebody watches.
    pub progress: Progress,
    /// Whether the same load is served in the naive order as well.
    pub naive: bool,
    /// An orchestrator of another version, for the scenario that replaces them.
    pub next: Option<PathBuf>,
    /// Whether what the machine can do at best is measured first.
    pub floors: bool,
}

/// What a scenario has found out.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) parts: Vec<Part>,
    pub(crate) verdicts: Vec<Verdict>,
    pub(crate) expected: Vec<Expected>,
    pub(crate) ours: Option<Ours>,
    pub(crate) setting: Vec<(String, String)>,
}

impl Scenario {
    /// Goes through it, and measures what the machine can do at best first.
    ///
    /// # Errors
    /// When a server does not start, or refuses what it must not.
    pub async fn run(&self, stand: &Stand, machine: Machine) -> Result<Findings> {
        let floors = if stand.floors { Some(stand.makings.floors().await?) } else { None };
        let found = self.act.run(stand).await?;
        let mut setting = vec![
            ("scale".to_owned(), stand.scale.to_string()),
            ("customers a second".to_owned(), stand.rate.to_string()),
            ("tables in".to_owned(), stand.makings.engine_name().to_owned()),
        ];
        setting.extend(found.setting);
        Ok(Findings {
            title: format!("{} {}", self.id, self.name),
            shows: self.shows.to_owned(),
            machine,
            setting,
            seed: stand.seed,
            floors,
            ours: found.ours,
            parts: found.parts,
            verdicts: found.verdicts,
            expected: found.expected,
        })
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
