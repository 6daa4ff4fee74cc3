//! One direction of one connection: reads a piece, waits until it may pass, writes it.

use std::io::{self, Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use super::{Shared, Way};

/// Bytes of one piece at most.
const PIECE: usize = 64 << 10;
/// What is shorter is no answer, but housekeeping: an acknowledged ping or setting, a wider window.
const SHORTEST_ANSWER: usize = 32;

/// What becomes of a piece.
enum Fate {
    Passes(Duration),
    /// The connection ends here.
    Lost,
}

/// Starts it on a thread of its own; when it ends, so does the connection.
pub(super) fn start((from, to): (TcpStream, TcpStream), way: Way, number: u64, shared: Arc<Shared>) -> io::Result<()> {
    let run = move || {
        match pass(&from, &to, way, &|piece| fate(&shared, way, number, piece)) {
            // The other direction may still have something to say.
            Ok(()) => drop(to.shutdown(Shutdown::Write)),
            Err(_) => shared.lock().cut(number),
        }
        if way == Way::Back {
            shared.lock().cut(number);
        }
    };
    std::thread::Builder::new().name("link".into()).spawn(run).map(drop)
}

fn pass(mut from: &TcpStream, mut to: &TcpStream, way: Way, fate: &dyn Fn(&[u8]) -> Fate) -> io::Result<()> {
    let mut buffer = vec![0; PIECE];
    loop {
        let length = from.read(&mut buffer)?;
        if length == 0 {
            return Ok(());
        }
        match fate(&buffer[..length]) {
            Fate::Passes(late) if late.is_zero() => {}
            Fate::Passes(late) => std::thread::sleep(late),
            Fate::Lost => return Err(io::Error::new(io::ErrorKind::ConnectionAborted, format!("{way:?} is cut"))),
        }
        to.write_all(&buffer[..length])?;
    }
}

/// Waits while the direction is held.
fn fate(shared: &Shared, way: Way, number: u64, piece: &[u8]) -> Fate {
    let mut state = shared.lock();
    state.counts.held += u64::from(state.flow(way).is_held);
    while state.flow(way).is_held && state.connection(number).is_some() {
        state = shared.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
    }
    let late = state.flow(way).late;
    state.counts.late += u64::from(!late.is_zero());
    let is_marked = way == Way::There && state.loss.as_ref().is_some_and(|loss| loss.times > 0 && loss.is_in(piece));
    let is_answer = way == Way::Back && piece.len() >= SHORTEST_ANSWER;
    let Some(connection) = state.connection(number) else { return Fate::Lost };
    let was_doomed = connection.is_doomed;
    connection.is_doomed |= is_marked;
    if is_marked && !was_doomed {
        state.loss.iter_mut().for_each(|loss| loss.times -= 1);
    }
    if is_answer && was_doomed {
        state.counts.lost += 1;
        return Fate::Lost;
    }
    Fate::Passes(late)
}

impl super::Loss {
    fn is_in(&self, piece: &[u8]) -> bool {
        match self.mark.is_empty() {
            true => piece.len() >= SHORTEST_ANSWER,
            false => piece.windows(self.mark.len()).any(|window| window == self.mark),
        }
    }
}
