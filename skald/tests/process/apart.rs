//! Five processes, each with a database or a schema of its own, that find each other by their addresses.

use tempfile::TempDir;
use testbed::postgres::{DATABASE, Server};
use tonic::transport::Channel;

use crate::process::{Skald, run, stderr, stdout};

mod notices;
mod replicas;
mod rooms;
mod sale;

/// The services, in the order in which they know each other.
const SERVICES: [&str; 5] = ["token", "customer", "payment", "concert", "orchestrator"];

const PATIENT: [&str; 2] = ["--set", "orchestrator.limits.call_timeout_ms=5000"];

/// All five.
struct Services {
    data: TempDir,
    /// Whose schemas they use instead, if there is one.
    server: Option<Server>,
    /// Where notices go, if anybody is to have some; then events come to the payment service over its webhook.
    messenger: Option<String>,
    running: Vec<Skald>,
}

impl Services {
    /// Each with a file of its own.
    async fn start() -> Self {
        Self::start_with(None, None).await
    }

    async fn start_on(server: Server) -> Self {
        Self::start_with(Some(server), None).await
    }

    async fn start_with(server: Option<Server>, messenger: Option<String>) -> Self {
        let mut services = Self { data: tempfile::tempdir().unwrap(), server, messenger, running: Vec::new() };
        for service in SERVICES {
            let started = services.start_one(service, "127.0.0.1:0").await;
            services.running.push(started);
        }
        services
    }

    async fn start_one(&self, service: &str, listen: &str) -> Skald {
        let known = SERVICES.iter().zip(&self.running).filter(|(name, _)| **name != "orchestrator");
        let peers: Vec<_> = known.map(|(name, skald)| format!("peers.{name}={}", skald.address)).collect();
        let calls_others = matches!(service, "concert" | "orchestrator") || service == "payment" && self.tells();
        let more = peers.iter().filter(|_| calls_others).flat_map(|peer| ["--set", peer]);
        // Long enough for a busy machine: a call fails because somebody was killed, or not at all.
        let more = more.chain(PATIENT.into_iter().filter(|_| service == "orchestrator"));
        let (database, notices) = (self.database(), self.notices(service));
        let more: Vec<_> = more.chain(database.iter().chain(&notices).map(String::as_str)).collect();
        Skald::start_part(service, listen, self.data.path(), &more).await
    }

    /// What leads a process to the database.
    fn database(&self) -> Vec<String> {
        let at = |server: &Server| vec!["--postgres".to_owned(), server.url(DATABASE)];
        self.server.as_ref().map_or_else(Vec::new, at)
    }

    fn tells(&self) -> bool {
        self.messenger.is_some()
    }

    /// Who sends notices, and who tells him what has happened.
    fn notices(&self, service: &str) -> Vec<String> {
        let settings = match (service, &self.messenger) {
            ("payment", Some(messenger)) => vec![format!("payment.messenger.url={messenger}")],
            ("orchestrator", Some(_)) => {
                let to = format!("events.webhook.url={}/events", self.at("payment").address);
                vec!["events.sinks=[\"webhook\"]".to_owned(), to]
            }
            _ => Vec::new(),
        };
        settings.into_iter().flat_map(|setting| ["--set".to_owned(), setting]).collect()
    }

    /// `skald verify` over all of them, while they run.
    fn verify(&self) -> String {
        let (data, database) = (self.data.path().to_str().unwrap(), self.database());
        let arguments = ["verify", "--data-dir", data].into_iter().chain(database.iter().map(String::as_str));
        let output = run(&arguments.collect::<Vec<_>>());
        assert_eq!(output.status.code(), Some(0), "{}{}", stdout(&output), stderr(&output));
        stdout(&output)
    }

    fn place(service: &str) -> usize {
        SERVICES.iter().position(|name| *name == service).unwrap()
    }

    fn at(&self, service: &str) -> &Skald {
        &self.running[Self::place(service)]
    }

    async fn channel(&self, service: &str) -> Channel {
        self.at(service).channel().await
    }

    /// `kill -9`, and a new start where it was.
    async fn restart(&mut self, service: &str) {
        let listen = self.kill(service);
        self.start_again(service, &listen).await;
    }

    /// `kill -9`; tells where it listened.
    fn kill(&mut self, service: &str) -> String {
        let skald = &mut self.running[Self::place(service)];
        skald.kill_now();
        skald.address.trim_start_matches("http://").to_owned()
    }

    async fn start_again(&mut self, service: &str, listen: &str) {
        self.running[Self::place(service)] = self.start_one(service, listen).await;
    }

    /// Asks all to end, as a supervisor does, those first who call others.
    async fn end(mut self) {
        while let Some(skald) = self.running.pop() {
            assert_eq!(skald.terminate().await.0, Some(0));
        }
    }
}
