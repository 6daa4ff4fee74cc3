//! The world outside during a demo: a card processor, a provider of messages and a data platform, each a process of its own
//! that ends with the demo.

use anyhow::{Context as _, Result};
use loadtest::Process;

use crate::settings::Settings;

/// The stand-ins that were started.
#[derive(Debug, Default)]
pub(super) struct Outside(Vec<Process>);

impl Outside {
    /// Starts a stand-in for everybody whom the settings do not name, and names it there. The processor loses a reply in
    /// twenty, and a message in ten is accepted and does not arrive.
    ///
    /// # Errors
    /// When one of them does not start.
    pub(super) fn start(settings: &mut Settings, seed: u64) -> Result<Self> {
        let mut outside = Self::default();
        let payment = &mut settings.payment;
        let badly: [(&mut String, &str, &[&str]); 3] = [
            (&mut payment.processor, "processor", &["--faults", r#"{"lose_reply":50,"delay_ms":30}"#]),
            (&mut payment.messenger.url, "messenger", &["--failure-percent", "10", "--settle-ms", "200"]),
            (&mut payment.platform.url, "platform", &[]),
        ];
        for (url, name, arguments) in badly {
            if url.is_empty() {
                *url = outside.spawn(name, seed, arguments)?;
            }
        }
        Ok(outside)
    }

    /// Returns where it listens.
    fn spawn(&mut self, name: &str, seed: u64, arguments: &[&str]) -> Result<String> {
        let skald = std::env::current_exe().context("cannot tell which program this is")?;
        let seed = seed.to_string();
        let common = ["outside", name, "--listen", "127.0.0.1:0", "--seed", &seed];
        let started = Process::start(&skald, common.iter().chain(arguments));
        let process = started.with_context(|| format!("the stand-in of the {name} did not start"))?;
        let address = process.address.clone();
        self.0.push(process);
        Ok(address)
    }
}
