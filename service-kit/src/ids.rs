//! Identifiers: resource names in and out of their text, ids that follow from others, and, only here, new ones.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sha2::{Digest as _, Sha256};
use uuid::{Builder, Uuid};

use crate::refusal::Fault;

/// Buckets that sagas are spread over; fixed for the life of a journal.
pub const BUCKETS: i64 = 1024;

/// Makes new ids, each after the ones before it.
#[derive(Debug, Clone)]
pub struct Ids(Arc<Mutex<Source>>);

#[derive(Debug)]
struct Source {
    random: fastrand::Rng,
    // Of the last id: its millisecond, and which one within that it was.
    now_ms: u64,
    counter: u16,
}

/// Ids of one millisecond that the 12 bits of their counter tell apart.
const COUNTED: u16 = 1 << 12;

impl Ids {
    /// Ids that nobody can guess ahead from the time alone.
    #[expect(clippy::disallowed_methods, reason = "the one place that asks for randomness")]
    pub fn system() -> Self {
        Self::from(fastrand::Rng::new())
    }

    /// The same ids for the same seed.
    pub fn seeded(seed: u64) -> Self {
        Self::from(fastrand::Rng::with_seed(seed))
    }

    fn from(random: fastrand::Rng) -> Self {
        Self(Arc::new(Mutex::new(Source { random, now_ms: 0, counter: 0 })))
    }

    /// A new UUIDv7 (RFC 9562, section 6.2, method 1): it sorts after all that came from here before, whatever the
    /// clock does.
    pub fn next(&self, now_ms: i64) -> Uuid {
        let mut source = self.source();
        let now_ms = u64::try_from(now_ms).unwrap_or_default();
        if now_ms > source.now_ms {
            (source.now_ms, source.counter) = (now_ms, 0);
        } else if source.counter + 1 < COUNTED {
            source.counter += 1;
        } else {
            (source.now_ms, source.counter) = (source.now_ms + 1, 0);
        }
        let mut bytes = [0; 10];
        source.random.fill(&mut bytes);
        bytes[..2].copy_from_slice(&source.counter.to_be_bytes());
        Builder::from_unix_timestamp_millis(source.now_ms, &bytes).into_uuid()
    }

    /// Any number, as jitter needs.
    pub fn random(&self) -> u64 {
        self.source().random.u64(..)
    }

    fn source(&self) -> MutexGuard<'_, Source> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// 32 bytes from the operating system that nobody can guess, for a key.
#[expect(clippy::disallowed_methods, reason = "the one place that asks for randomness")]
pub fn secret() -> [u8; 32] {
    // The six bits of a uuid that are not random do no harm: two of them leave 244.
    let mut hash = Sha256::new();
    hash.update(Uuid::new_v4());
    hash.update(Uuid::new_v4());
    hash.finalize().into()
}

/// The id of the saga that `request_id` starts: the same request always means the same saga, and sagas sort by time.
pub fn saga_id(kind: &str, subject: &str, request_id: Uuid) -> Uuid {
    let mut hash = Sha256::new();
    for part in [kind.as_bytes(), subject.as_bytes(), request_id.as_bytes()] {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    let mut bytes = [0; 16];
    bytes[..6].copy_from_slice(&request_id.as_bytes()[..6]);
    bytes[6..].copy_from_slice(&hash.finalize()[..10]);
    Builder::from_custom_bytes(bytes).into_uuid()
}

/// The bucket of a saga, from the hashed half of its id.
pub fn bucket(saga: Uuid) -> i64 {
    let bytes = saga.as_bytes();
    i64::from(u16::from_be_bytes([bytes[14], bytes[15]])) % BUCKETS
}

/// The `request_id` of a saga's step in one direction; the same for every attempt.
pub fn operation_id(saga: Uuid, step: &str, direction: &str) -> Uuid {
    Uuid::new_v5(&saga, format!("{step}/{direction}").as_bytes())
}

/// An id that follows from another one and a word.
pub fn derived(from: Uuid, what: &str) -> Uuid {
    Uuid::new_v5(&from, what.as_bytes())
}

/// The same, as an id of the time `ms`: such ids sort by their time.
pub fn derived_at(ms: i64, from: Uuid, what: &str) -> Uuid {
    let hash = derived(from, &format!("{what} at {ms}"));
    let mut bytes = [0; 10];
    bytes.copy_from_slice(&hash.as_bytes()[..10]);
    Builder::from_unix_timestamp_millis(u64::try_from(ms).unwrap_or_default(), &bytes).into_uuid()
}

/// Reads a required uuid.
///
/// # Errors
/// A violation of `field`.
pub fn uuid(field: &str, text: &str) -> Result<Uuid, Fault> {
    if text.is_empty() {
        return Err(Fault::field(field, "is required: a UUID"));
    }
    match Uuid::try_parse(text) {
        // One spelling, so that equal ids are equal texts.
        Ok(uuid) if text.len() == 36 && !text.bytes().any(|byte| byte.is_ascii_uppercase()) => Ok(uuid),
        _ => Err(Fault::field(field, format!("must be a UUID in lower case with hyphens, not {}", shown(text)))),
    }
}

/// Takes a resource name apart: `segments("seat", name, ["concerts", "performances"])` gives the two ids in it.
///
/// # Errors
/// A violation of `field` that shows the pattern.
pub fn segments<'a, const N: usize>(field: &str, name: &'a str, collections: [&str; N]) -> Result<[&'a str; N], Fault> {
    let mut parts = name.split('/');
    let mut ids = [""; N];
    let mut fits = true;
    for (id, collection) in ids.iter_mut().zip(collections) {
        fits &= parts.next() == Some(collection);
        *id = parts.next().unwrap_or_default();
        fits &= !id.is_empty();
    }
    if fits && parts.next().is_none() {
        return Ok(ids);
    }
    let pattern = collections.map(|collection| format!("{collection}/{{id}}")).join("/");
    let problem = if name.is_empty() { "is required".to_owned() } else { format!("is {}", shown(name)) };
    Err(Fault::field(field, format!("must look like {pattern}; it {problem}")))
}

/// Reads a resource name of one collection whose ids are uuids, such as `customers/{uuid}`.
///
/// # Errors
/// A violation of `field`.
pub fn name(field: &str, name: &str, collection: &str) -> Result<Uuid, Fault> {
    let [id] = segments(field, name, [collection])?;
    uuid(field, id)
}

/// What a client sent, short enough for a message and without control characters.
fn shown(text: &str) -> String {
    const SHOWN: usize = 60;
    let mut shown: String = text.chars().take(SHOWN).flat_map(char::escape_debug).collect();
    if text.chars().nth(SHOWN).is_some() {
        shown.push('…');
    }
    format!("\"{shown}\"")
}
