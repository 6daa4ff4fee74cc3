//! The world outside during a demo: a card processor, a provider of messages and a data platform, each a process of its own
//! that ends with the demo.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, Result};

use crate::settings::Settings;

/// The stand-ins that were started.
#[derive(Debug, Default)]
pub(super) struct Outside(Vec<Child>);

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
        let mut command = Command::new(skald);
        command.args(["outside", name, "--listen", "127.0.0.1:0", "--seed", &seed.to_string()]).args(arguments);
        let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
        let mut child = child.with_context(|| format!("cannot start the stand-in of the {name}"))?;
        let mut line = String::new();
        let output = child.stdout.take().context("its output is not to be had")?;
        self.0.push(child);
        BufReader::new(output).read_line(&mut line)?;
        let url = line.trim().strip_prefix(name).and_then(|rest| rest.strip_prefix(": "));
        url.map(str::to_owned).with_context(|| format!("the stand-in of the {name} did not start"))
    }
}

impl Drop for Outside {
    fn drop(&mut self) {
        for child in &mut self.0 {
            // One that has ended by itself, as on Ctrl-C, is none to be ended.
            if child.kill().is_ok() {
                drop(child.wait());
            }
        }
    }
}
