//! The servers that a run starts for itself: everything in one process, or each service in its own with faults before it; on
//! files or on PostgreSQL. And the look at their books afterwards.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};
use testbed::postgres::{self, DATABASE};
use tokio::task::spawn_blocking;

use crate::faults::Faults;
use crate::floor::{self, Floors};
use crate::process::Process;

mod gateway;
mod server;
mod store;

use gateway::Gateway;
use server::Server;
pub use store::Store;

/// The services that a saga calls, those first who call nobody that comes later.
pub(crate) const PARTICIPANTS: [&str; 4] = ["token", "customer", "payment", "concert"];

/// Where the tables are.
#[derive(Debug, Clone)]
pub enum Engine {
    /// A file.
    Sqlite,
    /// A PostgreSQL server of our own, with every commit on the disk.
    Private,
    /// An empty database of a server that runs already.
    Postgres(String),
}

/// What servers are made of.
#[derive(Debug, Clone)]
pub struct Makings {
    /// The binary `skald`.
    pub skald: PathBuf,
    /// Where databases lie, each in a directory of its own.
    pub directory: PathBuf,
    /// Where the tables are.
    pub engine: Engine,
}

/// Which processes there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Shape {
    /// Everything in one.
    One,
    /// Each service in its own, with faults between it and so many orchestrators.
    Apart {
        /// Orchestrators; more than one takes PostgreSQL.
        replicas: usize,
    },
}

/// A Skald that runs.
#[derive(Debug)]
pub struct System {
    /// Where its tables are.
    pub store: Store,
    /// Switches what happens to calls to participants, where these are apart.
    pub faults: Option<Faults>,
    /// Those that drive sagas.
    coordinators: Vec<Server>,
    services: Vec<(&'static str, Server)>,
    gateways: Vec<Gateway>,
    /// Those outside it, which end with it.
    outside: Vec<Process>,
}

impl Makings {
    /// Starts everything; `settings` go to those who drive sagas.
    ///
    /// # Errors
    /// When something does not start.
    pub async fn start(&self, name: &str, shape: Shape, settings: &[String]) -> Result<System> {
        let store = self.store(name).await?;
        match shape {
            Shape::One => {
                let server = Server::start(store.clone(), "up", settings.to_vec(), 0)?;
                let (services, gateways) = (Vec::new(), Vec::new());
                Ok(System { store, faults: None, coordinators: vec![server], services, gateways, outside: Vec::new() })
            }
            Shape::Apart { replicas } => System::apart(store, &vec![0; replicas], settings).await,
        }
    }

    /// The same, where the clocks of those who drive sagas are off by so many seconds.
    ///
    /// # Errors
    /// When something does not start, or clocks cannot be set off here.
    pub async fn start_skewed(&self, name: &str, clocks: &[i64]) -> Result<System> {
        System::apart(self.store(name).await?, clocks, &[]).await
    }

    /// A stand-in for a processor of cards, and the setting that leads a server there.
    ///
    /// # Errors
    /// When it does not start.
    pub fn processor(&self) -> Result<(Process, String)> {
        let processor = Process::start(&self.skald, ["outside", "processor", "--listen", "127.0.0.1:0"])?;
        let setting = format!("payment.processor={}", processor.address);
        Ok((processor, setting))
    }

    /// What the machine can do at best, on the disk and with the engine that servers will have.
    ///
    /// # Errors
    /// When something cannot be measured here.
    pub async fn floors(&self) -> Result<Floors> {
        std::fs::create_dir_all(&self.directory)
            .with_context(|| format!("cannot make {}", self.directory.display()))?;
        let store = self.store("floors").await?;
        floor::floors(&self.directory, store.url()).await
    }

    /// What is said of the engine in a report.
    pub fn engine_name(&self) -> &'static str {
        match self.engine {
            Engine::Sqlite => "SQLite",
            Engine::Private => "PostgreSQL, of its own",
            Engine::Postgres(_) => "PostgreSQL",
        }
    }

    async fn store(&self, name: &str) -> Result<Store> {
        let server = match &self.engine {
            Engine::Sqlite | Engine::Postgres(_) => None,
            Engine::Private => Some(Arc::new(spawn_blocking(private).await??)),
        };
        let url = match &self.engine {
            Engine::Sqlite => None,
            Engine::Postgres(url) => Some(url.clone()),
            Engine::Private => server.as_ref().map(|server| server.url(DATABASE)),
        };
        Ok(Store { skald: self.skald.clone(), directory: self.directory.join(name), url, _server: server })
    }
}

/// A server as one would run it: no commit is lost by a crash.
fn private() -> Result<postgres::Server> {
    let options = postgres::Options { fsync: true, max_connections: 200, ..postgres::Options::default() };
    let options = options.with("shared_buffers", "256MB").with("autovacuum", "on").with("max_wal_size", "2GB");
    postgres::Server::start(options)
}

impl System {
    /// With one orchestrator for each clock.
    async fn apart(store: Store, clocks: &[i64], settings: &[String]) -> Result<Self> {
        ensure!(clocks.len() == 1 || store.url.is_some(), "several orchestrators take PostgreSQL: --engine postgres");
        let faults = Faults::new(1);
        let (mut services, mut gateways, mut peers) = (Vec::new(), Vec::new(), settings.to_vec());
        for service in PARTICIPANTS {
            // Only the concert service calls another one, for the keys of the waiting room.
            let token = services.first().filter(|_| service == "concert");
            let own = token.map(|(_, token): &(_, Server)| format!("peers.token={}", token.address()));
            let server = Server::start(store.clone(), service, own.into_iter().collect(), 0)?;
            let gateway = Gateway::start(&server.address(), faults.layer(service)).await?;
            peers.push(format!("peers.{service}={}", gateway.address));
            gateways.push(gateway);
            services.push((service, server));
        }
        let start = |off: &i64| Server::start(store.clone(), "orchestrator", peers.clone(), *off);
        let coordinators = clocks.iter().map(start).collect::<Result<_>>()?;
        Ok(Self { store, faults: Some(faults), coordinators, services, gateways, outside: Vec::new() })
    }

    /// Ends with the system.
    pub fn keep(&mut self, outside: Process) {
        self.outside.push(outside);
    }

    /// Where customers find everybody, as `loadtest checkout --target` takes it.
    pub fn target(&self) -> String {
        self.addresses(self.services.iter().map(|(service, server)| (*service, server.address())))
    }

    /// The same, with the services behind the faults that the orchestrator meets on its way to them.
    pub fn faulty_target(&self) -> String {
        let gateways = self.services.iter().zip(&self.gateways);
        self.addresses(gateways.map(|((service, _), gateway)| (*service, gateway.address.clone())))
    }

    fn addresses(&self, services: impl Iterator<Item = (&'static str, String)>) -> String {
        let coordinators = self.coordinators.iter().map(Server::address);
        coordinators
            .chain(services.map(|(service, address)| format!("{service}={address}")))
            .collect::<Vec<_>>()
            .join(",")
    }

    /// The numbers of all processes that run.
    pub fn pids(&self) -> Vec<u32> {
        let services = self.services.iter().map(|(_, server)| server);
        self.coordinators.iter().chain(services).filter_map(Server::pid).collect()
    }

    /// How many drive sagas.
    pub fn coordinators(&self) -> usize {
        self.coordinators.len()
    }

    /// `kill -9` of one that drives sagas.
    ///
    /// # Errors
    /// When it does not run, or cannot be killed.
    pub fn kill(&mut self, number: usize) -> Result<()> {
        self.coordinator(number)?.kill()
    }

    /// Brings it back to where it was, over the same tables.
    ///
    /// # Errors
    /// When it does not start.
    pub fn restart(&mut self, number: usize) -> Result<()> {
        self.coordinator(number)?.restart()
    }

    /// Ends one that drives sagas in good order, and starts another in its place: of another version, if there is one.
    ///
    /// # Errors
    /// When it ends otherwise, or does not start.
    pub fn replace(&mut self, number: usize, next: Option<&Path>) -> Result<()> {
        let server = self.coordinator(number)?;
        server.end()?;
        if let Some(next) = next {
            server.become_another(next);
        }
        server.restart()
    }

    fn coordinator(&mut self, number: usize) -> Result<&mut Server> {
        self.coordinators.get_mut(number).context("there are not so many orchestrators")
    }

    /// Ends everything in good order; tells where the tables are, and how many commits they took, if that is known.
    ///
    /// # Errors
    /// When a process ends otherwise.
    pub fn end(mut self) -> Result<(Store, Option<u64>)> {
        let mut commits = None;
        let services = self.services.iter_mut().map(|(_, server)| server);
        for server in self.coordinators.iter_mut().chain(services) {
            let said = server.end()?;
            let count = |line: &String| line.strip_suffix(" commits")?.rsplit_once(' ')?.1.parse::<u64>().ok();
            commits = said.iter().find_map(count).or(commits);
        }
        Ok((self.store, commits))
    }
}
