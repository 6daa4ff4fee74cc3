//! `loadtest knee`.

use anyhow::Result;
use clap::Args;
use loadtest::findings::{Findings, Ours, Part};
use loadtest::knee::{Climb, climb};
use loadtest::system::{Shape, System};
use loadtest::{Client, Progress};

use super::{Output, Own, number, rate};

#[derive(Args)]
pub(crate) struct Arguments {
    /// A server that runs already, as `loadtest checkout` takes it; its books are not looked at.
    #[arg(long)]
    target: Option<String>,
    /// What 99 of 100 customers must not wait longer for, in milliseconds; a knee for each.
    #[arg(long, value_delimiter = ',', default_value = "500,25")]
    p99_ms: Vec<f64>,
    /// Percent of customers who may be told anything else than that they have bought.
    #[arg(long, default_value = "0.1", value_parser = |text: &str| number(text, 0.0, 100.0))]
    error_percent: f64,
    /// Customers a second to begin with.
    #[arg(long, default_value = "100", value_parser = rate)]
    first: f64,
    /// How long each rate is kept up.
    #[arg(long, default_value = "10", value_parser = |text: &str| number(text, 1.0, 600.0))]
    seconds: f64,
    /// A knee is known well enough when the next rate that was too much is so many times as much.
    #[arg(long, default_value = "1.1", value_parser = |text: &str| number(text, 1.01, 2.0))]
    precision: f64,
    /// The same seed brings the same customers.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Process ids of a server that runs already, to measure their processor time.
    #[arg(long = "pid", value_delimiter = ',')]
    pids: Vec<u32>,
    #[command(flatten)]
    own: Own,
    #[command(flatten)]
    output: Output,
}

impl Arguments {
    pub(crate) async fn run(self) -> Result<bool> {
        let (makings, _temporary) = self.own.makings()?;
        let machine = self.output.machine(&makings);
        let system = match &self.target {
            Some(_) => None,
            None => Some(makings.start("knee", Shape::One, &[]).await?),
        };
        let address = system.as_ref().map(System::target);
        let target = self.target.clone().or(address).unwrap_or_default();
        let pids = system.as_ref().map_or(self.pids.clone(), System::pids);
        let client = Client::connect(&target).await?;

        let floors = makings.floors().await?;
        let wanted = Climb {
            p99_ms: self.p99_ms,
            error_percent: self.error_percent,
            first: self.first,
            seconds: self.seconds,
            precision: self.precision,
            seed: self.seed,
            pids,
        };
        let knee = climb(&client, wanted, Progress::Shown).await?;

        let mut verdicts = Vec::new();
        let mut setting = vec![("target".to_owned(), self.target.unwrap_or_else(|| "its own".into()))];
        setting.push(("tables in".into(), makings.engine_name().to_owned()));
        if let Some(system) = system {
            verdicts.push(system.store.verify(true, None).await?);
            let (_, commits) = system.end()?;
            setting.extend(commits.map(|commits| ("commits in all".to_owned(), commits.to_string())));
        }
        let best = knee.found.iter().filter_map(|found| found.step.as_ref()).next();
        let ours = best.map(|step| Ours { per_second: step.completed_per_second, p50_ms: step.bought.p50_ms });
        let findings = Findings {
            title: "L3 Checkout peak".into(),
            shows: "How many customers a second the server keeps up with.".into(),
            machine,
            setting,
            seed: self.seed,
            floors: Some(floors),
            ours,
            parts: vec![Part::Knee(knee)],
            verdicts,
            expected: Vec::new(),
        };
        self.output.hand_over(&findings)?;
        Ok(findings.is_clean())
    }
}
