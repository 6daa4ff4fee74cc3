//! `loadtest checkout`.

use anyhow::Result;
use clap::{Args, ValueEnum};
use loadtest::findings::{Findings, Part};
use loadtest::{Load, Mix, Plan, Progress, run};

use super::{Papers, rate};

#[derive(Args)]
pub(crate) struct Arguments {
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
    #[command(flatten)]
    papers: Papers,
}

#[derive(Clone, Copy, ValueEnum)]
enum MixName {
    /// Everybody simply buys.
    Clean,
    /// One in four does something else. Some wait until their holds have expired, which takes a minute.
    Failures,
}

impl Arguments {
    pub(crate) async fn run(self) -> Result<bool> {
        let Self { target, checkouts, rate, concurrency, mix, seed, pids, json, papers } = self;
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
        let is_clean = report.is_clean();
        let machine = papers.machine(None);
        papers.write(&Findings {
            title: "Checkouts".into(),
            shows: "One load against a server that runs already.".into(),
            machine,
            setting: vec![("target".into(), target)],
            seed,
            floors: None,
            ours: None,
            parts: vec![Part::Load { name: String::new(), report: Box::new(report) }],
            verdicts: Vec::new(),
            expected: Vec::new(),
        })?;
        Ok(is_clean)
    }
}
