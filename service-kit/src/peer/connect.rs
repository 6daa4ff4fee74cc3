//! How a stream to an address comes about: over TCP, unless a simulation has another network.

use std::io;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

/// Opens streams; cheap to clone.
pub trait Connect: Clone + Send + Sync + 'static {
    /// What bytes go over.
    type Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static;

    /// Connects to a port of a host. `attempt` counts the tries and differs between lines, so that those to a name that
    /// stands for several places spread over them.
    fn connect(&self, host: &str, port: u16, attempt: usize) -> impl Future<Output = io::Result<Self::Stream>> + Send;
}

/// The operating system's network. Names are looked up anew each time.
#[derive(Debug, Clone, Copy)]
pub struct Tcp;

impl Connect for Tcp {
    type Stream = TcpStream;

    /// Connects to the first that accepts of all that the name stands for.
    async fn connect(&self, host: &str, port: u16, attempt: usize) -> io::Result<TcpStream> {
        let mut found: Vec<_> = tokio::net::lookup_host((host, port)).await?.collect();
        let first = attempt.checked_rem(found.len()).unwrap_or_default();
        found.rotate_left(first);
        let mut failed = io::Error::new(io::ErrorKind::NotFound, "the name stands for no address");
        for address in found {
            match TcpStream::connect(address).await {
                Ok(stream) => return stream.set_nodelay(true).map(|()| stream),
                Err(error) => failed = error,
            }
        }
        Err(failed)
    }
}
