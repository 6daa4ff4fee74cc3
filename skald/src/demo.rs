//! `skald demo`: everything in one process, a load client against it over gRPC, and faults between the orchestrator and
//! its participants. Then the tables, and every invariant over what is left.

use std::path::Path;

use anyhow::{Context as _, Result};
use clap::Args;
use loadtest::{Aftermath, Faults, Plan, Progress, Report};
use orchestrator::participants::Participant;
use serde_json::json;
use service_kit::serve;
use tower::Layer as _;

mod outside;

use outside::Outside;

use crate::settings::Settings;
use crate::{up, verify};

/// How the demo runs.
#[derive(Debug, Args)]
pub struct Options {
    /// End when the tables are printed, instead of serving the status page until Ctrl-C.
    #[arg(long)]
    exit: bool,
    /// The same seed makes the same customers come and the same messages get lost.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// Runs it; tells whether every promise was kept and every invariant holds.
///
/// # Errors
/// When it cannot start, or the load client is stopped by something that is no fault of the demo's.
pub async fn run(mut settings: Settings, options: Options, as_json: bool) -> Result<bool> {
    let faults = Faults::new(options.seed);
    let between = faults.clone();
    let wrap = move |name, participant: Participant| Participant::new(between.layer(name).layer(participant));
    let place = settings.database.shown(Path::new(&settings.server.data_dir), "of each service's name");
    let outside = Outside::start(&mut settings, options.seed)?;
    let running = up::start(settings, Box::new(wrap)).await?;
    let address = format!("http://{}", running.address);
    if !as_json {
        println!("Skald runs at {address} with its data in {place}; open it in a browser and watch.");
        println!("A concert opens. Some of its customers have too few points, come too late, click twice, or go away;");
        println!("3 % of the replies get lost after the commit, and the payment service is cut off for five seconds.");
        println!(
            "Then some charge points by card and buy, some return what they bought, and a performance is cancelled.\n"
        );
    }
    let plan = Plan { seed: options.seed, ..Plan::demo() };
    let report = loadtest::run(&address, &plan, Progress::Shown, Some(&faults)).await?;
    let after = loadtest::aftermath(&loadtest::Client::connect(&address).await?, Progress::Shown).await?;
    let books = verify::check_with(&running.books(), &report.history, report.rest).await?;
    print(&report, &after, &books, as_json);
    if !options.exit {
        println!("\nEvery saga of this run: {address}  (Ctrl-C ends)");
        serve::shutdown_signal().context("cannot listen for signals")?.await;
    }
    running.shut_down().await?;
    drop(outside);
    Ok(report.is_clean() && after.is_clean() && books.is_clean())
}

fn print(report: &Report, after: &Aftermath, books: &verify::Report, as_json: bool) {
    if as_json {
        println!("{:#}", json!({ "load": report, "after": after, "verify": books.json() }));
    } else {
        println!("{report}\n\n{after}\n\n{books}");
    }
}
