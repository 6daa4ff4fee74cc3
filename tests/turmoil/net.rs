//! The simulated network and time, as the system takes them.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::atomic::{AtomicI64, Ordering};
use std::task::{Context, Poll};

use futures_util::Stream;
use service_kit::clock::Clock;
use service_kit::peer::Connect;
use skald_tests::world::NOW_MS;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tonic::transport::server::Connected;
use turmoil::net::{TcpListener, TcpStream};

/// Where every host listens.
pub(crate) const PORT: u16 = 7000;

/// Streams between hosts of the simulation.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Net;

impl Connect for Net {
    type Stream = TcpStream;

    async fn connect(&self, host: &str, port: u16, _attempt: usize) -> io::Result<TcpStream> {
        TcpStream::connect((host, port)).await
    }
}

/// Connections as they come in at [`PORT`].
pub(crate) async fn incoming() -> io::Result<impl Stream<Item = io::Result<Accepted>>> {
    let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, PORT)).await?;
    Ok(futures_util::stream::unfold(listener, async |listener| {
        let accepted = listener.accept().await.map(|(stream, from)| Accepted { stream, from });
        Some((accepted, listener))
    }))
}

/// A stream that somebody else has opened.
#[derive(Debug)]
pub(crate) struct Accepted {
    stream: TcpStream,
    from: SocketAddr,
}

impl Connected for Accepted {
    type ConnectInfo = SocketAddr;

    fn connect_info(&self) -> SocketAddr {
        self.from
    }
}

impl AsyncRead for Accepted {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buf)
    }
}

impl AsyncWrite for Accepted {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

/// The time of the simulation; outside of it, the last that was seen.
#[derive(Debug, Default)]
pub(crate) struct SimClock(AtomicI64);

impl Clock for SimClock {
    fn now_ms(&self) -> i64 {
        if let Some(elapsed) = turmoil::sim_elapsed() {
            let elapsed = i64::try_from(elapsed.as_millis()).expect("a simulation is short");
            self.0.fetch_max(elapsed, Ordering::Relaxed);
        }
        NOW_MS + self.0.load(Ordering::Relaxed)
    }
}
