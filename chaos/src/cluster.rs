//! The system under test: its processes, the database that they share, and a link between every two of them that call one
//! another. Everything is on the loopback address and ends with this process, however that ends.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result};
use testbed::link::Link;
use tokio::task::spawn_blocking;

use crate::network::{Carrier, Network};
use crate::who::{Cast, Who};

pub mod clock;
mod database;
mod disk;
mod keeper;
mod part;
mod store;

pub use database::Database;
use disk::Disk;
use keeper::Keeper;
pub use part::Part;
use part::Program;
pub use store::Store;

/// A link that leads nowhere yet: nobody listens there.
const NOWHERE: &str = "127.0.0.1:1";

/// What a cluster is made of.
#[derive(Debug, Clone)]
pub struct Makings {
    /// Who is there.
    pub cast: Cast,
    /// The `skald` binary.
    pub skald: PathBuf,
    /// An orchestrator of another version, if replicas are to change theirs.
    pub next: Option<PathBuf>,
    /// Where logs are written.
    pub folder: PathBuf,
    /// Whether the clocks of processes can jump.
    pub clocks: bool,
    /// Whether the database has a standby.
    pub standby: bool,
    /// Whether the one process has a disk of its own.
    pub disk: bool,
    /// What its processes reach each other by.
    pub carrier: Carrier,
    /// What chance decides in the outside world.
    pub seed: u64,
}

/// Everything that runs.
#[derive(Debug)]
pub struct Cluster {
    /// What it is made of.
    pub makings: Makings,
    parts: BTreeMap<Who, Part>,
    links: BTreeMap<(Who, Who), Link>,
    /// What packets vanish on, if they can.
    pub network: Option<Network>,
    /// Where all tables are.
    pub store: Store,
    disk: Option<Disk>,
    // Last: it ends what the others leave behind.
    keeper: Keeper,
}

impl Cluster {
    /// Starts everything and returns once all listen.
    ///
    /// # Errors
    /// When something does not start: what, and the end of its log.
    pub async fn start(makings: Makings) -> Result<Self> {
        let cast = makings.cast;
        let data = makings.folder.join("data");
        let disk = if makings.disk { Some(Disk::mount(&data)?) } else { None };
        let store = match (cast, makings.standby) {
            (Cast::Apart, standby) => Store::Server(spawn_blocking(move || Database::start(standby)).await??),
            // A directory below, so that what fills the disk is not among its files.
            (Cast::One, _) => Store::File(data.join("skald")),
        };
        let network = match makings.carrier {
            Carrier::Namespaces => Some(Network::lay(cast)?),
            Carrier::Loopback => None,
        };
        let (links, keeper) = (links(cast, network.as_ref())?, Keeper::start()?);
        let mut cluster = Self { makings, parts: BTreeMap::new(), links, network, store, disk, keeper };
        cluster.follow_database();
        for who in [Who::Processor].into_iter().chain(cast.parts()) {
            let part = Part::new(who, cluster.program(who), &cluster.makings.folder, cluster.keeper.pipe()?);
            cluster.parts.insert(who, part);
            cluster.bring_up(who).await?;
        }
        Ok(cluster)
    }

    /// Starts a process that does not run, again and again until it listens, and leads everybody there.
    ///
    /// # Errors
    /// When it does not come up, whatever is tried.
    pub async fn bring_up(&self, who: Who) -> Result<()> {
        let address = self.part(who).bring_up().await?;
        self.links.iter().filter(|((_, to), _)| *to == who).for_each(|(_, link)| link.lead_to(&address));
        Ok(())
    }

    /// A process.
    pub fn part(&self, who: Who) -> &Part {
        self.parts.get(&who).expect("all processes but the database are started at the beginning")
    }

    /// The processes of the system.
    pub fn parts(&self) -> impl Iterator<Item = &Part> {
        self.parts.values()
    }

    /// The link between two who call one another.
    pub fn link(&self, pair: (Who, Who)) -> &Link {
        self.links.get(&pair).expect("there is a link between all who call one another")
    }

    /// The links that lead to somebody from inside the system.
    pub fn links_to(&self, who: Who) -> impl Iterator<Item = &Link> {
        self.links.iter().filter(move |((from, to), _)| *to == who && *from != Who::Customers).map(|(_, link)| link)
    }

    /// Everything passes and every clock is right.
    ///
    /// # Errors
    /// When a clock cannot be set.
    pub fn heal(&self) -> Result<()> {
        self.links.values().for_each(Link::heal);
        self.parts.values().try_for_each(|part| part.jump(0))
    }

    /// All links to the database, if there is one, lead to where it is now.
    pub fn follow_database(&self) {
        let Store::Server(database) = &self.store else { return };
        let address = database.address();
        self.links.iter().filter(|((_, to), _)| *to == Who::Database).for_each(|(_, link)| link.lead_to(&address));
    }

    /// The disk of the one process.
    ///
    /// # Errors
    /// When it has none of its own.
    pub fn disk(&self) -> Result<&Disk> {
        self.disk.as_ref().context("there is no disk that could be filled")
    }

    /// Where the customers find everybody, as `loadtest` takes it.
    pub fn target(&self) -> String {
        let cast = self.makings.cast;
        let at = |who| format!("http://{}", self.link((Who::Customers, who)).address());
        let replicas = cast.replicas().into_iter().map(at);
        let others = cast.participants().into_iter().map(|who| format!("{}={}", who.service(), at(who)));
        replicas.chain(others).collect::<Vec<_>>().join(",")
    }

    fn program(&self, who: Who) -> Program {
        let folder = &self.makings.folder;
        let clock = self.makings.clocks.then(|| folder.join(format!("clock-{who}")));
        let home = self.network.as_ref().and_then(|network| network.home(who));
        let listen = format!("{}:0", home.map_or(Ipv4Addr::LOCALHOST, |home| home.address));
        let (command, arguments) = match who == Who::Processor {
            true => ("outside", processor(&listen, self.makings.seed)),
            false => (who.service(), self.arguments(who, &listen, folder)),
        };
        let host = home.map(|home| home.host.clone());
        Program { path: self.makings.skald.clone(), command: Some(command), arguments, clock, host }
    }

    fn arguments(&self, who: Who, listen: &str, folder: &Path) -> Vec<String> {
        let data = folder.join("data/skald").display().to_string();
        let mut arguments: Vec<_> = ["--listen", listen, "--data-dir", &data].map(String::from).into();
        let mut set = |setting: String| arguments.extend(["--set".to_owned(), setting]);
        for called in self.makings.cast.calls(who) {
            let address = self.link((who, called)).address();
            match called {
                Who::Database => set(format!("database.url={}", Database::url_at(&address))),
                Who::Processor => set(format!("payment.processor=http://{address}")),
                peer @ (Who::Concert | Who::Customer | Who::Payment | Who::Token) => {
                    set(format!("peers.{}=http://{address}", peer.service()));
                }
                Who::Customers | Who::Orchestrator(_) | Who::Skald => {}
            }
        }
        if matches!(who, Who::Payment | Who::Skald) {
            // What a crash leaves is asked for within the time of a run.
            set("payment.processor_poll_ms=1000".to_owned());
        }
        // Events go to the log, which is not what is looked at here.
        set("server.log=info,events=warn".to_owned());
        arguments
    }
}

fn processor(listen: &str, seed: u64) -> Vec<String> {
    let seed = seed.to_string();
    let faults = r#"{"lose_reply":30,"delay_ms":20,"decline":50}"#;
    ["processor", "--listen", listen, "--seed", &seed, "--faults", faults].map(String::from).into()
}

fn links(cast: Cast, network: Option<&Network>) -> Result<BTreeMap<(Who, Who), Link>> {
    let mut links = BTreeMap::new();
    for from in cast.parts().into_iter().chain([Who::Customers]) {
        for to in cast.calls(from) {
            let link = match network {
                Some(network) => Link::between(network.ends((from, to))?, NOWHERE),
                None => Link::to(NOWHERE),
            };
            links.insert((from, to), link.context("no port is free")?);
        }
    }
    Ok(links)
}

/// How long a process may take to start on a busy machine, with all that its start may wait for.
pub const PATIENCE: Duration = Duration::from_secs(60);
