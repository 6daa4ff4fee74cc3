//! Seats, and the map of them, on the wire.

use std::collections::BTreeSet;

use prost_types::Duration;
use proto::concert::v1 as pb;
use service_kit::refusal::Fault;
use service_kit::wire::{duration_ms_of, timestamp};
use uuid::Uuid;

use super::catalogue::{MAX_BATCH, int32};
use super::{performance_name, seat_id};
use crate::availability::Change;
use crate::config::Config;
use crate::seat::{self, Seat};
use crate::seat_map::SeatMap;
use crate::state::State as _;

/// The performance, and the ids of the seats that are named, each once: by their names, or by their ids alone, as a thousand
/// names would not fit into a message.
pub(crate) fn of_performance(parent: &str, names: &[String]) -> Result<((Uuid, Uuid), Vec<String>), Fault> {
    let performance = performance_name("parent", parent)?;
    if !(1..=MAX_BATCH).contains(&names.len()) {
        return Err(Fault::field("seats", format!("must be 1 to {MAX_BATCH} seats, not {}", names.len())));
    }
    let mut known = BTreeSet::new();
    let ids = names.iter().enumerate().map(|(index, name)| {
        let field = format!("seats[{index}]");
        let id = name.strip_prefix(parent).and_then(|rest| rest.strip_prefix("/seats/"));
        let id = seat_id(&field, id.unwrap_or(name))?;
        match known.insert(id.clone()) {
            true => Ok(id),
            false => Err(Fault::field(field, "names a seat for the second time")),
        }
    });
    Ok((performance, ids.collect::<Result<_, _>>()?))
}

/// What a seat may cost.
pub(crate) fn price(field: &str, price: i64, config: &Config) -> Result<i64, Fault> {
    if (0..=config.max_price).contains(&price) {
        return Ok(price);
    }
    let problem = format!("must be 0 to {}, not {price}", config.max_price);
    Err(Fault::Invalid { field: field.to_owned(), problem, reason: "AMOUNT_OUT_OF_RANGE" })
}

/// Seats of a performance for the caller.
pub(crate) fn seats(performance: (Uuid, Uuid), seats: &[Seat]) -> Vec<pb::Seat> {
    seats.iter().map(|seat| self::seat(performance, seat)).collect()
}

fn seat((concert, performance): (Uuid, Uuid), seat: &Seat) -> pb::Seat {
    pb::Seat {
        name: seat::name(concert, performance, &seat.id),
        section: seat.section.clone(),
        row: seat.row.clone(),
        number: seat.number.clone(),
        grade: seat.grade.clone(),
        price: seat.price,
        state: seat.state.number(),
        ordinal: int32(seat.ordinal),
    }
}

/// How old a map may be, at most `longest`, which is also the default.
pub(crate) fn staleness(asked: Option<Duration>, longest: i64) -> Result<i64, Fault> {
    match asked.map_or(Some(longest), duration_ms_of) {
        Some(ms) if ms >= 0 => Ok(ms.min(longest)),
        _ => Err(Fault::field("max_staleness", "must not be negative")),
    }
}

/// The version of a map that the caller has, if he has one.
pub(crate) fn version(field: &str, version: i64) -> Result<Option<i64>, Fault> {
    match version {
        0 => Ok(None),
        1.. => Ok(Some(version)),
        _ => Err(Fault::field(field, "must not be negative")),
    }
}

/// The map for a caller who has the one of version `known`.
pub(crate) fn seat_map(map: &SeatMap, known: Option<i64>) -> pb::SeatAvailability {
    let unchanged = known == Some(map.version);
    pb::SeatAvailability {
        version: map.version,
        states: if unchanged { Vec::new() } else { map.states.clone() },
        available_count: int32(map.available),
        as_of_time: Some(timestamp(map.as_of_time)),
        unchanged,
    }
}

/// Changes of the map.
pub(crate) fn delta(change: Change) -> pb::SeatAvailabilityDelta {
    let changes = change.seats.into_iter().map(|(ordinal, state)| (int32(ordinal), state.number()));
    pb::SeatAvailabilityDelta { version: change.version, changes: changes.collect() }
}
