//! Everything that can be set, with its defaults. Where a value comes from is the kit's affair: defaults, then a file, then
//! the environment, then flags.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};
use service_kit::config;

/// Settings of `skald up`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Where it listens and keeps its data.
    pub server: Server,
    /// The coordinator.
    pub orchestrator: orchestrator::Config,
    /// Customers and points.
    pub customer: customer_svc::Config,
    /// Concerts, seats and reservations.
    pub concert: concert_svc::Config,
    /// Payments.
    pub payment: payment_svc::Config,
    /// Waiting rooms and queue tokens.
    pub token: token_svc::Config,
}

impl Settings {
    /// Refuses what could be read and must not be used.
    ///
    /// # Errors
    /// The setting, and what to do about it.
    pub fn check(&self) -> Result<(), config::Error> {
        let listen = &self.server.listen;
        let wrong = |problem| Err(config::Error::value("server.listen", listen, problem));
        match listen.parse::<SocketAddr>() {
            Err(_) => wrong("must be an address and a port, such as 127.0.0.1:7070"),
            Ok(address) if !address.ip().is_loopback() => {
                wrong("must be a loopback address: nobody is authenticated yet, so nobody from elsewhere is let in")
            }
            Ok(_) => Ok(()),
        }
    }
}

/// The process itself.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Server {
    /// Address and port of gRPC and the status page; port 0 takes any free one.
    pub listen: String,
    /// Directory of the SQLite database; created when missing, used by one process at a time.
    pub data_dir: String,
    /// `text` or `json`.
    pub log_format: service_kit::telemetry::Format,
    /// Which log lines to write, such as `info` or `warn,orchestrator=debug`.
    pub log: String,
    /// Bounds of the server.
    pub limits: service_kit::serve::Limits,
}

impl Default for Server {
    fn default() -> Self {
        Self {
            // Nobody is authenticated yet, so nobody from elsewhere is let in.
            listen: "127.0.0.1:7070".into(),
            data_dir: "skald-data".into(),
            log_format: service_kit::telemetry::Format::default(),
            log: service_kit::telemetry::DEFAULT_FILTER.into(),
            limits: service_kit::serve::Limits::default(),
        }
    }
}
