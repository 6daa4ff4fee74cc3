//! The contracts' messages, to and from the service's own types. A field that is wrong is named by its path. Nothing is
//! decided here.

use std::ops::RangeInclusive;

use prost_types::Timestamp;
use service_kit::ids;
use service_kit::refusal::Fault;
use service_kit::wire::millis_of;
use uuid::Uuid;

pub(crate) mod cancellation;
pub(crate) mod catalogue;
pub(crate) mod listing;
pub(crate) mod reservations;
pub(crate) mod seats;
pub(crate) mod update;

/// "concerts/{uuid}".
pub(crate) fn concert_name(field: &str, name: &str) -> Result<Uuid, Fault> {
    ids::name(field, name, "concerts")
}

/// "concerts/{uuid}/performances/{uuid}": both ids.
pub(crate) fn performance_name(field: &str, name: &str) -> Result<(Uuid, Uuid), Fault> {
    let [concert, performance] = ids::segments(field, name, ["concerts", "performances"])?;
    Ok((ids::uuid(field, concert)?, ids::uuid(field, performance)?))
}

/// "reservations/{uuid}".
pub(crate) fn reservation_name(field: &str, name: &str) -> Result<Uuid, Fault> {
    ids::name(field, name, "reservations")
}

/// A name that may be left out.
fn optional<T>(text: &str, read: impl FnOnce(&str) -> Result<T, Fault>) -> Result<Option<T>, Fault> {
    if text.is_empty() { Ok(None) } else { read(text).map(Some) }
}

/// A UUID of the caller's, if there is one.
pub(crate) fn request_id(text: &str) -> Result<Option<Uuid>, Fault> {
    optional(text, |text| ids::uuid("request_id", text))
}

/// The id of a seat within its performance.
fn seat_id(field: &str, id: &str) -> Result<String, Fault> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    if (1..=32).contains(&id.len()) && id.bytes().all(plain) {
        return Ok(id.to_owned());
    }
    let problem = "must end in a seat's id: 1 to 32 letters, digits, \"-\", \"_\" or \".\"";
    Err(Fault::field(field, problem))
}

fn within(field: &str, value: i64, range: RangeInclusive<i64>) -> Result<i64, Fault> {
    if range.contains(&value) {
        return Ok(value);
    }
    let (min, max) = range.into_inner();
    Err(Fault::field(field, format!("must be {min} to {max}, not {value}")))
}

fn text(field: &str, value: &str, length: RangeInclusive<usize>) -> Result<String, Fault> {
    let count = value.chars().count();
    if !length.contains(&count) {
        let (min, max) = length.into_inner();
        let problem = format!("must have {min} to {max} characters, not {count}");
        return Err(Fault::field(field, problem));
    }
    if value.chars().any(char::is_control) {
        return Err(Fault::field(field, "must not have control characters"));
    }
    Ok(value.to_owned())
}

fn time(field: &str, time: Option<Timestamp>) -> Result<i64, Fault> {
    let time = time.ok_or_else(|| Fault::field(field, "is required"))?;
    let ms = millis_of(time).filter(|ms| *ms >= 0);
    ms.ok_or_else(|| Fault::field(field, "must be in the years 1970 to 9999"))
}
