//! Processes of the binary `skald`, as scenarios and the demo need them: a server of their own, and those outside it.

use std::ffi::OsStr;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, Result, ensure};

/// One that runs and has said where; ended when dropped.
#[derive(Debug)]
pub struct Process {
    child: Child,
    /// `http://127.0.0.1:…`.
    pub address: String,
}

impl Process {
    /// Starts it and waits until it says where it listens. What it logs goes where this process logs.
    ///
    /// # Errors
    /// When it does not start.
    pub fn start<A: AsRef<OsStr>>(binary: &Path, args: impl IntoIterator<Item = A>) -> Result<Self> {
        let mut command = Command::new(binary);
        command.args(args).stdin(Stdio::null()).stdout(Stdio::piped());
        let started = command.spawn().with_context(|| format!("cannot start {}", binary.display()))?;
        let mut process = Self { child: started, address: String::new() };
        let told = process.child.stdout.take().context("it has an output")?;
        let mut lines = BufReader::new(told).lines();
        let first = lines.next().and_then(Result::ok).unwrap_or_default();
        let address = first.split_once(": ").map(|(_, address)| address.to_owned());
        let address = address.filter(|address| address.starts_with("http://"));
        process.address = address.with_context(|| format!("{} did not start", binary.display()))?;
        // Whatever else it says is read to the end, so that it never waits for a reader.
        std::thread::spawn(move || lines.for_each(drop));
        Ok(process)
    }

    /// Asks it to end in good order, and waits.
    ///
    /// # Errors
    /// When it ends otherwise.
    pub fn end(mut self) -> Result<()> {
        let asked = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status()?;
        ensure!(asked.success(), "cannot ask process {} to end", self.child.id());
        let ended = self.child.wait()?;
        ensure!(ended.success(), "process {} ended with {ended}", self.child.id());
        Ok(())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
