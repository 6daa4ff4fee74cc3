//! The ends of a link on the host in the middle, or outside where a process lives there.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, connect, socket_with};
use testbed::link::Ends;

use super::Host;

/// How long somebody is sought who may be out of reach.
const PATIENCE: Duration = Duration::from_secs(2);

#[derive(Debug)]
pub(super) struct Crossing {
    pub(super) middle: Arc<Host>,
    /// The pair's own, so that whatever goes to it and comes from it is of this link.
    pub(super) address: Ipv4Addr,
    /// Whether the caller and the called live on hosts.
    pub(super) is_inside: (bool, bool),
}

impl Ends for Crossing {
    fn listen(&self) -> io::Result<TcpListener> {
        match self.is_inside.0 {
            true => self.middle.inside(|| TcpListener::bind((self.address, 0)))?,
            false => TcpListener::bind((Ipv4Addr::LOCALHOST, 0)),
        }
    }

    fn connect(&self, to: &str) -> io::Result<TcpStream> {
        match self.is_inside.1 {
            true => self.middle.inside(|| connect_from(self.address, to))?,
            false => TcpStream::connect(to),
        }
    }

    fn knock(&self, port: SocketAddr) -> io::Result<TcpStream> {
        match self.is_inside.0 {
            true => self.middle.inside(|| TcpStream::connect(port))?,
            false => TcpStream::connect(port),
        }
    }
}

fn connect_from(address: Ipv4Addr, to: &str) -> io::Result<TcpStream> {
    let to: SocketAddrV4 = to.parse().map_err(io::Error::other)?;
    let socket = socket_with(AddressFamily::INET, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    bind(&socket, &SocketAddrV4::new(address, 0))?;
    set_socket_timeout(&socket, Timeout::Send, Some(PATIENCE))?;
    connect(&socket, &to)?;
    set_socket_timeout(&socket, Timeout::Send, None)?;
    Ok(TcpStream::from(socket))
}
