//! Processes of the binary `skald`, as scenarios and the demo need them: a server of their own, and those outside it.

use std::ffi::OsStr;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use anyhow::{Context as _, Result, ensure};

/// Lines that are kept of what a process says.
const KEPT: usize = 1_000;

/// One that runs and has said where; ended when dropped.
#[derive(Debug)]
pub struct Process {
    child: Child,
    /// `http://127.0.0.1:…`.
    pub address: String,
    said: Arc<Mutex<Vec<String>>>,
    listener: Option<JoinHandle<()>>,
}

impl Process {
    /// Starts it and waits until it says where it listens. What it logs goes where this process logs.
    ///
    /// # Errors
    /// When it does not start.
    pub fn start<A: AsRef<OsStr>>(binary: &Path, args: impl IntoIterator<Item = A>) -> Result<Self> {
        let mut command = Command::new(binary);
        command.args(args);
        Self::spawn(command)
    }

    /// The same of a command that is ready to be run.
    ///
    /// # Errors
    /// When it does not start.
    pub(crate) fn spawn(mut command: Command) -> Result<Self> {
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        let binary = Path::new(command.get_program()).to_owned();
        let started = command.spawn().with_context(|| format!("cannot start {}", binary.display()))?;
        let mut process = Self { child: started, address: String::new(), said: Arc::default(), listener: None };
        let told = process.child.stdout.take().context("it has an output")?;
        let mut lines = BufReader::new(told).lines();
        let first = lines.next().and_then(Result::ok).unwrap_or_default();
        let address = first.split_once(": ").map(|(_, address)| address.to_owned());
        let address = address.filter(|address| address.starts_with("http://"));
        process.address = address.with_context(|| format!("{} did not start", binary.display()))?;
        // Whatever else it says is read to the end, so that it never waits for a reader.
        let said = process.said.clone();
        process.listener = Some(std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let mut said = said.lock().unwrap_or_else(PoisonError::into_inner);
                if said.len() < KEPT {
                    said.push(line);
                }
            }
        }));
        Ok(process)
    }

    /// Its number.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// `kill -9`, and waits until it is gone.
    ///
    /// # Errors
    /// When it cannot be killed.
    pub fn kill(mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Asks it to end in good order, and waits. Tells what it has said since it said where it listens.
    ///
    /// # Errors
    /// When it ends otherwise.
    pub fn end(mut self) -> Result<Vec<String>> {
        let asked = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status()?;
        ensure!(asked.success(), "cannot ask process {} to end", self.child.id());
        let ended = self.child.wait()?;
        ensure!(ended.success(), "process {} ended with {ended}", self.child.id());
        if let Some(listener) = self.listener.take() {
            drop(listener.join());
        }
        Ok(std::mem::take(&mut *self.said.lock().unwrap_or_else(PoisonError::into_inner)))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
