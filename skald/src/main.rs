//! The `skald` binary: reads its arguments and hands over.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use clap::{Args, CommandFactory as _, Parser, Subcommand};
use service_kit::config::{self, EXIT_USAGE};
use service_kit::{serve, telemetry};
use skald::settings::Settings;
use skald::{checkout, demo, sagas, up, verify};

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
/// Start with `skald demo`, which runs everything and shows it. `skald up` runs everything for real, on one SQLite file.
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
    /// Run everything in this process, on one SQLite file and one port.
    #[command(after_help = "Settings come from defaults, then --config, then variables such as\n\
        SKALD_ORCHESTRATOR__UNDECIDED_MS (two underscores for each dot), then --set.\n\
        Examples:\n  skald up\n  skald up --listen 127.0.0.1:8080 --data-dir /var/lib/skald\n  \
        skald up --set orchestrator.undecided_ms=10000\n  skald up --print-config")]
    Up(Up),
    /// Open a concert, send thousands of checkouts with customers and messages that go astray, and check the books.
    Demo(DemoArguments),
    /// Place one checkout; without arguments, for a customer and a seat made up on the spot.
    Checkout {
        #[command(flatten)]
        order: checkout::Order,
        #[command(flatten)]
        server: Address,
    },
    /// Look at sagas.
    Saga {
        #[command(subcommand)]
        command: sagas::Command,
        #[command(flatten)]
        server: Address,
    },
    /// Check every invariant over a data directory, reading only; exits with 1 when one is violated, with 2 when
    /// it cannot look.
    Verify {
        /// The directory that `skald up` keeps its data in; it may be running.
        #[arg(long, default_value = "skald-data")]
        data_dir: PathBuf,
    },
    /// Print a completion script for a shell.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
}

#[derive(Args)]
struct Address {
    /// Where Skald listens.
    #[arg(long, global = true, env = "SKALD_ADDRESS", default_value = "http://127.0.0.1:7070")]
    address: String,
}

#[derive(Args)]
struct Up {
    #[command(flatten)]
    settings: SettingsArguments,
    /// Print the settings that would be used, as TOML, and end.
    #[arg(long)]
    print_config: bool,
}

#[derive(Args)]
struct SettingsArguments {
    /// A TOML file with settings.
    #[arg(long)]
    config: Option<PathBuf>,
    /// Address and port to listen on [default: 127.0.0.1:7070].
    #[arg(long)]
    listen: Option<String>,
    /// Directory of the database [default: skald-data].
    #[arg(long)]
    data_dir: Option<String>,
    /// One setting, as key=value; may be repeated.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    set: Vec<String>,
}

#[derive(Args)]
struct DemoArguments {
    #[command(flatten)]
    settings: SettingsArguments,
    #[command(flatten)]
    demo: demo::Options,
}

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        // Also when help was asked for, which is no failure.
        Err(problem) => {
            let said = problem.print();
            return ExitCode::from(if problem.use_stderr() || said.is_err() { EXIT_USAGE } else { 0 });
        }
    };
    let runtime = match runtime() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&anyhow::Error::new(error)),
    };
    runtime.block_on(run(arguments)).unwrap_or_else(|error| fail(&error))
}

/// One thread fewer than there are cores: the database's writer has one to itself.
fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get);
    tokio::runtime::Builder::new_multi_thread().worker_threads(cores.saturating_sub(1).max(1)).enable_all().build()
}

fn fail(error: &anyhow::Error) -> ExitCode {
    eprintln!("error: {error:#}");
    let is_usage = error.is::<config::Error>() || error.is::<telemetry::Error>();
    ExitCode::from(if is_usage { EXIT_USAGE } else { EXIT_FOUND })
}

async fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let as_json = arguments.json;
    match arguments.command {
        Command::Up(up) => run_up(up).await?,
        Command::Demo(DemoArguments { settings, demo }) => {
            let settings = load(settings)?;
            telemetry::init(settings.server.log_format, Some("error"))?;
            return Ok(found(!demo::run(settings, demo, as_json).await?));
        }
        Command::Checkout { order, server } => checkout::run(order, &server.address, as_json).await?,
        Command::Saga { command, server } => sagas::run(command, &server.address, as_json).await?,
        Command::Verify { data_dir } => {
            let report = match verify::data_dir(&data_dir).await {
                Ok(report) => report,
                Err(error) => {
                    eprintln!("error: {error:#}");
                    return Ok(ExitCode::from(EXIT_UNREADABLE));
                }
            };
            if as_json {
                println!("{:#}", report.json());
            } else {
                println!("{report}");
            }
            return Ok(found(!report.is_clean()));
        }
        Command::Completions { shell } => {
            clap_complete::generate(shell, &mut Arguments::command(), "skald", &mut std::io::stdout());
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn found(something: bool) -> ExitCode {
    ExitCode::from(if something { EXIT_FOUND } else { 0 })
}

fn load(given: SettingsArguments) -> Result<Settings, config::Error> {
    let mut overrides = given.set;
    overrides.extend(given.listen.map(|listen| format!("server.listen={listen}")));
    overrides.extend(given.data_dir.map(|data_dir| format!("server.data_dir={data_dir}")));
    let settings: Settings = config::load(given.config.as_deref(), config::environment(), &overrides)?;
    settings.check()?;
    Ok(settings)
}

async fn run_up(given: Up) -> anyhow::Result<()> {
    let settings = load(given.settings)?;
    if given.print_config {
        print!("{}", config::print(&settings)?);
        return Ok(());
    }
    telemetry::init(settings.server.log_format, Some(&settings.server.log))?;
    let data_dir = settings.server.data_dir.clone();
    // Before it says that it is up: whoever stops it from then on can count on the hand-over.
    let stopped = serve::shutdown_signal().context("cannot listen for signals")?;
    let running = up::start(settings, Box::new(|_, participant| participant)).await?;
    println!("gRPC and status page: http://{}", running.address);
    println!("data: {data_dir}");
    println!("Ctrl-C ends it; what is under way then goes on at the next start.");
    tokio::select! {
        () = stopped => {}
        () = running.fails() => bail!("a commit failed and nobody knows what the disk holds; see the log, then start again"),
    }
    println!("shutting down");
    let stats = running.db.stats();
    running.shut_down().await?;
    println!("{} commands in {} commits", stats.units, stats.commits);
    Ok(())
}
