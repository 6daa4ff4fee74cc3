//! Contract messages to and from this service's own types. What a client got wrong is named by its field.

use prost_types::{Duration, Timestamp};
use service_kit::ids;
use service_kit::refusal::Fault;
use service_kit::wire::{duration_ms_of, millis_of};
use uuid::Uuid;

use crate::queue::Key;

pub(crate) mod rooms;
pub(crate) mod tokens;

/// The room of that name.
pub(crate) fn room_id(field: &str, name: &str) -> Result<Uuid, Fault> {
    ids::name(field, name, "waitingRooms")
}

/// The token of that name.
pub(crate) fn key(field: &str, name: &str) -> Result<Key, Fault> {
    let [room, token] = ids::segments(field, name, ["waitingRooms", "queueTokens"])?;
    Ok(Key { room: ids::uuid(field, room)?, token: ids::uuid(field, token)? })
}

/// The `request_id` of a call that people make, who may leave it out.
fn request_id(text: &str) -> Result<Option<Uuid>, Fault> {
    if text.is_empty() { Ok(None) } else { ids::uuid("request_id", text).map(Some) }
}

fn optional_time(field: &str, time: Option<Timestamp>) -> Result<Option<i64>, Fault> {
    let read = |time| millis_of(time).ok_or_else(|| Fault::field(field, "must be a time between the years 1 and 9999"));
    time.map(read).transpose()
}

fn time(field: &str, time: Option<Timestamp>) -> Result<i64, Fault> {
    optional_time(field, time)?.ok_or_else(|| Fault::field(field, "is required: a time"))
}

/// A length of at least a second, or the default.
fn length_ms(field: &str, length: Option<Duration>, default: i64, longest: i64) -> Result<i64, Fault> {
    let Some(length) = length else {
        return Ok(default);
    };
    if let Some(ms) = duration_ms_of(length).filter(|ms| (1_000..=longest).contains(ms)) {
        return Ok(ms);
    }
    let longest = longest / 1_000;
    Err(Fault::field(field, format!("must be between 1 and {longest} seconds")))
}

/// Characters of an operator's reason.
const LONGEST_REASON: usize = 500;

/// The reason of an operator who need not give one.
pub(crate) fn optional_reason(reason: &str) -> Result<(), Fault> {
    let length = reason.chars().count();
    if length > LONGEST_REASON {
        return Err(Fault::field("reason", format!("must have at most {LONGEST_REASON} characters; it has {length}")));
    }
    if reason.contains('\0') {
        return Err(Fault::field("reason", "must not have the character 0"));
    }
    Ok(())
}
