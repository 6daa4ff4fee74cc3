//! One life of a server: started, watched until it takes connections, frozen, stopped or killed.

use std::path::Path;
use std::process::{Child, Command};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use crate::folder::Folder;

/// The shell tells the keeper its number and becomes the server, so no server runs that the keeper does not know.
const ANNOUNCED: &str = r#"echo "$$"; exec "$0" "$@" >>log 2>&1 </dev/null"#;
const LOG: &str = "log";
/// The server tells in here how far it is: its number in the first line, and `ready` in the last.
const STATUS_FILE: &str = "postmaster.pid";
const READY: &str = "ready";
/// What the processes of a crashed server keep for a moment after it.
const STILL_HELD: &str = "is still in use";
const PAUSE: Duration = Duration::from_millis(10);
/// A minute, in pauses. Nothing that is waited for here takes longer, even on a busy machine.
const PAUSES: usize = 6_000;

/// How a server is stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// When all clients have left.
    Smart,
    /// Clients are cut off, their transactions taken back, all is written down.
    Fast,
    /// At once; the next start recovers as from a crash.
    Immediate,
}

/// A running server.
#[derive(Debug)]
pub(super) struct Process(Child);

impl Process {
    /// Starts the server and returns once it takes connections.
    pub(super) fn start(program: &Path, folder: &Folder, port: u16, arguments: &[String]) -> Result<Self> {
        for _ in 0..PAUSES {
            match Self::try_start(program, folder, port, arguments) {
                Err(error) if error.to_string().contains(STILL_HELD) => std::thread::sleep(PAUSE),
                result => return result,
            }
        }
        bail!("the processes of the crashed server do not end")
    }

    fn try_start(program: &Path, folder: &Folder, port: u16, arguments: &[String]) -> Result<Self> {
        let written = log(folder).len();
        let mut command = folder.command(Path::new("sh"));
        command.args(["-c", ANNOUNCED]).arg(program).arg("-D").arg(folder.data()).args(["-p", &port.to_string()]);
        command.args(arguments).stdout(folder.announcement()?);
        let mut process = Self(command.spawn().context("cannot start sh")?);
        // Drops the command's end of the pipe: the keeper waits until the last one is gone.
        drop(command);
        let mut failed = false;
        let started = poll("PostgreSQL to start", || {
            failed = process.0.try_wait()?.is_some();
            Ok(failed || process.is_ready(folder))
        });
        if started.is_ok() && !failed {
            return Ok(process);
        }
        process.end(folder, Stop::Immediate)?;
        bail!("PostgreSQL did not start:\n{}", log(folder).get(written..).unwrap_or_default().trim())
    }

    fn is_ready(&self, folder: &Folder) -> bool {
        let status = std::fs::read_to_string(folder.data().join(STATUS_FILE)).unwrap_or_default();
        let mut lines = status.lines().map(str::trim);
        lines.next() == Some(&self.0.id().to_string()) && lines.next_back() == Some(READY)
    }

    /// Stops the server and returns once it is gone.
    pub(super) fn end(mut self, folder: &Folder, how: Stop) -> Result<()> {
        let signal = match how {
            Stop::Smart => "TERM",
            Stop::Fast => "INT",
            Stop::Immediate => "QUIT",
        };
        // One that is frozen must go on to end.
        self.thaw()?;
        kill(signal, &[self.0.id()])?;
        self.wait(folder)
    }

    /// Kills the server's processes all at once.
    pub(super) fn kill9(mut self, folder: &Folder) -> Result<()> {
        // Frozen first, so that it starts no further ones.
        self.freeze()?;
        kill("KILL", &self.all()?)?;
        self.wait(folder)
    }

    pub(super) fn freeze(&self) -> Result<()> {
        kill("STOP", &[self.0.id()])?;
        kill("STOP", &self.all()?)
    }

    pub(super) fn thaw(&self) -> Result<()> {
        kill("CONT", &self.all()?)
    }

    fn wait(&mut self, folder: &Folder) -> Result<()> {
        let gone = poll("PostgreSQL to stop", || Ok(self.0.try_wait()?.is_some()));
        if gone.is_err() {
            self.0.kill()?;
            self.0.wait()?;
        }
        folder.announce_none()?;
        gone
    }

    /// The server and its children, which serve one connection each.
    fn all(&self) -> Result<Vec<u32>> {
        let mut all = vec![self.0.id()];
        for entry in std::fs::read_dir("/proc").context("cannot list the processes")?.flatten() {
            let Some(number) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
            let stat = std::fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
            // The name stands in brackets and may hold anything; the state and the parent follow it.
            let parent = stat.rsplit(')').next().and_then(|rest| rest.split_whitespace().nth(1)?.parse().ok());
            if parent == Some(self.0.id()) {
                all.push(number);
            }
        }
        Ok(all)
    }
}

/// Sends a signal. Processes that are gone do not count.
pub(crate) fn kill(signal: &str, processes: &[u32]) -> Result<()> {
    let numbers = processes.iter().map(ToString::to_string);
    let mut shell = Command::new("sh");
    shell.args(["-c", r#"for it do kill -"$0" "$it" 2>/dev/null || true; done"#, signal]).args(numbers);
    let status = shell.status().context("cannot start sh")?;
    if !status.success() {
        bail!("cannot send {signal} to {processes:?}");
    }
    Ok(())
}

/// Waits, within a bound, until something holds.
pub(crate) fn poll(what: &str, mut holds: impl FnMut() -> Result<bool>) -> Result<()> {
    for _ in 0..PAUSES {
        if holds()? {
            return Ok(());
        }
        std::thread::sleep(PAUSE);
    }
    bail!("waited in vain for {what}")
}

fn log(folder: &Folder) -> String {
    std::fs::read_to_string(folder.path().join(LOG)).unwrap_or_default()
}
