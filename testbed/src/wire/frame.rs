//! Messages of PostgreSQL's protocol: a letter, a length that counts itself, a body. The first one of a client has no
//! letter.

use std::io::{self, ErrorKind, Read, Write};

/// More than any test sends in one message.
const LONGEST: usize = 64 << 20;

/// One message.
#[derive(Debug)]
pub(super) struct Frame {
    letter: Option<u8>,
    pub(super) body: Vec<u8>,
}

impl Frame {
    /// The next message, or nothing at the end.
    pub(super) fn read(from: &mut impl Read) -> io::Result<Option<Self>> {
        let mut letter = [0];
        if from.read(&mut letter)? == 0 {
            return Ok(None);
        }
        Ok(Some(Self { letter: Some(letter[0]), body: body(from)? }))
    }

    /// A client's first message.
    pub(super) fn read_first(from: &mut impl Read) -> io::Result<Self> {
        Ok(Self { letter: None, body: body(from)? })
    }

    pub(super) fn write(&self, to: &mut impl Write) -> io::Result<()> {
        let length = u32::try_from(self.body.len() + 4).map_err(|_| too_long())?;
        to.write_all(self.letter.as_slice())?;
        to.write_all(&length.to_be_bytes())?;
        to.write_all(&self.body)
    }

    pub(super) fn letter(&self) -> u8 {
        self.letter.unwrap_or_default()
    }

    /// The texts, each ended by a zero, that the body begins with.
    pub(super) fn texts(&self) -> impl Iterator<Item = String> {
        self.body.split(|byte| *byte == 0).map(|text| String::from_utf8_lossy(text).into_owned())
    }
}

fn body(from: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut length = [0; 4];
    from.read_exact(&mut length)?;
    let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
    let length = length.checked_sub(4).filter(|length| *length <= LONGEST).ok_or_else(too_long)?;
    let mut body = vec![0; length];
    from.read_exact(&mut body)?;
    Ok(body)
}

fn too_long() -> io::Error {
    io::Error::new(ErrorKind::InvalidData, "not a message of PostgreSQL's protocol")
}
