//! The server below a stand-in: a router on an address of this machine, until it is dropped.

use std::net::SocketAddr;

use axum::Router;
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

/// A stand-in that listens; it stops with this value, and connections break off.
#[derive(Debug)]
pub struct Listening {
    /// Where.
    pub address: SocketAddr,
    serving: TaskTracker,
    _stop: DropGuard,
}

impl Listening {
    /// Serves on `listen`, such as `127.0.0.1:0` for any free port.
    ///
    /// # Errors
    /// When the address is not to be had.
    pub async fn on(listen: &str, router: Router) -> std::io::Result<Self> {
        let listener = TcpListener::bind(listen).await?;
        let address = listener.local_addr()?;
        let (serving, stop) = (TaskTracker::new(), CancellationToken::new());
        let stopped = stop.clone();
        serving.spawn(async move {
            // Whatever is under way is cut: that is what a stop looks like from outside.
            stopped.run_until_cancelled(axum::serve(listener, router).into_future()).await;
        });
        serving.close();
        Ok(Self { address, serving, _stop: stop.drop_guard() })
    }

    /// `http://host:port`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Returns when it does not listen any more.
    pub async fn ended(&self) {
        self.serving.wait().await;
    }
}
