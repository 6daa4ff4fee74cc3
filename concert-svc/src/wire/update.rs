//! Changes of a concert on the wire: which of its fields are to be taken from the request.

use proto::concert::v1 as pb;
use service_kit::refusal::Fault;

use super::catalogue;
use crate::concert::Concert;

/// What can be changed, as a mask names it.
const PATHS: [&str; 6] =
    ["title", "artist", "booking_open_time", "booking_close_time", "waiting_room", "booking_policy"];

/// The concert as it is after the change. What the change leaves alone is checked too: one field may depend on another.
pub(crate) fn updated(current: &Concert, request: &pb::UpdateConcertRequest) -> Result<Concert, Fault> {
    let wanted = request.concert.as_ref().ok_or_else(|| Fault::field("concert", "is required"))?;
    let paths = request.update_mask.as_ref().map(|mask| mask.paths.as_slice()).unwrap_or_default();
    let everything = paths.is_empty() || paths == ["*"];
    let mut merged = catalogue::concert(current);
    match everything {
        true => PATHS.iter().try_for_each(|path| take(&mut merged, wanted, path))?,
        false => paths.iter().try_for_each(|path| take(&mut merged, wanted, path))?,
    }
    let merged = pb::CreateConcertRequest { concert: Some(merged), ..Default::default() };
    Ok(Concert {
        state: current.state,
        create_time: current.create_time,
        version: current.version,
        ..catalogue::new_concert(&merged, current.id, current.update_time)?
    })
}

fn take(to: &mut pb::Concert, from: &pb::Concert, path: &str) -> Result<(), Fault> {
    match path {
        "title" => to.title.clone_from(&from.title),
        "artist" => to.artist.clone_from(&from.artist),
        "booking_open_time" => to.booking_open_time = from.booking_open_time,
        "booking_close_time" => to.booking_close_time = from.booking_close_time,
        "waiting_room" => to.waiting_room.clone_from(&from.waiting_room),
        "booking_policy" => to.booking_policy.clone_from(&from.booking_policy),
        _ => {
            let part = path.strip_prefix("booking_policy.").ok_or_else(|| unknown(path))?;
            let from = from.booking_policy.clone().unwrap_or_default();
            take_policy(to.booking_policy.get_or_insert_default(), from, part).ok_or_else(|| unknown(path))?;
        }
    }
    Ok(())
}

fn take_policy(to: &mut pb::BookingPolicy, from: pb::BookingPolicy, part: &str) -> Option<()> {
    match part {
        "hold_ttl" => to.hold_ttl = from.hold_ttl,
        "max_hold_lifetime" => to.max_hold_lifetime = from.max_hold_lifetime,
        "retry_grace" => to.retry_grace = from.retry_grace,
        "max_seats_per_reservation" => to.max_seats_per_reservation = from.max_seats_per_reservation,
        "max_live_reservations_per_customer" => {
            to.max_live_reservations_per_customer = from.max_live_reservations_per_customer;
        }
        "max_seats_per_customer" => to.max_seats_per_customer = from.max_seats_per_customer,
        "cancellation_terms" => to.cancellation_terms = from.cancellation_terms,
        _ => return None,
    }
    Some(())
}

fn unknown(path: &str) -> Fault {
    let known = PATHS.join(", ");
    let path: String = path.chars().filter(|letter| !letter.is_control()).take(50).collect();
    Fault::field("update_mask", format!("names {path:?}; it may name {known}, parts of booking_policy, or * alone"))
}
