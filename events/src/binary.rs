//! Binary mode: the attributes as headers, the data as they are. HTTP and NATS call an attribute `ce-id` and escape what a
//! header cannot hold; Kafka calls it `ce_id` and takes any text.

use bytes::Bytes;

use crate::cloud_event::{CloudEvent, Malformed};

/// Where `datacontenttype` goes.
pub const CONTENT_TYPE: &str = "content-type";
/// What data are when nothing is said about them.
const UNKNOWN: &str = "application/octet-stream";

/// What a transport makes of the attributes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Binding {
    /// Headers of HTTP, and of NATS.
    Http,
    /// Headers of Kafka.
    Kafka,
}

impl Binding {
    /// The name of an attribute's header.
    pub fn header(self, attribute: &str) -> String {
        match self {
            Self::Http => format!("ce-{attribute}"),
            Self::Kafka => format!("ce_{attribute}"),
        }
    }

    /// The event's headers.
    pub fn headers(self, event: &CloudEvent) -> Vec<(String, String)> {
        let mut headers = vec![(CONTENT_TYPE.to_owned(), event.content_type.clone())];
        for (name, value) in event.attributes() {
            let value = if self == Self::Http { escape(&value) } else { value };
            headers.push((self.header(name), value));
        }
        headers
    }

    /// The event of these headers and data.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn event(self, header: impl Fn(&str) -> Option<String>, data: Bytes) -> Result<CloudEvent, Malformed> {
        let content_type = header(CONTENT_TYPE).unwrap_or_else(|| UNKNOWN.to_owned());
        let attribute = |name: &str| {
            let value = header(&self.header(name))?;
            if self == Self::Http { unescape(&value) } else { Some(value) }
        };
        CloudEvent::from_attributes(attribute, (content_type, data))
    }
}

fn escape(value: &str) -> String {
    let mut escaped = String::with_capacity(value.len());
    for byte in value.bytes() {
        match byte {
            b'"' | b'%' | 0..=b' ' | 0x7f.. => escaped.push_str(&format!("%{byte:02X}")),
            _ => escaped.push(char::from(byte)),
        }
    }
    escaped
}

/// None when what comes out is no text.
fn unescape(value: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.as_bytes();
    while let [first, more @ ..] = rest {
        let hex = |digits: &[u8]| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok();
        match (first, more.get(..2).and_then(hex)) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                rest = &more[2..];
            }
            _ => {
                bytes.push(*first);
                rest = more;
            }
        }
    }
    String::from_utf8(bytes).ok()
}
