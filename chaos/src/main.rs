//! The `skald-chaos` binary: reads its arguments, finds the `skald` binary and hands over.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Result, bail};
use chaos::network::{Carrier, Network};
use chaos::schedule::Kind;
use chaos::who::Cast;
use chaos::{Settings, binary, run};
use clap::Parser;

/// Lets everything fail that can, under a Skald of several processes, and checks that no promise is broken.
///
/// Exits with 1 when one is, or when the run proves nothing.
#[derive(Parser)]
#[command(version, max_term_width = 110)]
struct Arguments {
    /// How long, in seconds.
    #[arg(long, default_value_t = 100)]
    seconds: u64,
    /// The same seed lets the same things fail at the same times.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// What the system consists of.
    #[arg(long, value_enum, default_value_t = Cast::Apart)]
    cast: Cast,
    /// What may fail, with commas between; without it, all that needs nothing special.
    #[arg(long, value_enum, value_delimiter = ',')]
    faults: Vec<Kind>,
    /// What processes reach each other by; without it, namespaces where they can be made.
    #[arg(long, value_enum)]
    network: Option<Carrier>,
    /// The `skald` binary; without it the one beside this program.
    #[arg(long)]
    skald: Option<PathBuf>,
    /// Print what will fail, and end.
    #[arg(long)]
    plan: bool,
    /// Print JSON instead of text.
    #[arg(long)]
    json: bool,
}

fn main() -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&error.into()),
    };
    runtime.block_on(chaos(Arguments::parse())).unwrap_or_else(|error| fail(&error))
}

fn fail(error: &anyhow::Error) -> ExitCode {
    eprintln!("error: {error:#}");
    ExitCode::from(2)
}

async fn chaos(arguments: Arguments) -> Result<ExitCode> {
    let cast = arguments.cast;
    let kinds = if arguments.faults.is_empty() { Kind::usual(cast) } else { arguments.faults };
    if let Some(kind) = kinds.iter().find(|kind| !kind.fits(cast)) {
        bail!("{} needs another --cast", kind.name());
    }
    let carrier = arguments.network.unwrap_or_else(|| best(cast));
    if let Some(kind) = kinds.iter().find(|kind| kind.needs_network() && carrier == Carrier::Loopback) {
        bail!("{} needs --network namespaces", kind.name());
    }
    let settings = Settings {
        length: Duration::from_secs(arguments.seconds),
        seed: arguments.seed,
        cast,
        kinds,
        carrier,
        skald: arguments.skald.map_or_else(binary::find, |path| binary::checked(&path))?,
        next: binary::next(),
        is_loud: !arguments.json,
    };
    if arguments.plan {
        print!("{}", settings.schedule());
        return Ok(ExitCode::SUCCESS);
    }
    let report = run(&settings).await?;
    if arguments.json {
        println!("{:#}", serde_json::to_value(&report)?);
    } else {
        print!("{report}");
    }
    Ok(ExitCode::from(u8::from(!report.is_clean())))
}

/// Namespaces where they can be made.
fn best(cast: Cast) -> Carrier {
    match Network::lay(cast) {
        Ok(_) => Carrier::Namespaces,
        Err(error) => {
            eprintln!("NO NETWORK NAMESPACES: nothing that is sent will really get lost; {error:#}");
            Carrier::Loopback
        }
    }
}
