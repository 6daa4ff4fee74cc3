//! A wire between PostgreSQL clients and their server that breaks where a test says: at once, or at a statement. It reads
//! just enough of the protocol to tell what a client asks for, and lives on threads, so that paused time does not stop it.

use std::io::{self, ErrorKind};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::postgres::{self, ROLE};

mod client;
mod frame;
mod server;

/// Where in the life of a statement the wire breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// The client has sent it, the server never sees it.
    Before,
    /// The server has carried it out and answered, the client never hears of it.
    After,
}

/// The wire. Dropped, it is cut for good.
#[derive(Debug)]
pub struct Wire {
    address: SocketAddr,
    shared: Arc<Mutex<Shared>>,
}

#[derive(Debug)]
struct Shared {
    /// Where new connections lead to.
    to: String,
    plan: Option<Plan>,
    cuts: usize,
    connections: Vec<(TcpStream, TcpStream)>,
    closed: bool,
}

/// Which statements break the wire, and how often they still do.
#[derive(Debug, Clone)]
struct Plan {
    cut: Cut,
    /// How such a statement begins, in lower case.
    statement: String,
    times: usize,
}

impl Wire {
    /// A wire from a port of its own to `address`.
    ///
    /// # Errors
    /// When no port can be opened.
    pub fn to(address: &str) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let shared = Shared { to: address.to_owned(), plan: None, cuts: 0, connections: Vec::new(), closed: false };
        let wire = Self { address: listener.local_addr()?, shared: Arc::new(Mutex::new(shared)) };
        let shared = wire.shared.clone();
        std::thread::Builder::new().name("wire".into()).spawn(move || accept(&listener, &shared))?;
        Ok(wire)
    }

    /// Where an application connects to, as [`ROLE`].
    pub fn url(&self, database: &str) -> String {
        postgres::url(ROLE, &self.address.to_string(), database)
    }

    /// New connections lead to `address` from now on; those that stand are cut.
    pub fn lead_to(&self, address: &str) {
        lock(&self.shared).to = address.to_owned();
        self.cut();
    }

    /// Cuts all connections, now.
    pub fn cut(&self) {
        let mut shared = lock(&self.shared);
        for (client, server) in shared.connections.drain(..) {
            sever(&client, &server);
        }
    }

    /// The next so many statements that begin with `statement` break the connection that they come on.
    pub fn cut_at(&self, cut: Cut, statement: &str, times: usize) {
        lock(&self.shared).plan = Some(Plan { cut, statement: statement.to_lowercase(), times });
    }

    /// How often a statement has broken its connection.
    pub fn cuts(&self) -> usize {
        lock(&self.shared).cuts
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        lock(&self.shared).closed = true;
        self.cut();
        // Wakes whoever waits for the next client.
        drop(TcpStream::connect(self.address));
    }
}

impl Shared {
    /// Whether this statement breaks the wire; each time counts.
    fn breaks_at(&mut self, statement: &str) -> Option<Cut> {
        let plan = self.plan.as_mut().filter(|plan| plan.times > 0)?;
        if !statement.trim_start().to_lowercase().starts_with(&plan.statement) {
            return None;
        }
        plan.times -= 1;
        self.cuts += 1;
        Some(plan.cut)
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Mutex<Shared>>) {
    for client in listener.incoming() {
        if lock(shared).closed {
            return;
        }
        // A server that is down is to its client a connection that ends at once.
        if let Ok(client) = client {
            drop(connect(client, shared));
        }
    }
}

fn connect(client: TcpStream, shared: &Arc<Mutex<Shared>>) -> io::Result<()> {
    let to = lock(shared).to.clone();
    let server = TcpStream::connect(to)?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    lock(shared).connections.push((client.try_clone()?, server.try_clone()?));
    let awaited = Arc::new(Mutex::new(server::Awaited::default()));
    let ends = || Ok::<_, io::Error>((client.try_clone()?, server.try_clone()?));
    let upwards = client::Upwards::new(ends()?, shared.clone(), awaited.clone())?;
    thread(ends()?, move || upwards.run())?;
    let downwards = ends()?;
    thread(ends()?, move || server::downwards(downwards, &awaited))
}

/// Runs one direction; when it ends, the connection does.
fn thread(
    (client, server): (TcpStream, TcpStream),
    direction: impl FnOnce() -> io::Result<()> + Send + 'static,
) -> io::Result<()> {
    let run = move || {
        drop(direction());
        sever(&client, &server);
    };
    std::thread::Builder::new().name("wire".into()).spawn(run).map(drop)
}

fn sever(client: &TcpStream, server: &TcpStream) {
    for end in [client, server] {
        // One that is gone already is as it should be.
        drop(end.shutdown(Shutdown::Both));
    }
}

fn broken() -> io::Error {
    io::Error::new(ErrorKind::ConnectionAborted, "the wire is cut")
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
