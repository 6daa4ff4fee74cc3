//! Processes of the binary, none of which outlives its test.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::{Instant, sleep, timeout};
use tonic::transport::{Channel, Endpoint};

/// How long a start or an end may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// The binary, in an environment without any setting.
pub(crate) fn command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_skald"));
    command.env_clear().stdin(Stdio::null());
    command
}

/// Runs the binary to its end.
pub(crate) fn run(args: &[&str]) -> Output {
    command().args(args).output().expect("the binary runs")
}

/// What it says on standard output, as text.
pub(crate) fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// What it says on standard error, as text.
pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A running `skald up`, or one service of it; killed when dropped.
pub(crate) struct Skald {
    child: Child,
    /// `http://127.0.0.1:…`.
    pub(crate) address: String,
    /// When it said that it listens.
    pub(crate) listening: Instant,
}

impl Skald {
    /// Starts it on a directory, on any free port, and waits until it listens.
    pub(crate) async fn start(data_dir: &Path, more: &[&str]) -> Self {
        Self::start_part("up", "127.0.0.1:0", data_dir, more).await
    }

    /// Starts one part of it on that address.
    pub(crate) async fn start_part(part: &str, listen: &str, data_dir: &Path, more: &[&str]) -> Self {
        let mut command = command();
        command.args([part, "--listen", listen]).arg("--data-dir").arg(data_dir).args(more);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the binary starts");
        let (told, tells) = oneshot::channel();
        let stdout = BufReader::new(child.stdout.take().expect("it is piped"));
        let mut stderr = child.stderr.take().expect("it is piped");
        // Whatever it says is read to the end, so that it never waits for a reader.
        std::thread::spawn(move || {
            let mut lines = stdout.lines().map_while(Result::ok);
            let first = lines.find_map(|line| Some(line.split_once("gRPC")?.1.split_once(": ")?.1.to_owned()));
            drop(first.map(|address| told.send((address, Instant::now()))));
            lines.for_each(drop);
        });
        std::thread::spawn(move || {
            let mut said = String::new();
            drop(stderr.read_to_string(&mut said));
            if said.contains("ERROR") {
                eprintln!("{said}");
            }
        });
        let (address, listening) = timeout(PATIENCE, tells).await.expect("it is up in time").expect("it comes up");
        Self { child, address, listening }
    }

    pub(crate) async fn channel(&self) -> Channel {
        let endpoint = Endpoint::from_shared(self.address.clone()).expect("it tells a good address");
        endpoint.tcp_nodelay(true).connect().await.expect("it listens where it says")
    }

    /// `kill -9`, and its place stays known.
    pub(crate) fn kill_now(&mut self) {
        self.child.kill().expect("it still runs");
        self.child.wait().expect("it is our child");
    }

    /// `kill -9`.
    pub(crate) fn kill(mut self) {
        self.child.kill().expect("it still runs");
        self.child.wait().expect("it is our child");
    }

    /// `kill` with a signal of that name.
    pub(crate) fn signal(&self, name: &str) {
        let kill = format!("kill -{name} {}", self.child.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().expect("there is a shell").success());
    }

    /// `kill -TERM`; tells its exit code and how long it took to end.
    pub(crate) async fn terminate(mut self) -> (Option<i32>, Duration) {
        let asked = Instant::now();
        self.signal("TERM");
        while asked.elapsed() < PATIENCE {
            if let Some(status) = self.child.try_wait().expect("it is our child") {
                return (status.code(), asked.elapsed());
            }
            sleep(Duration::from_millis(5)).await;
        }
        panic!("it does not end");
    }
}

impl Drop for Skald {
    fn drop(&mut self) {
        // It may have ended already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
