//! One process: started, watched until it listens, killed, frozen, started again. All that it says goes into a file.

use std::fs::File;
use std::io::PipeWriter;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use tokio::time::{Instant, sleep};

use super::{PATIENCE, clock, keeper};
use crate::network::Host;
use crate::who::Who;

/// The shell tells the keeper its number and becomes the process, so none runs that the keeper does not know.
const ANNOUNCED: &str = r#"echo "+ $$"; exec "$0" "$@" >>"$LOG" 2>&1 </dev/null"#;
/// Between two looks.
const LOOK: Duration = Duration::from_millis(10);
/// Before a process that ended at its start is started again, as a supervisor does.
const PAUSE: Duration = Duration::from_millis(200);

/// What is run.
#[derive(Debug, Clone)]
pub(super) struct Program {
    pub(super) path: PathBuf,
    /// Which of several programs in one it is, where it is.
    pub(super) command: Option<&'static str>,
    pub(super) arguments: Vec<String>,
    /// The file that its clock follows, if it does.
    pub(super) clock: Option<PathBuf>,
    /// Where it runs, if it has a host of its own.
    pub(super) host: Option<Arc<Host>>,
}

/// A process, or the place of one.
#[derive(Debug)]
pub struct Part {
    /// Who it is.
    pub who: Who,
    /// Held by whoever ends it on purpose, until it runs again.
    pub turn: tokio::sync::Mutex<()>,
    program: Mutex<Program>,
    log: PathBuf,
    pipe: PipeWriter,
    child: Mutex<Option<Child>>,
}

impl Part {
    pub(super) fn new(who: Who, program: Program, folder: &Path, pipe: PipeWriter) -> Self {
        let log = folder.join(format!("{who}.log"));
        let (program, child) = (Mutex::new(program), Mutex::default());
        Self { who, turn: tokio::sync::Mutex::default(), program, log, pipe, child }
    }

    /// Starts it, and again when it ends at its start, until it listens. Tells where.
    pub(super) async fn bring_up(&self) -> Result<String> {
        let started = Instant::now();
        let mut deaths = 0;
        loop {
            let from = self.said_bytes();
            self.spawn()?;
            if let Some(address) = self.comes_up(from, started).await? {
                return Ok(address);
            }
            deaths += 1;
            if started.elapsed() > PATIENCE {
                bail!("{} does not start: it ended {deaths} times; see {}", self.who, self.log.display());
            }
            sleep(PAUSE).await;
        }
    }

    /// Where it listens, or nothing when it ended before it did.
    async fn comes_up(&self, from: usize, started: Instant) -> Result<Option<String>> {
        loop {
            if let Some(address) = address(self.said().get(from..).unwrap_or_default()) {
                return Ok(Some(address));
            }
            if self.has_ended()? {
                return Ok(None);
            }
            if started.elapsed() > PATIENCE {
                bail!("{} does not listen; see {}", self.who, self.log.display());
            }
            sleep(LOOK).await;
        }
    }

    /// Starts it and does not wait for anything.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn spawn(&self) -> Result<()> {
        let program = self.program();
        let mut command = Command::new("sh");
        command.args(["-c", ANNOUNCED]).arg(&program.path).args(program.command).args(&program.arguments);
        command.env_clear().env("LOG", &self.log).env("RUST_BACKTRACE", "1");
        if let Some(file) = &program.clock {
            clock::follow(&mut command, file)?;
        }
        command
            .stdin(Stdio::null())
            .stdout(self.pipe.try_clone()?)
            .stderr(File::create(self.log.with_extension("sh"))?);
        command.process_group(0);
        let child = match &program.host {
            Some(host) => host.inside(|| command.spawn())?,
            None => command.spawn(),
        };
        let child = child.with_context(|| format!("cannot start {}", self.who))?;
        if let Some(mut before) = self.child().replace(child) {
            self.gone(&mut before)?;
        }
        Ok(())
    }

    /// `kill -9`. Tells whether it still ran.
    ///
    /// # Errors
    /// When it cannot be killed.
    pub fn kill(&self) -> Result<bool> {
        let Some(mut child) = self.child().take() else { return Ok(false) };
        let ran = child.try_wait()?.is_none();
        child.kill()?;
        self.gone(&mut child)?;
        Ok(ran)
    }

    /// SIGTERM, and waits for the end. Tells how it ended if that was not well.
    ///
    /// # Errors
    /// When it does not end in time.
    pub async fn terminate(&self) -> Result<Option<ExitStatus>> {
        self.signal("TERM")?;
        let asked = Instant::now();
        while !self.has_ended()? {
            if asked.elapsed() > PATIENCE {
                bail!("{} does not end when it is asked to", self.who);
            }
            sleep(LOOK).await;
        }
        let Some(mut child) = self.child().take() else { return Ok(None) };
        let status = child.wait()?;
        self.gone(&mut child)?;
        Ok(Some(status).filter(|status| !status.success()))
    }

    /// SIGSTOP.
    ///
    /// # Errors
    /// When it does not run.
    pub fn freeze(&self) -> Result<()> {
        self.signal("STOP")
    }

    /// SIGCONT.
    ///
    /// # Errors
    /// When it does not run.
    pub fn thaw(&self) -> Result<()> {
        self.signal("CONT")
    }

    /// Its wall clock differs by so many seconds from now on, also after a start.
    ///
    /// # Errors
    /// When it cannot be told so.
    pub fn jump(&self, seconds: i64) -> Result<()> {
        match &self.program().clock {
            Some(file) => clock::set(file, seconds),
            None => Ok(()),
        }
    }

    /// By how much the clock of such a process differs now.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn ahead(&self) -> Result<i64> {
        self.program().clock.as_deref().map_or(Ok(0), clock::ahead)
    }

    /// Which program it is.
    pub fn path(&self) -> PathBuf {
        self.program().path.clone()
    }

    /// From the next start on it is that program, or its command of a program of several.
    pub fn becomes(&self, path: &Path, command: Option<&'static str>) {
        let mut program = self.program();
        (program.path, program.command) = (path.to_owned(), command);
    }

    /// Whether it was started and has ended by itself.
    ///
    /// # Errors
    /// When it cannot be asked.
    pub fn has_ended(&self) -> Result<bool> {
        Ok(match self.child().as_mut() {
            Some(child) => child.try_wait()?.is_some(),
            None => false,
        })
    }

    /// All that it has said.
    pub fn said(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    fn said_bytes(&self) -> usize {
        self.said().len()
    }

    fn signal(&self, name: &str) -> Result<()> {
        let number = self.child().as_ref().with_context(|| format!("{} does not run", self.who))?.id();
        let status = Command::new("sh").args(["-c", "kill -\"$0\" \"$1\"", name, &number.to_string()]).status()?;
        if status.success() { Ok(()) } else { bail!("{} cannot be sent SIG{name}", self.who) }
    }

    fn gone(&self, child: &mut Child) -> Result<()> {
        child.wait()?;
        clock::forget(child.id());
        keeper::ended(&self.pipe, child.id())
    }

    fn child(&self) -> MutexGuard<'_, Option<Child>> {
        self.child.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn program(&self) -> MutexGuard<'_, Program> {
        self.program.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        // Whatever fails here, the keeper finishes.
        drop(self.kill());
    }
}

/// What a process says once it listens: `… gRPC …: http://host:port`, or `processor: http://host:port`.
fn address(said: &str) -> Option<String> {
    // A line that is still being written is looked at again.
    let (whole, _) = said.rsplit_once('\n')?;
    let tells = |line: &&str| line.contains("gRPC") || line.starts_with("processor: ");
    let (_, address) = whole.lines().filter(tells).find_map(|line| line.split_once("http://"))?;
    let end = address.find(|letter: char| !letter.is_ascii_digit() && !".:".contains(letter));
    Some(address[..end.unwrap_or(address.len())].to_owned())
}

#[cfg(test)]
mod tests {
    use super::address;

    #[test]
    fn where_a_process_listens_is_read_from_what_it_says() {
        let said = "starting\ncustomer, gRPC: http://127.0.0.1:40123\nmore\n";
        assert_eq!(address(said).as_deref(), Some("127.0.0.1:40123"));
        assert_eq!(address("processor: http://127.0.0.1:7\n").as_deref(), Some("127.0.0.1:7"));
        assert_eq!(address("calls http://127.0.0.1:40123\n"), None);
        assert_eq!(address("gRPC: http://127.0.0.1:4"), None);
    }
}
