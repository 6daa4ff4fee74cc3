//! Private PostgreSQL servers: a folder, a free port on the loopback address and a process, all gone with the test
//! process, however that ends. The binaries must be installed; without them a test fails and says what to install.
//!
//! Everything here blocks, so that it can be called where the runtime's time is paused.

use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::{Context as _, Result, bail};

use crate::folder::{Folder, User};

mod binaries;
mod process;

use binaries::Binaries;
use process::Process;
pub use process::Stop;
pub(crate) use process::{kill, poll};

/// The role that applications connect as; it is no superuser.
pub const ROLE: &str = "skald";
/// The database that belongs to [`ROLE`].
pub const DATABASE: &str = "skald";

/// The first superuser, and the database that is there from the start.
const ADMINISTRATOR: &str = "postgres";
pub(crate) const LOOPBACK: &str = "127.0.0.1";
/// Below the ports that systems give to outgoing connections, so that a server finds its port free when it restarts.
pub(crate) const PORTS: std::ops::Range<u16> = 20_000..32_000;
/// Somebody else may take a port between the look and the start.
pub(crate) const TRIES: usize = 10;

/// How a server is set up.
#[derive(Debug, Clone)]
pub struct Options {
    /// Whether commits reach the disk. A test seldom needs that, as the machine does not fail under it.
    pub fsync: bool,
    /// Connections at the same time, those of superusers included.
    pub max_connections: u16,
    /// Libraries that are loaded at the start, separated by commas.
    pub shared_preload: String,
    /// Further settings, by name; they win over all others.
    pub settings: Vec<(String, String)>,
}

impl Default for Options {
    fn default() -> Self {
        Self { fsync: false, max_connections: 100, shared_preload: String::new(), settings: Vec::new() }
    }
}

impl Options {
    /// The same with one more setting, as in `postgresql.conf`.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl ToString) -> Self {
        self.settings.push((name.to_owned(), value.to_string()));
        self
    }

    fn arguments(&self) -> Vec<String> {
        let on_off = |on: bool| if on { "on" } else { "off" }.to_owned();
        let mut settings = vec![
            ("fsync".to_owned(), on_off(self.fsync)),
            ("max_connections".to_owned(), self.max_connections.to_string()),
            ("shared_preload_libraries".to_owned(), self.shared_preload.clone()),
            ("listen_addresses".to_owned(), LOOPBACK.to_owned()),
            ("unix_socket_directories".to_owned(), String::new()),
            ("shared_buffers".to_owned(), "32MB".to_owned()),
            ("autovacuum".to_owned(), on_off(false)),
        ];
        settings.extend(self.settings.clone());
        settings.into_iter().flat_map(|(name, value)| ["-c".to_owned(), format!("{name}={value}")]).collect()
    }
}

/// A private server. Dropped, it is stopped and its folder removed.
#[derive(Debug)]
pub struct Server {
    process: Mutex<Option<Process>>,
    options: Mutex<Options>,
    binaries: Binaries,
    folder: Folder,
    port: u16,
}

impl Server {
    /// Makes a new server with an empty database [`DATABASE`] and returns once it takes connections.
    ///
    /// # Errors
    /// When PostgreSQL is not installed (the text says what to install), or it does not start.
    pub fn start(options: Options) -> Result<Self> {
        let binaries = Binaries::find()?;
        let folder = Folder::new("postgres", User::NotRoot)?;
        let data = folder.data();
        let data = data.to_str().context("the temporary folder's name is no text")?;
        let made = ["-D", data, "--no-sync", "--wal-segsize=1", "--locale=C.UTF-8", "-A", "trust", "-U", ADMINISTRATOR];
        folder.run(&binaries.path("initdb"), &made)?;
        let server = Self::run(options, binaries, folder)?;
        let administration = server.administration(ADMINISTRATOR);
        server.execute_at(&administration, &format!("create role {ROLE} login"))?;
        server.execute_at(&administration, &format!("create database {DATABASE} owner {ROLE}"))?;
        Ok(server)
    }

    /// A second server that follows this one and is read-only until it is promoted. Returns once it answers reads.
    ///
    /// # Errors
    /// When this server cannot be copied, or the copy does not start.
    pub fn standby(&self) -> Result<Self> {
        let folder = Folder::new("postgres", User::NotRoot)?;
        let (data, from) = (folder.data(), self.administration(ADMINISTRATOR));
        let data = data.to_str().context("the temporary folder's name is no text")?;
        let copied = ["-D", data, "-d", &from, "--no-sync", "-X", "stream", "-c", "fast", "-R"];
        folder.run(&self.binaries.path("pg_basebackup"), &copied)?;
        Self::run(self.options().clone(), self.binaries.clone(), folder)
    }

    fn run(options: Options, binaries: Binaries, folder: Folder) -> Result<Self> {
        for _ in 0..TRIES {
            let port = fastrand::u16(PORTS);
            if std::net::TcpListener::bind((LOOPBACK, port)).is_err() {
                continue;
            }
            let process = Process::start(&binaries.path("postgres"), &folder, port, &options.arguments());
            match process {
                Err(error) if format!("{error:#}").contains("could not bind") => {}
                Err(error) => return Err(error),
                Ok(process) => {
                    let process = Mutex::new(Some(process));
                    return Ok(Self { process, options: Mutex::new(options), binaries, folder, port });
                }
            }
        }
        bail!("found no free port for PostgreSQL in {TRIES} tries among {PORTS:?}")
    }

    /// Where an application connects to, as [`ROLE`].
    pub fn url(&self, database: &str) -> String {
        url(ROLE, &self.address(), database)
    }

    /// `host:port`.
    pub fn address(&self) -> String {
        format!("{LOOPBACK}:{}", self.port)
    }

    /// Runs SQL in [`DATABASE`] as superuser and gives the rows as lines, with `|` between columns.
    ///
    /// # Errors
    /// When the server cannot be reached or a statement fails.
    pub fn execute(&self, sql: &str) -> Result<String> {
        self.execute_at(&self.administration(DATABASE), sql)
    }

    /// The same wherever a URL leads to.
    ///
    /// # Errors
    /// As [`Server::execute`].
    pub fn execute_at(&self, url: &str, sql: &str) -> Result<String> {
        let arguments = ["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", url, "-c", sql];
        self.folder.run(&self.binaries.path("psql"), &arguments)
    }

    fn administration(&self, database: &str) -> String {
        url(ADMINISTRATOR, &self.address(), database)
    }

    /// Stops the server and returns once it is gone. It keeps its data and its port.
    ///
    /// # Errors
    /// When it does not stop.
    pub fn stop(&self, how: Stop) -> Result<()> {
        self.take_process()?.end(&self.folder, how)
    }

    /// Kills every process of the server at once, as a crash of its machine would.
    ///
    /// # Errors
    /// When they cannot be killed.
    pub fn kill9(&self) -> Result<()> {
        self.take_process()?.kill9(&self.folder)
    }

    /// Starts the server again after [`Server::stop`] or [`Server::kill9`]; stops it first when it runs.
    ///
    /// # Errors
    /// When it does not stop or start.
    pub fn restart(&self) -> Result<()> {
        let mut process = self.process();
        if let Some(running) = process.take() {
            running.end(&self.folder, Stop::Fast)?;
        }
        let arguments = self.options().arguments();
        *process = Some(Process::start(&self.binaries.path("postgres"), &self.folder, self.port, &arguments)?);
        Ok(())
    }

    /// Restarts the server with one more setting.
    ///
    /// # Errors
    /// As [`Server::restart`].
    pub fn restart_with(&self, name: &str, value: impl ToString) -> Result<()> {
        let changed = self.options().clone().with(name, value);
        *self.options() = changed;
        self.restart()
    }

    /// Freezes every process of the server: connections stay, nobody answers.
    ///
    /// # Errors
    /// When the server does not run.
    pub fn sigstop(&self) -> Result<()> {
        self.process().as_ref().context("the server does not run")?.freeze()
    }

    /// Lets a frozen server go on.
    ///
    /// # Errors
    /// When the server does not run.
    pub fn sigcont(&self) -> Result<()> {
        self.process().as_ref().context("the server does not run")?.thaw()
    }

    /// Makes a standby take writes, and returns once it does.
    ///
    /// # Errors
    /// When the server is no standby.
    pub fn promote(&self) -> Result<()> {
        // It must not wait there itself: what is still to be replayed may have to wait for its own snapshot.
        if self.execute("select pg_promote(false)")? != "t" {
            bail!("the standby is not promoted");
        }
        process::poll("the standby to take writes", || Ok(self.execute("select pg_is_in_recovery()")? == "f"))
    }

    /// Waits until this standby shows everything that `primary` has committed by now.
    ///
    /// # Errors
    /// When it does not catch up.
    pub fn catch_up_with(&self, primary: &Server) -> Result<()> {
        let reached = primary.execute("select pg_current_wal_lsn()")?;
        let caught_up = format!("select pg_last_wal_replay_lsn() >= '{reached}'");
        process::poll(&format!("the standby to reach {reached}"), || Ok(self.execute(&caught_up)? == "t"))
    }

    /// Where the server keeps its files; its log is the file `log` in there.
    pub fn folder(&self) -> PathBuf {
        self.folder.path().to_owned()
    }

    fn take_process(&self) -> Result<Process> {
        self.process().take().context("the server does not run")
    }

    fn process(&self) -> MutexGuard<'_, Option<Process>> {
        self.process.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn options(&self) -> MutexGuard<'_, Options> {
        self.options.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Whatever fails here, the keeper finishes.
        drop(self.stop(Stop::Immediate));
    }
}

/// The URL of a database at `host:port`.
pub(crate) fn url(role: &str, address: &str, database: &str) -> String {
    format!("postgres://{role}@{address}/{database}?sslmode=disable")
}
