//! From the client to the server: finds the statements in what passes, and breaks the wire at the one that was named.

use std::collections::HashMap;
use std::io::{self, BufReader, BufWriter, Write as _};
use std::net::TcpStream;
use std::sync::{Arc, Mutex};

use super::frame::Frame;
use super::server::Awaited;
use super::{Cut, Shared, broken, lock};

/// What a client may ask before it says who it is: whether the server encrypts.
const ENCRYPT: [[u8; 4]; 2] = [80_877_103_u32.to_be_bytes(), 80_877_104_u32.to_be_bytes()];

pub(super) struct Upwards {
    client: TcpStream,
    from: BufReader<TcpStream>,
    to: BufWriter<TcpStream>,
    shared: Arc<Mutex<Shared>>,
    awaited: Arc<Mutex<Awaited>>,
    /// Texts of prepared statements and of portals, by name.
    statements: HashMap<String, String>,
    portals: HashMap<String, String>,
}

impl Upwards {
    pub(super) fn new(
        (client, server): (TcpStream, TcpStream),
        shared: Arc<Mutex<Shared>>,
        awaited: Arc<Mutex<Awaited>>,
    ) -> io::Result<Self> {
        let from = BufReader::new(client.try_clone()?);
        let (statements, portals) = (HashMap::new(), HashMap::new());
        Ok(Self { client, from, to: BufWriter::new(server), shared, awaited, statements, portals })
    }

    /// Passes messages on until the client leaves or the wire breaks.
    pub(super) fn run(mut self) -> io::Result<()> {
        self.greet()?;
        while let Some(frame) = Frame::read(&mut self.from)? {
            let text = self.statement(&frame);
            match text.and_then(|text| lock(&self.shared).breaks_at(&text)) {
                Some(Cut::Before) => return Err(broken()),
                Some(Cut::After) => lock(&self.awaited).cut_after_the_next(),
                None => {}
            }
            // Each of these is answered by one "ready".
            if matches!(frame.letter(), b'Q' | b'S') {
                lock(&self.awaited).asked();
            }
            frame.write(&mut self.to)?;
            if self.from.buffer().is_empty() {
                self.to.flush()?;
            }
        }
        Ok(())
    }

    fn greet(&mut self) -> io::Result<()> {
        let mut first = Frame::read_first(&mut self.from)?;
        while ENCRYPT.iter().any(|question| first.body == question) {
            self.client.write_all(b"N")?;
            first = Frame::read_first(&mut self.from)?;
        }
        first.write(&mut self.to)?;
        self.to.flush()
    }

    /// The text of the statement that this message has carried out.
    fn statement(&mut self, frame: &Frame) -> Option<String> {
        let mut texts = frame.texts();
        match frame.letter() {
            b'Q' => texts.next(),
            b'P' => {
                self.statements.insert(texts.next()?, texts.next()?);
                None
            }
            b'B' => {
                let portal = texts.next()?;
                let text = self.statements.get(&texts.next()?).cloned().unwrap_or_default();
                self.portals.insert(portal, text);
                None
            }
            b'E' => self.portals.get(&texts.next()?).cloned(),
            _ => None,
        }
    }
}
