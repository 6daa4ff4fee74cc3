//! `loadtest scenario`.

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use clap::{Args, ValueEnum};
use loadtest::Progress;
use loadtest::scenario::{Scenario, Stand, find};

use super::{Output, Own, number, rate};

#[derive(Args)]
pub(crate) struct Arguments {
    /// Its number or its name, such as L2 or hot-seats.
    #[arg(required_unless_present = "list")]
    scenario: Option<String>,
    /// Tell which there are.
    #[arg(long)]
    list: bool,
    /// 1 is as large as life; at 0.01 each takes about a minute on two cores.
    #[arg(long, default_value = "0.01", value_parser = |text: &str| number(text, 0.001, 10.0))]
    scale: f64,
    /// Customers a second at the checkout: half of what `loadtest knee` finds.
    #[arg(long, default_value = "100", value_parser = rate)]
    rate: f64,
    /// The same seed brings the same customers.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// An orchestrator of another version, for the upgrade; the same one again unless it is named.
    #[arg(long, value_name = "FILE")]
    next: Option<PathBuf>,
    /// `naive`: send the same customers once more, served in the order of a monolith's one transaction, and compare.
    #[arg(long, value_enum, default_value_t = Order::Ours)]
    order: Order,
    /// Leave out what the machine can do at best, which takes a quarter of a minute.
    #[arg(long)]
    no_floors: bool,
    #[command(flatten)]
    own: Own,
    #[command(flatten)]
    output: Output,
}

#[derive(Clone, Copy, ValueEnum)]
enum Order {
    /// The orchestrator's alone.
    Ours,
    /// The naive one beside it, where customers check out.
    Naive,
}

impl Arguments {
    pub(crate) async fn run(self) -> Result<bool> {
        let Some(name) = self.scenario.as_deref().filter(|_| !self.list) else {
            for Scenario { id, name, shows, .. } in Scenario::all() {
                println!("{id:<4} {name:<20} {shows}");
            }
            println!("{:<4} {:<20} a command of its own: loadtest knee", "L3", "checkout-peak");
            return Ok(true);
        };
        let scenario =
            find(name).with_context(|| format!("there is no scenario {name}; --list tells which there are"))?;
        let (makings, _temporary) = self.own.makings()?;
        let machine = self.output.machine(&makings);
        let stand = Stand {
            makings,
            scale: self.scale,
            rate: self.rate,
            seed: self.seed,
            progress: Progress::Shown,
            naive: matches!(self.order, Order::Naive),
            next: self.next,
            floors: !self.no_floors,
        };
        let findings = scenario.run(&stand, machine).await?;
        self.output.hand_over(&findings)?;
        Ok(findings.is_clean())
    }
}
