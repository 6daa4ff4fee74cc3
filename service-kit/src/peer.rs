//! A client of another process: gRPC calls over several connections to one or several addresses. Connections open by
//! themselves, in the background, and come back by themselves; a call takes the one that has least to do.
//!
//! What sets this apart from tonic's own channels: an address that is down costs no call anything, because only
//! connections that have answered are used; and whoever calls can tell what never left this process
//! ([`tonic::ConnectError`] among the error's sources) from what was cut on its way. Deadlines are the caller's affair.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use futures_util::future::BoxFuture;
use http::{Request, Response};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{broadcast, watch};
use tokio_util::task::TaskTracker;
use tonic::ConnectError;
use tonic::body::Body;

mod address;
mod client;
mod connect;
mod line;

pub use address::{Addresses, Connections};
pub use client::Client;
pub use connect::{Connect, Tcp};
use line::{Connection, Line, Sent};

/// What can go wrong with a call.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Another process; cheap to clone. Its connections end with the last clone.
#[derive(Debug, Clone)]
pub struct Peer {
    name: &'static str,
    lines: watch::Receiver<Vec<Line>>,
    /// Word of every change, to those who wait in the order in which they came. (A watch wakes them at random.)
    changes: broadcast::WeakSender<()>,
    next: Arc<AtomicUsize>,
}

impl Peer {
    /// The process of that name. Returns at once; nobody needs to listen there yet.
    pub fn new(name: &'static str, addresses: &Addresses, connections: Connections) -> Self {
        Self::over(Tcp, name, addresses, connections)
    }

    /// The same over another network.
    pub fn over(network: impl Connect, name: &'static str, addresses: &Addresses, connections: Connections) -> Self {
        let places: Vec<_> = (0..connections.per_address).flat_map(|_| addresses.iter().cloned()).collect();
        let (opened, lines) = watch::channel(vec![Line::Opening; places.len()]);
        let (changed, _) = broadcast::channel(1);
        let changes = changed.downgrade();
        let shown = line::Shown { lines: opened, changed };
        let keepers = TaskTracker::new();
        for (number, address) in places.into_iter().enumerate() {
            let line = line::Place { name, number, addresses: addresses.count(), address, connections };
            keepers.spawn(line::keep(line, network.clone(), shown.clone()));
        }
        Self { name, lines, changes, next: Arc::default() }
    }

    /// What keeps its connections from being there, for those that are not, in no order.
    pub fn problems(&self) -> Vec<String> {
        let problem = |line: &Line| match line {
            Line::Down(problem) => Some(problem.to_string()),
            Line::Opening | Line::Open(_) => None,
        };
        self.lines.borrow().iter().filter_map(problem).collect()
    }

    /// Sends on the best connection, and on another one if that was closed before the request left.
    async fn send(self, mut request: Request<Body>) -> Result<Response<Body>, BoxError> {
        loop {
            let connection = self.pick().await?;
            match connection.send(request).await {
                Sent::Answered(response) => return Ok(response.map(Body::new)),
                Sent::Unsent(again) => request = *again,
                Sent::Refused(error) => return Err(ConnectError(error).into()),
                Sent::InDoubt(error) => return Err(error),
            }
        }
    }

    /// An open connection; waits while one may come up at any moment, but not for an address that is known to be down.
    async fn pick(&self) -> Result<Connection, ConnectError> {
        if let Some(connection) = self.least_busy(&self.lines.borrow()) {
            return Ok(connection);
        }
        let ending = || ConnectError("this process is ending".into());
        let mut changes = self.changes.upgrade().ok_or_else(ending)?.subscribe();
        loop {
            {
                let lines = self.lines.borrow();
                if let Some(connection) = self.least_busy(&lines) {
                    return Ok(connection);
                }
                if let Some(problem) = hopeless(&lines) {
                    return Err(ConnectError(format!("no connection to {}: {problem}", self.name).into()));
                }
            }
            if changes.recv().await == Err(RecvError::Closed) {
                return Err(ending());
            }
        }
    }

    /// One after the other among those that have equally little to do.
    fn least_busy(&self, lines: &[Line]) -> Option<Connection> {
        let start = self.next.fetch_add(1, Ordering::Relaxed);
        let in_turn = (0..lines.len()).map(|step| &lines[start.wrapping_add(step) % lines.len()]);
        in_turn.filter_map(Line::open).min_by_key(|connection| connection.calls()).cloned()
    }
}

/// Why there will be no connection for now, if that is so.
fn hopeless(lines: &[Line]) -> Option<&str> {
    let mut last = None;
    for line in lines {
        match line {
            Line::Down(problem) => last = Some(&**problem),
            Line::Opening | Line::Open(_) => return None,
        }
    }
    last
}

impl tower::Service<Request<Body>> for Peer {
    type Response = Response<Body>;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Response<Body>, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        Box::pin(self.clone().send(request))
    }
}
