//! From the server to the client. Counts answers, so that the wire can break after one was given and before it arrives.

use std::io::{self, BufReader, BufWriter, Write as _};
use std::net::TcpStream;
use std::sync::Mutex;

use super::frame::Frame;
use super::{broken, lock};

/// Questions and answers of one connection.
#[derive(Debug)]
pub(super) struct Awaited {
    asked: u64,
    answered: u64,
    /// The wire breaks when so many have been answered; nothing passes until then.
    cut_after: Option<u64>,
}

impl Default for Awaited {
    fn default() -> Self {
        // A server is "ready" once unasked, after the greeting.
        Self { asked: 1, answered: 0, cut_after: None }
    }
}

impl Awaited {
    pub(super) fn asked(&mut self) {
        self.asked += 1;
    }

    pub(super) fn cut_after_the_next(&mut self) {
        self.cut_after = Some(self.asked + 1);
    }
}

/// Passes messages on until the server leaves or the wire breaks.
pub(super) fn downwards((client, server): (TcpStream, TcpStream), awaited: &Mutex<Awaited>) -> io::Result<()> {
    let (mut from, mut to) = (BufReader::new(server), BufWriter::new(client));
    while let Some(frame) = Frame::read(&mut from)? {
        let mut awaited = lock(awaited);
        awaited.answered += u64::from(frame.letter() == b'Z');
        match awaited.cut_after {
            Some(last) if awaited.answered >= last => return Err(broken()),
            Some(_) => continue,
            None => drop(awaited),
        }
        frame.write(&mut to)?;
        if from.buffer().is_empty() {
            to.flush()?;
        }
    }
    Ok(())
}
