//! The one port of a process: taken first, so that nothing else has been done when it is not to be had; then served; then
//! closed in good order.

use std::net::SocketAddr;

use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::Error;
use crate::serve::{self, Health, Limits, Served, Server};

/// A port that is ours, and not served yet.
#[derive(Debug)]
pub struct Port(TcpListener);

/// A port that answers.
#[derive(Debug)]
pub struct Serving {
    /// Where it listens.
    pub address: SocketAddr,
    /// Says whether calls are wanted.
    pub health: Health,
    stop: CancellationToken,
    task: JoinHandle<Result<(), serve::Error>>,
}

impl Port {
    /// Takes the port.
    ///
    /// # Errors
    /// When somebody else has it.
    pub async fn bind(listen: &str) -> Result<Self, Error> {
        TcpListener::bind(listen).await.map(Self).map_err(|error| Error::Listen(listen.to_owned(), error))
    }

    /// Serves it.
    ///
    /// # Errors
    /// When the services do not fit together.
    pub async fn serve(self, served: Served, limits: Limits) -> Result<Serving, Error> {
        let address = self.0.local_addr().map_err(|error| Error::Process("tell the port", error))?;
        let server = Server::new(served, limits).await?;
        let (health, stop) = (server.health(), CancellationToken::new());
        // On no service's tracker: it ends after their background work has been told to.
        let task = TaskTracker::new().spawn(server.serve(self.0, stop.clone()));
        Ok(Serving { address, health, stop, task })
    }
}

impl Serving {
    /// Takes nothing new and lets calls end.
    ///
    /// # Errors
    /// When it had failed before.
    pub async fn close(self) -> Result<(), Error> {
        self.stop.cancel();
        match self.task.await {
            Ok(served) => Ok(served?),
            Err(panicked) => Err(Error::Process("serve", std::io::Error::other(panicked))),
        }
    }
}
