//! A link between two processes that misbehaves as it is told: it cuts, holds back or delays what passes, in one direction
//! or both, and loses replies after their requests have arrived. It knows nothing of what passes but where a text stands
//! in it; [`crate::wire`] reads PostgreSQL's protocol for tests that want to break a certain statement.
//!
//! A direction that is held loses nothing: what was sent arrives once it is let go, as after a partition that TCP
//! survives. Whoever connects meanwhile is accepted and hears nothing.

use std::fmt::Debug;
use std::io;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

mod pump;

/// Which way something passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// From who has connected to whom he wants to reach.
    There,
    /// Answers.
    Back,
}

/// How often a link has done what it was told to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Connections that were cut, or not let in.
    pub cut: u64,
    /// Pieces that were held back.
    pub held: u64,
    /// Pieces that came late.
    pub late: u64,
    /// Requests that were forwarded, and whose replies were lost.
    pub lost: u64,
}

/// Where a link has its ends.
pub trait Ends: Debug + Send + Sync {
    /// Opens a port for those who want to pass.
    ///
    /// # Errors
    /// When none can be opened.
    fn listen(&self) -> io::Result<TcpListener>;

    /// Connects to `to`, where the link leads.
    ///
    /// # Errors
    /// When nobody is there.
    fn connect(&self, to: &str) -> io::Result<TcpStream>;

    /// Connects to the link's own port.
    ///
    /// # Errors
    /// When it is not open.
    fn knock(&self, port: SocketAddr) -> io::Result<TcpStream> {
        TcpStream::connect(port)
    }
}

/// Both on the loopback address.
#[derive(Debug)]
struct Loopback;

impl Ends for Loopback {
    fn listen(&self) -> io::Result<TcpListener> {
        TcpListener::bind(("127.0.0.1", 0))
    }

    fn connect(&self, to: &str) -> io::Result<TcpStream> {
        TcpStream::connect(to)
    }
}

/// The link. Dropped, it is cut for good.
#[derive(Debug)]
pub struct Link {
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    ends: Box<dyn Ends>,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// Where new connections lead to.
    to: String,
    /// New connections end at once.
    is_down: bool,
    there: Flow,
    back: Flow,
    loss: Option<Loss>,
    counts: Counts,
    connections: Vec<Connection>,
    next: u64,
    is_closed: bool,
}

/// What happens to what passes in one direction.
#[derive(Debug, Clone, Copy, Default)]
struct Flow {
    is_held: bool,
    late: Duration,
}

/// Replies to lose.
#[derive(Debug, Clone)]
struct Loss {
    /// What a request must hold; any does when this is empty.
    mark: Vec<u8>,
    times: usize,
}

#[derive(Debug)]
struct Connection {
    number: u64,
    client: TcpStream,
    server: TcpStream,
    /// Its next reply is not to arrive.
    is_doomed: bool,
}

impl Link {
    /// A link from a port of its own to `address`.
    ///
    /// # Errors
    /// When no port can be opened.
    pub fn to(address: &str) -> io::Result<Self> {
        Self::between(Box::new(Loopback), address)
    }

    /// A link whose ends are elsewhere.
    ///
    /// # Errors
    /// As [`Link::to`].
    pub fn between(ends: Box<dyn Ends>, address: &str) -> io::Result<Self> {
        let listener = ends.listen()?;
        let state = Mutex::new(State { to: address.to_owned(), ..State::default() });
        let shared = Arc::new(Shared { ends, state, changed: Condvar::new() });
        let link = Self { address: listener.local_addr()?, shared };
        let shared = link.shared.clone();
        std::thread::Builder::new().name("link".into()).spawn(move || accept(&listener, &shared))?;
        Ok(link)
    }

    /// `host:port` to connect to.
    pub fn address(&self) -> String {
        self.address.to_string()
    }

    /// New connections lead to `address` from now on; those that stand are cut.
    pub fn lead_to(&self, address: &str) {
        let mut state = self.shared.lock();
        state.to = address.to_owned();
        state.cut_all();
        self.shared.changed.notify_all();
    }

    /// Cuts all connections, now. They can be opened again at once.
    pub fn cut(&self) {
        let mut state = self.shared.lock();
        state.counts.cut += state.connections.len() as u64;
        state.cut_all();
        self.shared.changed.notify_all();
    }

    /// Cuts all connections, and lets no others in until [`Link::heal`].
    pub fn take_down(&self) {
        self.shared.lock().is_down = true;
        self.cut();
    }

    /// Lets nothing pass in that direction until [`Link::heal`].
    pub fn hold(&self, way: Way) {
        self.shared.lock().flow(way).is_held = true;
    }

    /// Everything takes so much longer in that direction until [`Link::heal`].
    pub fn delay(&self, way: Way, late: Duration) {
        self.shared.lock().flow(way).late = late;
    }

    /// Loses the replies to the next so many requests that hold `mark`: each is forwarded, and when the answer has come,
    /// the connection is cut instead.
    pub fn lose_replies(&self, mark: &[u8], times: usize) {
        self.shared.lock().loss = Some(Loss { mark: mark.to_vec(), times });
    }

    /// Lets everything pass from now on, first of all what was held back.
    pub fn heal(&self) {
        let mut state = self.shared.lock();
        (state.is_down, state.there, state.back, state.loss) = (false, Flow::default(), Flow::default(), None);
        state.connections.iter_mut().for_each(|connection| connection.is_doomed = false);
        self.shared.changed.notify_all();
    }

    /// Where those are who are connected now.
    pub fn clients(&self) -> Vec<SocketAddr> {
        let state = self.shared.lock();
        state.connections.iter().filter_map(|connection| connection.client.peer_addr().ok()).collect()
    }

    /// What it has done so far.
    pub fn counts(&self) -> Counts {
        self.shared.lock().counts
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.is_closed = true;
        state.cut_all();
        drop(state);
        self.shared.changed.notify_all();
        // Wakes whoever waits for the next client.
        drop(self.shared.ends.knock(self.address));
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn flow(&mut self, way: Way) -> &mut Flow {
        match way {
            Way::There => &mut self.there,
            Way::Back => &mut self.back,
        }
    }

    fn connection(&mut self, number: u64) -> Option<&mut Connection> {
        self.connections.iter_mut().find(|connection| connection.number == number)
    }

    fn cut_all(&mut self) {
        self.connections.drain(..).for_each(|connection| connection.sever());
    }

    fn cut(&mut self, number: u64) {
        if let Some(place) = self.connections.iter().position(|connection| connection.number == number) {
            self.connections.swap_remove(place).sever();
        }
    }
}

impl Connection {
    fn sever(&self) {
        for end in [&self.client, &self.server] {
            // One that is gone already is as it should be.
            drop(end.shutdown(Shutdown::Both));
        }
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    for client in listener.incoming() {
        let mut state = shared.lock();
        if state.is_closed {
            return;
        }
        if state.is_down {
            state.counts.cut += 1;
            continue;
        }
        let to = state.to.clone();
        drop(state);
        let Ok(client) = client else { continue };
        // On a thread of its own: where packets get lost, whoever is connected takes his time.
        let shared = shared.clone();
        // A server that is down is to its client a connection that ends at once.
        let lead = move || drop(connect(client, &to, &shared));
        drop(std::thread::Builder::new().name("link".into()).spawn(lead));
    }
}

fn connect(client: TcpStream, to: &str, shared: &Arc<Shared>) -> io::Result<()> {
    let server = shared.ends.connect(to)?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let mut state = shared.lock();
    // It may have been taken down, or led elsewhere, while the server was being reached.
    if state.is_down || state.is_closed || state.to != to {
        return Ok(());
    }
    state.next += 1;
    let number = state.next;
    let ends = || Ok::<_, io::Error>((client.try_clone()?, server.try_clone()?));
    let (there, back) = (ends()?, ends()?);
    state.connections.push(Connection { number, client, server, is_doomed: false });
    drop(state);
    pump::start((there.0, there.1), Way::There, number, shared.clone())?;
    pump::start((back.1, back.0), Way::Back, number, shared.clone())
}
