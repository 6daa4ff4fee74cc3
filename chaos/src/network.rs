//! A network that really loses packets: each process of the system on a host of its own, and a router between them that
//! can lead what is to vanish into a sink. A connection that vanishes so is neither refused nor closed; whoever is on it
//! has to find out by himself.
//!
//! Whatever passes from one to another goes through its [`testbed::link::Link`], which stands on a host in the middle and
//! has an address there for each pair: packets vanish on both sides of it. All addresses are of the loopback network, as
//! the services take no others, and are nobody else's, as no namespace but those made here knows of them.
//!
//! PostgreSQL and the customers stay outside, at the end of their links; to them a partition is silence.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context as _, Result};
use clap::ValueEnum;
use serde::Serialize;
use testbed::link::{Ends, Way};

use crate::who::{Cast, Who};

mod crossing;
mod host;

use crossing::Crossing;
pub use host::Host;

/// What carries packets from process to process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Carrier {
    /// The loopback address: what is not to arrive is held back, and nothing gets lost.
    Loopback,
    /// Network namespaces: what is not to arrive is lost. It takes root.
    Namespaces,
}

/// The router's address, which everybody knows.
const ROUTER: Ipv4Addr = Ipv4Addr::new(127, 77, 0, 1);
/// Tables of routes, one for each sink, begin here.
const TABLES: u32 = 100;
/// Rules are asked in this order, before the one that leads to where packets belong.
const FIRST_RULE: u32 = 1_000;

/// The network. Dropped, it is gone as soon as nobody runs on it.
#[derive(Debug)]
pub struct Network {
    router: Host,
    middle: Arc<Host>,
    homes: BTreeMap<Who, Home>,
    lines: BTreeMap<(Who, Who), u8>,
    rules: AtomicU32,
}

/// Where a process lives.
#[derive(Debug, Clone)]
pub struct Home {
    /// Its host.
    pub host: Arc<Host>,
    /// Its address.
    pub address: Ipv4Addr,
}

/// Packets that vanish until this is given to [`Network::end`].
#[derive(Debug)]
#[must_use]
pub struct Vanishing(Vec<u32>);

impl Network {
    /// A network for a cast.
    ///
    /// # Errors
    /// When this user or this system cannot have one: which command says so.
    pub fn lay(cast: Cast) -> Result<Self> {
        let all = [vec![Who::Processor], cast.parts()].concat();
        let homes = all.iter().zip(1..).map(|(who, number)| {
            let host = Arc::new(Host::new(&who.to_string())?);
            Ok((*who, Home { host, address: Ipv4Addr::new(127, 77, 1, number) }))
        });
        let homes: BTreeMap<_, _> = homes.collect::<Result<_>>()?;
        let pairs = cast.parts().into_iter().chain([Who::Customers]).flat_map(|from| {
            let calls = cast.calls(from).into_iter();
            calls.map(move |to| (from, to))
        });
        let lines = pairs.zip(1..).collect();
        let network = Self {
            router: Host::new("router")?,
            middle: Arc::new(Host::new("middle")?),
            homes,
            lines,
            rules: AtomicU32::new(FIRST_RULE),
        };
        network.wire().context("the network cannot be laid")?;
        Ok(network)
    }

    fn wire(&self) -> Result<()> {
        self.router.forwards()?;
        let mut script = String::new();
        for (number, (host, _)) in self.hosts().enumerate() {
            script += &format!("link add h{number} type veth peer name eth0 netns {}\n", host.path());
            script += &format!("link set h{number} up\n");
        }
        script += &format!("addr add {ROUTER}/32 dev h0 scope global\n");
        for (number, (_, addresses)) in self.hosts().enumerate() {
            for address in addresses {
                script += &format!("route add {address}/32 dev h{number}\n");
            }
        }
        for number in self.lines.values() {
            script += &format!("link add sink{number} type ifb\nlink set sink{number} up\n");
            script += &format!("route add default dev sink{number} table {}\n", TABLES + u32::from(*number));
        }
        self.router.ip(&script)?;
        for (host, addresses) in self.hosts() {
            // Otherwise addresses of the loopback network are taken for those of one machine, and nobody calls from them.
            let own = addresses
                .iter()
                .map(|address| format!("addr add {address}/32 dev eth0 scope global\n"))
                .collect::<String>();
            let routes = format!("route add {ROUTER} dev eth0\nroute add 127.77.0.0/16 via {ROUTER}\n");
            host.ip(&format!("link set eth0 up\n{own}{routes}"))?;
        }
        Ok(())
    }

    /// All hosts but the router, with their addresses; the first one is the one in the middle.
    fn hosts(&self) -> impl Iterator<Item = (&Host, Vec<Ipv4Addr>)> {
        let middle = self.lines.values().map(|number| at_middle(*number)).collect();
        let homes = self.homes.values().map(|home| (&*home.host, vec![home.address]));
        std::iter::once((&*self.middle, middle)).chain(homes)
    }

    /// Where a process lives; nowhere if it stays outside.
    pub fn home(&self, who: Who) -> Option<&Home> {
        self.homes.get(&who)
    }

    /// The ends of the link between two.
    ///
    /// # Errors
    /// When they do not call one another.
    pub fn ends(&self, (from, to): (Who, Who)) -> Result<Box<dyn Ends>> {
        let (middle, address) = (self.middle.clone(), at_middle(self.line((from, to))?));
        let is_inside = (self.homes.contains_key(&from), self.homes.contains_key(&to));
        Ok(Box::new(Crossing { middle, address, is_inside }))
    }

    /// Nothing passes between two in these directions.
    ///
    /// # Errors
    /// When the router does not take the rules.
    pub fn hold(&self, pair: (Who, Who), ways: &[Way]) -> Result<Vanishing> {
        let middle = at_middle(self.line(pair)?);
        let address = |who| self.homes.get(&who).map(|home| home.address);
        let legs = [(address(pair.0), Some(middle)), (Some(middle), address(pair.1))];
        let mut flows = Vec::new();
        for (from, to) in legs.into_iter().filter_map(|(from, to)| from.zip(to)) {
            flows.extend(ways.contains(&Way::There).then(|| format!("from {from} to {to}")));
            flows.extend(ways.contains(&Way::Back).then(|| format!("from {to} to {from}")));
        }
        self.vanish(pair, &flows)
    }

    /// Nothing passes on these connections of a caller, whose ends there are given; others are as good as before.
    ///
    /// # Errors
    /// When the router does not take the rules, or the caller is outside.
    pub fn forget(&self, pair: (Who, Who), clients: &[SocketAddr]) -> Result<Vanishing> {
        let middle = at_middle(self.line(pair)?);
        let caller = self.homes.get(&pair.0).with_context(|| format!("{} is outside", pair.0))?.address;
        let flows = clients.iter().map(SocketAddr::port).flat_map(|port| {
            let there = format!("from {caller} to {middle} ipproto tcp sport {port}");
            [there, format!("from {middle} to {caller} ipproto tcp dport {port}")]
        });
        self.vanish(pair, &flows.collect::<Vec<_>>())
    }

    /// Leads flows of packets into the sink of a pair.
    fn vanish(&self, pair: (Who, Who), flows: &[String]) -> Result<Vanishing> {
        let table = TABLES + u32::from(self.line(pair)?);
        let (mut script, mut rules) = (String::new(), Vec::new());
        for flow in flows {
            // Each has a number of its own, so that the same rule can be there twice.
            let rule = self.rules.fetch_add(1, Ordering::SeqCst);
            script += &format!("rule add pref {rule} {flow} lookup {table}\n");
            rules.push(rule);
        }
        self.router.ip(&script)?;
        Ok(Vanishing(rules))
    }

    /// What vanished passes again.
    ///
    /// # Errors
    /// When the router does not take the rules back.
    pub fn end(&self, Vanishing(rules): Vanishing) -> Result<()> {
        self.router.ip(&rules.iter().map(|rule| format!("rule del pref {rule}\n")).collect::<String>())
    }

    /// Packets that have vanished so far between two.
    ///
    /// # Errors
    /// When the router does not tell.
    pub fn vanished(&self, pair: (Who, Who)) -> Result<u64> {
        self.router.received(&format!("sink{}", self.line(pair)?))
    }

    fn line(&self, (from, to): (Who, Who)) -> Result<u8> {
        self.lines.get(&(from, to)).copied().with_context(|| format!("{from} does not call {to}"))
    }
}

/// A pair's address on the host in the middle.
fn at_middle(number: u8) -> Ipv4Addr {
    Ipv4Addr::new(127, 77, 2, number)
}
