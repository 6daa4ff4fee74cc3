//! One life of the process under test: started, told what to suffer, and seen to die. None outlives its test.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use service_kit::clock::Stopwatch;
use service_kit::crash;
use tonic::transport::{Channel, Endpoint};

/// How long a start, an answer or an end may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often it is looked whether the process has ended.
const LOOK: Duration = Duration::from_millis(2);
const SIGABRT: i32 = 6;

/// Where lives are led, one after the other.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    /// Directory of the database, where it is a file.
    pub(crate) data_dir: PathBuf,
    /// The server, where it is not.
    pub(crate) postgres: Option<String>,
    /// Further settings, `key=value`.
    pub(crate) settings: Vec<String>,
}

impl Place {
    /// What the process is told on its command line.
    pub(crate) fn arguments(&self) -> service_kit::process::Arguments {
        service_kit::process::Arguments {
            listen: Some("127.0.0.1:0".into()),
            data_dir: Some(self.data_dir.display().to_string()),
            postgres: self.postgres.clone(),
            set: self.settings.clone(),
            ..Default::default()
        }
    }
}

/// A running process; killed when dropped.
pub(crate) struct Life {
    child: Child,
    orders: ChildStdin,
    said: Receiver<String>,
    complaints: Arc<Mutex<String>>,
    reader: Option<JoinHandle<()>>,
}

impl Life {
    /// Starts it, to die at the given point if one is given.
    pub(crate) fn begin(place: &Place, point: Option<&str>) -> Result<Self> {
        Self::begin_with(place, &[], point)
    }

    /// The same with further settings.
    pub(crate) fn begin_with(place: &Place, settings: &[&str], point: Option<&str>) -> Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.env_clear().arg("up");
        let arguments = place.arguments();
        let mut option = |name: &str, value: &Option<String>| {
            value.as_ref().map(|value| command.args([name, value]));
        };
        option("--listen", &arguments.listen);
        option("--data-dir", &arguments.data_dir);
        option("--postgres", &arguments.postgres);
        let more = settings.iter().map(|set| (*set).to_owned());
        arguments.set.iter().cloned().chain(more).for_each(|set| option("--set", &Some(set)));
        if let Some(point) = point {
            command.env(crash::VARIABLE, point);
        }
        let command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().context("the process does not start")?;
        let orders = child.stdin.take().context("it is piped")?;
        let stdout = BufReader::new(child.stdout.take().context("it is piped")?);
        let mut stderr = BufReader::new(child.stderr.take().context("it is piped")?);
        let (says, said) = channel();
        // Whatever it says is read to the end, so that it never waits for a reader.
        std::thread::spawn(move || stdout.lines().map_while(Result::ok).for_each(|line| drop(says.send(line))));
        let complaints = Arc::new(Mutex::new(String::new()));
        let heard = complaints.clone();
        let reader = std::thread::spawn(move || {
            let mut text = Vec::new();
            drop(stderr.read_to_end(&mut text));
            *heard.lock().unwrap_or_else(PoisonError::into_inner) = String::from_utf8_lossy(&text).into_owned();
        });
        Ok(Self { child, orders, said, complaints, reader: Some(reader) })
    }

    /// Waits until it listens, and connects.
    pub(crate) async fn channel(&mut self) -> Result<Channel> {
        let line = self.hear().await?;
        let address = line.strip_prefix("listening: ").with_context(|| format!("it says {line:?}"))?;
        let endpoint = Endpoint::from_shared(address.to_owned())?.tcp_nodelay(true);
        Ok(endpoint.connect().await?)
    }

    /// Has it do something at once.
    pub(crate) async fn tell(&mut self, order: &str) -> Result<()> {
        writeln!(self.orders, "{order}").with_context(|| format!("it takes no orders: {order}"))?;
        let answer = self.hear().await?;
        if answer != "ok" {
            bail!("{order}: {answer}");
        }
        Ok(())
    }

    async fn hear(&mut self) -> Result<String> {
        let watch = Stopwatch::start();
        while u128::try_from(watch.elapsed_ms()).unwrap_or_default() < PATIENCE.as_millis() {
            match self.said.try_recv() {
                Ok(line) => return Ok(line),
                Err(std::sync::mpsc::TryRecvError::Empty) => tokio::time::sleep(LOOK).await,
                Err(std::sync::mpsc::TryRecvError::Disconnected) => {
                    let status = self.child.wait()?;
                    bail!("it has ended with {status}: {}", self.complaints());
                }
            }
        }
        bail!("it says nothing")
    }

    /// Whether it runs still.
    pub(crate) fn is_alive(&mut self) -> Result<bool> {
        Ok(self.child.try_wait()?.is_none())
    }

    /// Waits until it has died at its point; an error if it does not, or dies otherwise.
    pub(crate) async fn dies(&mut self, point: &str, patience: Duration) -> Result<()> {
        let status = self.ends(patience).await?;
        let said = self.complaints();
        let name = point.split(['@', '#']).next().unwrap_or_default();
        if status.signal() != Some(SIGABRT) || !said.contains(&format!("crash point {name}@")) {
            bail!("it was to die at {point}, and ended with {status}: {said}");
        }
        Ok(())
    }

    /// Waits until it has ended by itself.
    pub(crate) async fn ends(&mut self, patience: Duration) -> Result<ExitStatus> {
        let watch = Stopwatch::start();
        while u128::try_from(watch.elapsed_ms()).unwrap_or_default() < patience.as_millis() {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            tokio::time::sleep(LOOK).await;
        }
        bail!("it goes on living")
    }

    /// `kill -9`, unless it has ended.
    pub(crate) fn kill(&mut self) -> Result<()> {
        if self.is_alive()? {
            self.child.kill()?;
            self.child.wait()?;
        }
        Ok(())
    }

    /// Asks it to end.
    pub(crate) fn terminate(&self) -> Result<()> {
        let kill = format!("kill -TERM {}", self.child.id());
        Command::new("sh").args(["-c", &kill]).status()?;
        Ok(())
    }

    /// What it has written on standard error, once it has ended.
    pub(crate) fn complaints(&mut self) -> String {
        if let Some(reader) = self.reader.take() {
            drop(reader.join());
        }
        self.complaints.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Life {
    fn drop(&mut self) {
        // It may have ended already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
