//! One service as a process of its own: arguments, settings, logging, database, one port, and an end in good order. A
//! program that runs several services in one process puts them together from the same pieces.
//!
//! What a process exits with: 0 when it was asked to end, 1 when something failed, 64 when its settings are wrong.

use std::future::Future;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Args as _, Command, FromArgMatches as _};
use futures_util::future::BoxFuture;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tonic::service::Routes;

use crate::clock::SystemClock;
use crate::config::{self, EXIT_USAGE};
use crate::host::Host;
use crate::ids::Ids;
use crate::serve::Served;
use crate::{db, serve, telemetry};

mod arguments;
mod database;
mod port;
mod settings;

pub use arguments::{Arguments, exit_code};
pub use database::{fails, open};
pub use port::{Port, Serving};
pub use settings::{Database, Peers, Server, ports};

/// What goes wrong below a service.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Sections that one file and one environment may have for all processes together.
const SECTIONS: [&str; 10] =
    ["server", "database", "peers", "events", "customer", "concert", "payment", "token", "orchestrator", "shards"];

/// Settings that a process can be started with.
pub trait Settings: Default + Serialize + DeserializeOwned {
    /// The process itself, and where it keeps its tables.
    fn own(&self) -> (&Server, &Database);
}

/// Settings that one service alone is started with.
pub trait Service: Settings {
    /// What it is called: its schema, its folder, its section in the settings.
    const NAME: &'static str;

    /// Starts the service in its surroundings.
    ///
    /// # Errors
    /// Why it cannot start.
    fn start(self, host: &Host) -> impl Future<Output = Result<Started, BoxError>>;
}

/// A service that has started and can be called.
pub struct Started {
    /// What it answers.
    pub grpc: Routes,
    /// The full names of its services, for health and reflection.
    pub services: Vec<&'static str>,
    /// Pages beside them.
    pub pages: Option<axum::Router>,
    /// What it does first when it is to end, while it still answers.
    pub farewell: BoxFuture<'static, Result<(), BoxError>>,
}

impl Started {
    /// A service without pages, that has nothing to do before it ends.
    pub fn new(grpc: Routes, services: &[&'static str]) -> Self {
        let farewell = Box::pin(std::future::ready(Ok(())));
        Self { grpc, services: services.to_vec(), pages: None, farewell }
    }
}

/// Why a process did not start, or not end as it should.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A setting is wrong.
    #[error(transparent)]
    Settings(#[from] config::Error),
    /// So is how to log.
    #[error(transparent)]
    Telemetry(#[from] telemetry::Error),
    /// The process may not do something that it needs.
    #[error("cannot {0}: {1}")]
    Process(&'static str, std::io::Error),
    /// The port is not to be had.
    #[error("cannot listen on {0}; choose another address with --listen: {1}")]
    Listen(String, std::io::Error),
    /// Neither is the database.
    #[error("the data of {service} ({place}) cannot be used: {error}")]
    Database {
        /// Whose.
        service: &'static str,
        /// Where, without the password.
        place: String,
        /// Why.
        error: db::Error,
    },
    /// The service itself.
    #[error("{0} cannot start: {1}")]
    Service(&'static str, BoxError),
    /// The service had something to do before its end.
    #[error("{0} did not end in good order: {1}")]
    Farewell(&'static str, BoxError),
    /// Calls cannot be served.
    #[error(transparent)]
    Serve(#[from] serve::Error),
    /// There is no way on but another start.
    #[error("a commit failed and nobody knows what the disk holds; see the log, then start again")]
    OutOfService,
}

impl Error {
    /// What the process ends with.
    pub fn exit_code(&self) -> u8 {
        if matches!(self, Self::Settings(_) | Self::Telemetry(_)) { EXIT_USAGE } else { 1 }
    }
}

/// All of the binary of that name, which runs one service.
pub fn main<S: Service>(binary: &'static str) -> ExitCode {
    let command = Command::new(binary).version(env!("CARGO_PKG_VERSION")).max_term_width(110);
    let command = Arguments::augment_args(command)
        .about(format!("The {} service of Skald, in a process of its own.", S::NAME))
        .after_help(arguments::SOURCES);
    let matches = command.try_get_matches();
    match matches.and_then(|matches| Arguments::from_arg_matches(&matches)) {
        Ok(arguments) => report(run::<S>(&arguments)),
        Err(problem) => arguments::exit_code(&problem),
    }
}

/// Says what went wrong, and what to exit with.
pub fn report(result: Result<(), Error>) -> ExitCode {
    let Err(error) = result else { return ExitCode::SUCCESS };
    eprintln!("error: {error}");
    ExitCode::from(error.exit_code())
}

/// Runs one service until it is asked to end.
///
/// # Errors
/// Why it could not, with what to do about it.
pub fn run<S: Service>(arguments: &Arguments) -> Result<(), Error> {
    let Some(settings) = arguments.settings::<S>()? else { return Ok(()) };
    telemetry::init(settings.own().0.log_format, Some(&settings.own().0.log))?;
    runtime(settings.own().0)?.block_on(live(settings))
}

/// The threads of a process.
///
/// # Errors
/// When it may have none.
pub fn runtime(server: &Server) -> Result<tokio::runtime::Runtime, Error> {
    let mut threads = tokio::runtime::Builder::new_multi_thread();
    let runtime = threads.worker_threads(server.threads()).enable_all().build();
    runtime.map_err(|error| Error::Process("start threads", error))
}

async fn live<S: Service>(settings: S) -> Result<(), Error> {
    let (server, database) = settings.own();
    let (server, database) = (server.clone(), database.clone());
    // Before it says that it listens: whoever stops it from then on can count on its good order.
    let asked = serve::shutdown_signal().map_err(|error| Error::Process("listen for signals", error))?;
    let port = Port::bind(&server.listen).await?;
    let clock = Arc::new(SystemClock);
    let db = open(&server.directory(S::NAME), (&database, S::NAME), clock.clone()).await?;
    let host = Host::new(db, clock, Ids::system());
    let started = settings.start(&host).await.map_err(|error| Error::Service(S::NAME, error))?;
    let face = if started.pages.is_some() { "gRPC and status page" } else { "gRPC" };
    let served = Served {
        grpc: started.grpc,
        services: started.services,
        http: started.pages,
        descriptors: Some(proto::FILE_DESCRIPTOR_SET),
    };
    let port = port.serve(served, server.limits.clone()).await?;
    println!("{} {face}: http://{}", S::NAME, port.address);
    println!("data: {}", database.shown(&server.directory(S::NAME), S::NAME));
    let ended = tokio::select! {
        () = asked => Ok(()),
        () = database::fails(std::slice::from_ref(&host.db)) => Err(Error::OutOfService),
    };
    // Whoever spreads calls over several of us turns to the others.
    port.health.set(false).await;
    ended?;
    println!("{} shuts down", S::NAME);
    let farewell = started.farewell.await.map_err(|error| Error::Farewell(S::NAME, error));
    port.close().await?;
    host.shut_down().await;
    farewell
}
