//! A host: a network namespace that is kept by a file and has no name, so that it is gone with the last process on it and
//! with this one, however that ends.

use std::fs::File;
use std::io::{self, Write as _};
use std::os::fd::{AsFd as _, AsRawFd as _};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context as _, Result, ensure};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

/// Where namespaces with names are.
const NAMED: &str = "/run/netns";
/// Packets of the loopback network may leave and enter it.
const MAY_LEAVE: &str = "/proc/sys/net/ipv4/conf/all/route_localnet";
const FORWARDS: &str = "/proc/sys/net/ipv4/ip_forward";
/// Up, and no address is on it: those of the loopback network are elsewhere.
const EMPTY: &str = "link set lo up\naddr del 127.0.0.1/8 dev lo\n";
/// Tells hosts of the same name apart while they have one.
static NUMBER: AtomicU32 = AtomicU32::new(0);

/// The host.
#[derive(Debug)]
pub struct Host {
    name: String,
    namespace: File,
}

impl Host {
    /// A host with nothing on it.
    ///
    /// # Errors
    /// When this user or this system cannot have one.
    pub(super) fn new(name: &str) -> Result<Self> {
        // It has a name until its file is open.
        let number = NUMBER.fetch_add(1, Ordering::SeqCst);
        let place = format!("skald-{}-{number}", std::process::id());
        let netns = |does| Command::new("ip").args(["netns", does, &place]).output().context("cannot run ip");
        said_nothing(&netns("add")?, "ip netns add")?;
        let namespace = File::open(Path::new(NAMED).join(&place));
        said_nothing(&netns("delete")?, "ip netns delete")?;
        let host = Self { name: name.to_owned(), namespace: namespace.context("a namespace cannot be opened")? };
        host.inside(|| std::fs::write(MAY_LEAVE, "1"))?.with_context(|| format!("cannot write {MAY_LEAVE}"))?;
        host.ip(EMPTY)?;
        Ok(host)
    }

    /// It leads packets on from now on.
    pub(super) fn forwards(&self) -> Result<()> {
        self.inside(|| std::fs::write(FORWARDS, "1"))?.with_context(|| format!("cannot write {FORWARDS}"))
    }

    /// Does something there, on a thread of its own: what it opens and starts is there.
    ///
    /// # Errors
    /// When nobody gets there.
    pub fn inside<T: Send>(&self, work: impl FnOnce() -> T + Send) -> io::Result<T> {
        let there = || {
            move_into_link_name_space(self.namespace.as_fd(), Some(LinkNameSpaceType::Network))?;
            Ok(work())
        };
        let died = |_| Err(io::Error::other(format!("whoever went to the host of {} died", self.name)));
        std::thread::scope(|scope| scope.spawn(there).join().unwrap_or_else(died))
    }

    /// Where `ip` finds it.
    pub(super) fn path(&self) -> String {
        format!("/proc/{}/fd/{}", std::process::id(), self.namespace.as_raw_fd())
    }

    /// Runs lines of `ip`, up to the first one that fails.
    pub(super) fn ip(&self, script: &str) -> Result<()> {
        let run = || -> io::Result<Output> {
            let mut command = Command::new("ip");
            command.args(["-batch", "-"]).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
            let mut child = command.spawn()?;
            let written = child.stdin.take().map_or(Ok(()), |mut stdin| stdin.write_all(script.as_bytes()));
            // One that has ended early says why.
            drop(written);
            child.wait_with_output()
        };
        said_nothing(&self.inside(run)?.context("cannot run ip")?, &format!("ip, on the host of {}", self.name))
    }

    /// Packets that a device there has received.
    pub(super) fn received(&self, device: &str) -> Result<u64> {
        let told = self.inside(|| std::fs::read_to_string("/proc/thread-self/net/dev"))??;
        let numbers = told.lines().find_map(|line| line.trim_start().strip_prefix(device)?.strip_prefix(':'));
        let packets = numbers.and_then(|numbers| numbers.split_whitespace().nth(1));
        Ok(packets.with_context(|| format!("there is no device {device}"))?.parse()?)
    }
}

fn said_nothing(output: &Output, what: &str) -> Result<()> {
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "`{what}`: {}", said.trim());
    Ok(())
}
