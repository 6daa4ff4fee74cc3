//! The `skald` binary: reads its arguments and hands over.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Args, CommandFactory as _, Parser, Subcommand};
use service_kit::process;
use service_kit::{serve, telemetry};
use skald::settings::Settings;
use skald::{checkout, demo, letters, migrate, sagas, up, verify};

/// Many small messages are made and dropped on all threads; this one is built for that.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Exit code of a check that found something.
const EXIT_FOUND: u8 = 1;
/// Exit code of a check that could not look.
const EXIT_UNREADABLE: u8 = 2;

/// Skald orchestrates concert-ticket checkouts: it locks the seats, sets points aside, authorises the payment, confirms,
/// and takes everything back when one of them says no.
///
/// Start with `skald demo`, which runs everything and shows it. `skald up` runs everything for real, on one SQLite file
/// or on PostgreSQL; `skald customer` and its like run one service each.
#[derive(Parser)]
#[command(version, max_term_width = 110)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
    /// Print JSON for programs instead of text for people.
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Subcommand)]
enum Command {
    /// Run everything in this process and on one port, on one SQLite file or on PostgreSQL.
    #[command(after_help = "Settings come from defaults, then --config, then variables such as\n\
        SKALD_ORCHESTRATOR__UNDECIDED_MS (two underscores for each dot), then --set.\n\
        Examples:\n  skald up\n  skald up --listen 127.0.0.1:8080 --data-dir /var/lib/skald\n  \
        skald up --postgres postgresql://skald@127.0.0.1/skald\n  \
        skald up --set orchestrator.undecided_ms=10000\n  skald up --print-config")]
    Up(process::Arguments),
    /// Run the orchestrator alone; it finds the services by the addresses in [peers].
    Orchestrator(process::Arguments),
    /// Run the customer service alone.
    Customer(process::Arguments),
    /// Run the concert service alone; it finds the waiting room by peers.token.
    Concert(process::Arguments),
    /// Run the payment service alone.
    Payment(process::Arguments),
    /// Run the token service alone.
    Token(process::Arguments),
    /// Bring tables up to date before services start: on PostgreSQL, or in the file of `skald up`.
    Migrate {
        /// Whose tables; everybody's if none is named.
        services: Vec<migrate::Service>,
        #[command(flatten)]
        settings: process::Arguments,
    },
    /// Open a concert, send thousands of checkouts with customers and messages that go astray, and check the books.
    Demo(DemoArguments),
    /// Run a stand-in for somebody outside, as the demo does: to try cards, messages and the data platform.
    Outside {
        #[command(subcommand)]
        command: outside::Command,
    },
    /// Place one checkout; without arguments, for a customer and a seat made up on the spot.
    Checkout {
        #[command(flatten)]
        order: checkout::Order,
        #[command(flatten)]
        server: Address,
    },
    /// Look at sagas, and intervene.
    Saga {
        #[command(subcommand)]
        command: sagas::Command,
        #[command(flatten)]
        server: Address,
    },
    /// Look at events that a sink would not take, and have them offered again.
    Events {
        #[command(subcommand)]
        command: letters::Command,
    },
    /// Check every invariant over all services, reading only; exits with 1 when one is violated, with 2 when it cannot
    /// look.
    ///
    /// Looks into the schemas on PostgreSQL, into the directories of services that run on their own, or into the file of
    /// `skald up`, whichever the settings lead to; they may be running.
    Verify(Verify),
    /// Print a completion script for a shell.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
}

#[derive(Args)]
struct Verify {
    /// Everything has had time to come to an end: whatever is still open, unpublished or undelivered is told too.
    #[arg(long)]
    at_rest: bool,
    /// What clients saw, a line of JSON for each call, up to now.
    #[arg(long, value_name = "FILE")]
    history: Option<PathBuf>,
    #[command(flatten)]
    settings: process::Arguments,
}

#[derive(Args)]
struct Address {
    /// Where Skald listens.
    #[arg(long, global = true, env = "SKALD_ADDRESS", default_value = "http://127.0.0.1:7070")]
    address: String,
}

#[derive(Args)]
struct DemoArguments {
    #[command(flatten)]
    settings: process::Arguments,
    #[command(flatten)]
    demo: demo::Options,
}

fn main() -> ExitCode {
    match Arguments::try_parse() {
        Ok(arguments) => run(arguments).unwrap_or_else(|error| fail(&error)),
        Err(problem) => process::exit_code(&problem),
    }
}

fn fail(error: &anyhow::Error) -> ExitCode {
    eprintln!("error: {error:#}");
    ExitCode::from(error.downcast_ref::<process::Error>().map_or(EXIT_FOUND, process::Error::exit_code))
}

fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let as_json = arguments.json;
    match arguments.command {
        Command::Up(arguments) => {
            if let Some(settings) = arguments.settings()? {
                log(&settings, Some(&settings.server.log))?;
                process::runtime(&settings.server)?.block_on(run_up(settings))?;
            }
        }
        Command::Orchestrator(arguments) => process::run::<orchestrator::Process>(&arguments)?,
        Command::Customer(arguments) => process::run::<customer_svc::Process>(&arguments)?,
        Command::Concert(arguments) => process::run::<concert_svc::Process>(&arguments)?,
        Command::Payment(arguments) => process::run::<payment_svc::Process>(&arguments)?,
        Command::Token(arguments) => process::run::<token_svc::Process>(&arguments)?,
        Command::Demo(DemoArguments { settings, demo }) => {
            if let Some(settings) = settings.settings()? {
                log(&settings, Some("error"))?;
                let runtime = process::runtime(&settings.server)?;
                return Ok(found(!runtime.block_on(demo::run(settings, demo, as_json))?));
            }
        }
        Command::Migrate { services, settings } => {
            if let Some(settings) = settings.settings()? {
                log(&settings, Some(&settings.server.log))?;
                process::runtime(&settings.server)?.block_on(migrate::run(&settings, &services, as_json))?;
            }
        }
        Command::Outside { command } => {
            telemetry::init(telemetry::Format::default(), None)?;
            tools()?.block_on(command.run())?;
        }
        Command::Checkout { order, server } => tools()?.block_on(checkout::run(order, &server.address, as_json))?,
        Command::Saga { command, server } => tools()?.block_on(sagas::run(command, &server.address, as_json))?,
        Command::Events { command } => {
            if let Some(settings) = command.settings().settings::<Settings>()? {
                process::runtime(&settings.server)?.block_on(letters::run(command, &settings, as_json))?;
            }
        }
        Command::Verify(Verify { at_rest, history, settings }) => {
            if let Some(settings) = settings.settings::<Settings>()? {
                let checked = verify::run(&settings, at_rest, history.as_deref());
                return Ok(run_verify(process::runtime(&settings.server)?.block_on(checked), as_json));
            }
        }
        Command::Completions { shell } => {
            clap_complete::generate(shell, &mut Arguments::command(), "skald", &mut std::io::stdout());
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn log(settings: &Settings, filter: Option<&str>) -> Result<(), process::Error> {
    Ok(telemetry::init(settings.server.log_format, filter)?)
}

/// Threads for what has no settings.
fn tools() -> Result<tokio::runtime::Runtime, process::Error> {
    process::runtime(&Settings::default().server)
}

fn found(something: bool) -> ExitCode {
    ExitCode::from(if something { EXIT_FOUND } else { 0 })
}

fn run_verify(checked: anyhow::Result<verify::Report>, as_json: bool) -> ExitCode {
    let report = match checked {
        Ok(report) => report,
        Err(error) => {
            eprintln!("error: {error:#}");
            return ExitCode::from(EXIT_UNREADABLE);
        }
    };
    if as_json {
        println!("{:#}", report.json());
    } else {
        println!("{report}");
    }
    found(!report.is_clean())
}

async fn run_up(settings: Settings) -> anyhow::Result<()> {
    let place = settings.database.shown(Path::new(&settings.server.data_dir), "of each service's name");
    // Before it says that it is up: whoever stops it from then on can count on the hand-over.
    let stopped = serve::shutdown_signal().context("cannot listen for signals")?;
    let running = up::start(settings, Box::new(|_, participant| participant)).await?;
    println!("gRPC and status page: http://{}", running.address);
    println!("data: {place}");
    println!("Ctrl-C ends it; what is under way then goes on at the next start.");
    tokio::select! {
        () = stopped => {}
        () = running.fails() => return Err(process::Error::OutOfService.into()),
    }
    println!("shutting down");
    let stats = running.stats();
    running.shut_down().await?;
    println!("{} commands in {} commits", stats.units, stats.commits);
    Ok(())
}
