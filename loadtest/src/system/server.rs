//! One process of a system, which can be killed and come back to the same address.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};
use testbed::faketime::precede;

use super::Store;
use crate::process::Process;

/// The process, or its place.
#[derive(Debug)]
pub(super) struct Server {
    store: Store,
    /// Which of the programs in `skald` it is.
    service: &'static str,
    /// A program of its own, where it is none of these.
    program: Option<PathBuf>,
    settings: Vec<String>,
    /// Seconds by which its clock is ahead.
    ahead: i64,
    listen: String,
    process: Option<Process>,
}

impl Server {
    /// Starts one on any free port.
    pub(super) fn start(store: Store, service: &'static str, settings: Vec<String>, ahead: i64) -> Result<Self> {
        let listen = "127.0.0.1:0".to_owned();
        let mut server = Self { store, service, program: None, settings, ahead, listen, process: None };
        server.restart()?;
        Ok(server)
    }

    /// Starts it where it was.
    pub(super) fn restart(&mut self) -> Result<()> {
        let mut command = match &self.program {
            Some(program) => Command::new(program),
            None => self.store.command(self.service),
        };
        command.args(["--listen", &self.listen]).args(self.store.flags());
        command.args(self.settings.iter().flat_map(|setting| ["--set", setting]));
        if self.ahead != 0 {
            precede(&mut command)?.env("FAKETIME", format!("{:+}", self.ahead));
        }
        let process = Process::spawn(command).with_context(|| format!("`skald {}` does not start", self.service))?;
        process.address.trim_start_matches("http://").clone_into(&mut self.listen);
        self.process = Some(process);
        Ok(())
    }

    /// The next start is that of another program, which takes the same arguments.
    pub(super) fn become_another(&mut self, program: &Path) {
        self.program = Some(program.to_owned());
    }

    pub(super) fn address(&self) -> String {
        format!("http://{}", self.listen)
    }

    pub(super) fn pid(&self) -> Option<u32> {
        self.process.as_ref().map(Process::id)
    }

    pub(super) fn kill(&mut self) -> Result<()> {
        self.process.take().context("it does not run")?.kill()
    }

    /// Tells what it has said; nothing if it did not run.
    pub(super) fn end(&mut self) -> Result<Vec<String>> {
        self.process.take().map_or(Ok(Vec::new()), Process::end)
    }
}
