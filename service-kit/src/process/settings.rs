//! What can be set for every process.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::config;
use crate::peer::{Addresses, Connections};
use crate::serve::Limits;
use crate::telemetry;

/// Ports that services listen on unless told otherwise, and are looked for.
pub mod ports {
    /// The orchestrator, and everything in one process.
    pub const ORCHESTRATOR: u16 = 7070;
    /// The customer service.
    pub const CUSTOMER: u16 = 7071;
    /// The concert service.
    pub const CONCERT: u16 = 7072;
    /// The payment service.
    pub const PAYMENT: u16 = 7073;
    /// The token service.
    pub const TOKEN: u16 = 7074;
}

/// The process itself.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Server {
    /// Address and port of gRPC and the pages; port 0 takes any free one.
    pub listen: String,
    /// Directory of the SQLite databases, created when missing. `skald up` keeps its one file in it; a service on its own
    /// one in a directory of its name below. Unused on PostgreSQL.
    pub data_dir: String,
    /// Threads that work. 0 is one fewer than there are cores, as SQLite's writer has one to itself.
    pub threads: usize,
    /// `text` or `json`.
    pub log_format: telemetry::Format,
    /// Which log lines to write, such as `info` or `warn,orchestrator=debug`.
    pub log: String,
    /// Bounds of the server.
    pub limits: Limits,
}

impl Server {
    /// Listens on a port of this machine only: nobody is authenticated yet, so nobody from elsewhere is let in.
    pub fn on(port: u16) -> Self {
        Self {
            listen: format!("127.0.0.1:{port}"),
            data_dir: "skald-data".into(),
            threads: 0,
            log_format: telemetry::Format::default(),
            log: telemetry::DEFAULT_FILTER.into(),
            limits: Limits::default(),
        }
    }

    /// The directory of a service that runs on its own.
    pub fn directory(&self, service: &str) -> PathBuf {
        Path::new(&self.data_dir).join(service)
    }

    pub(super) fn threads(&self) -> usize {
        let cores = || std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get);
        if self.threads == 0 { cores().saturating_sub(1).max(1) } else { self.threads }
    }

    /// Refuses what could be read and must not be used.
    pub(super) fn check(&self) -> Result<(), config::Error> {
        let wrong = |problem| Err(config::Error::value("server.listen", &self.listen, problem));
        match self.listen.parse::<SocketAddr>() {
            Err(_) => wrong("must be an address and a port, such as 127.0.0.1:7070"),
            Ok(address) if !address.ip().is_loopback() => {
                wrong("must be a loopback address: nobody is authenticated yet, so nobody from elsewhere is let in")
            }
            Ok(_) if self.threads > MOST_THREADS => Err(config::Error::value(
                "server.threads",
                &self.threads.to_string(),
                &format!("is out of range; it must be 0 to {MOST_THREADS}"),
            )),
            Ok(_) => Ok(()),
        }
    }
}

/// More than any machine has cores.
const MOST_THREADS: usize = 1024;

/// Where the other services are; whoever calls one finds it here.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Peers {
    /// `http://host:port`, several with commas between or in a list; calls are spread over them.
    pub customer: Addresses,
    /// Likewise.
    pub concert: Addresses,
    /// Likewise.
    pub payment: Addresses,
    /// Likewise.
    pub token: Addresses,
    /// How they are connected to.
    pub connections: Connections,
}

impl Default for Peers {
    fn default() -> Self {
        Self {
            customer: Addresses::local(ports::CUSTOMER),
            concert: Addresses::local(ports::CONCERT),
            payment: Addresses::local(ports::PAYMENT),
            token: Addresses::local(ports::TOKEN),
            connections: Connections::default(),
        }
    }
}

/// Where the tables are.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Database {
    /// `postgresql://user:password@host:port/database`, several hosts with commas between; empty for SQLite in
    /// `server.data_dir`.
    pub url: String,
    /// The schema of the service in that database; empty for one of the service's name.
    pub schema: String,
    /// Connections that a service holds open, one in four for writing: 2 to 1000. One that writes makes the fullest
    /// batches and is the fastest near its server; far from it, several keep the waits for it apart.
    #[serde(deserialize_with = "connections")]
    pub connections: usize,
}

fn connections<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<usize, D::Error> {
    config::within(deserializer, 2..=1000)
}

impl Default for Database {
    fn default() -> Self {
        Self { url: String::new(), schema: String::new(), connections: 4 }
    }
}

impl Database {
    /// Whether it is PostgreSQL.
    pub fn is_remote(&self) -> bool {
        !self.url.is_empty()
    }

    /// The schema of a service.
    pub fn schema<'a>(&'a self, service: &'a str) -> &'a str {
        if self.schema.is_empty() { service } else { &self.schema }
    }

    /// The place of a service's tables, for people: without the password.
    pub fn shown(&self, directory: &Path, service: &str) -> String {
        if !self.is_remote() {
            return directory.display().to_string();
        }
        let url = self.url.split('?').next().unwrap_or_default();
        let place = url.rsplit_once('@').or_else(|| url.split_once("://")).map_or("", |(_, place)| place);
        format!("PostgreSQL at {place}, schema {}", self.schema(service))
    }

    pub(super) fn check(&self) -> Result<(), config::Error> {
        if self.is_remote() && !["postgresql://", "postgres://"].iter().any(|scheme| self.url.starts_with(scheme)) {
            return Err(config::Error::value("database.url", "…", "must begin with postgresql://"));
        }
        Ok(())
    }
}
