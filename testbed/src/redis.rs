//! Private Redis servers on free loopback ports that keep nothing on disk: a restart is the loss of everything. They die
//! with the test process, however that dies.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use tempfile::TempDir;

/// Runs the server until its input ends, as it does with the test process.
const KEEPER: &str = r#"
trap '' HUP INT TERM
"$@" </dev/null >/dev/null 2>&1 &
read -r _
kill -KILL $!
"#;
/// Databases of one server: each test has its own.
const DATABASES: usize = 1_000;
const PAUSE: Duration = Duration::from_millis(10);
/// A minute, in pauses.
const PAUSES: usize = 6_000;

static SERVER: LazyLock<Server> = LazyLock::new(|| Server::start().expect("redis-server can be started for the tests"));
static USED: AtomicUsize = AtomicUsize::new(0);

/// The address of an empty database on the server that all tests of this process share.
pub fn database() -> String {
    format!("{}/{}", SERVER.url(), USED.fetch_add(1, Ordering::Relaxed) % DATABASES)
}

/// A server of its own, for a test that stops it.
#[derive(Debug)]
pub struct Server {
    folder: TempDir,
    port: u16,
    keeper: Child,
}

impl Server {
    /// Starts a server and returns once it answers.
    ///
    /// # Errors
    /// When `redis-server` is not installed or does not start.
    pub fn start() -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("skald-redis-").tempdir()?;
        let port = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
        let keeper = keep(&folder, port)?;
        let server = Self { folder, port, keeper };
        server.await_answer()?;
        Ok(server)
    }

    /// Its address, without a database.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Ends the server; nothing of what it held is left.
    ///
    /// # Errors
    /// When it does not end.
    pub fn stop(&mut self) -> Result<()> {
        drop(self.keeper.stdin.take());
        self.keeper.wait().context("cannot wait for redis-server")?;
        for _ in 0..PAUSES {
            if TcpStream::connect(("127.0.0.1", self.port)).is_err() {
                return Ok(());
            }
            std::thread::sleep(PAUSE);
        }
        bail!("redis-server does not end")
    }

    /// Starts it again, empty, at the same address.
    ///
    /// # Errors
    /// As [`Server::start`].
    pub fn restart(&mut self) -> Result<()> {
        self.stop()?;
        self.keeper = keep(&self.folder, self.port)?;
        self.await_answer()
    }

    fn await_answer(&self) -> Result<()> {
        for _ in 0..PAUSES {
            if self.ping().is_ok() {
                return Ok(());
            }
            std::thread::sleep(PAUSE);
        }
        bail!("redis-server does not answer on port {}", self.port)
    }

    fn ping(&self) -> Result<()> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port))?;
        stream.write_all(b"PING\r\n")?;
        let mut answer = [0; 5];
        stream.read_exact(&mut answer)?;
        if &answer == b"+PONG" { Ok(()) } else { bail!("something else answers on port {}", self.port) }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        // The keeper ends the server first.
        drop(self.keeper.wait());
    }
}

fn keep(folder: &TempDir, port: u16) -> Result<Child> {
    let mut keeper = Command::new("sh");
    keeper.args(["-c", KEEPER, "keeper", "redis-server", "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]);
    keeper.args(["--port", &port.to_string(), "--databases", &DATABASES.to_string()]);
    keeper.arg("--dir").arg(folder.path()).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    // What a terminal sends to the tests must not reach it.
    keeper.process_group(0).spawn().context("cannot start sh")
}
