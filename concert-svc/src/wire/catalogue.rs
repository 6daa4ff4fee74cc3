//! Concerts, performances and seats on the wire.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use prost_types::Duration;
use proto::concert::v1 as pb;
use service_kit::refusal::Fault;
use service_kit::wire::{duration, duration_ms_of, timestamp};
use service_kit::{filter, ids, page};
use uuid::Uuid;

use super::{cancellation, listing, seats};
use super::{concert_name, optional, performance_name, seat_id, text, time, within};
use crate::concert::{BookingPolicy, Concert, MAX_SEATS, Performance};
use crate::config::Config;
use crate::seat::Seat;
use crate::state::{ConcertState, PerformanceState, SeatState, State as _};
use crate::store::{ConcertOrder, ConcertsAfter, PerformancesAfter, SeatsAfter};

/// Most seats of one call.
pub(super) const MAX_BATCH: usize = 1_000;

/// The concert to create, as it is at that time.
pub(crate) fn new_concert(request: &pb::CreateConcertRequest, new_id: Uuid, now_ms: i64) -> Result<Concert, Fault> {
    let concert = request.concert.as_ref().ok_or_else(|| Fault::field("concert", "is required"))?;
    let booking_open_time = time("concert.booking_open_time", concert.booking_open_time)?;
    let booking_close_time = time("concert.booking_close_time", concert.booking_close_time)?;
    if booking_close_time <= booking_open_time {
        let problem = "must be after booking_open_time";
        return Err(Fault::field("concert.booking_close_time", problem));
    }
    let id = optional(&request.concert_id, |id| ids::uuid("concert_id", id))?;
    Ok(Concert {
        id: id.unwrap_or(new_id),
        title: text("concert.title", &concert.title, 1..=300)?,
        artist: text("concert.artist", &concert.artist, 1..=100)?,
        booking_open_time,
        booking_close_time,
        state: ConcertState::Draft,
        waiting_room: optional(&concert.waiting_room, |room| ids::name("concert.waiting_room", room, "waitingRooms"))?,
        policy: policy(concert.booking_policy.as_ref())?,
        create_time: now_ms,
        update_time: now_ms,
        version: 1,
    })
}

fn policy(policy: Option<&pb::BookingPolicy>) -> Result<BookingPolicy, Fault> {
    let (Some(policy), default) = (policy, BookingPolicy::default()) else {
        return Ok(BookingPolicy::default());
    };
    let hold_ttl_ms = length("hold_ttl", policy.hold_ttl, 60..=1_800, default.hold_ttl_ms)?;
    let longest = hold_ttl_ms / 1_000..=3_600;
    let lifetime = default.max_hold_lifetime_ms.max(hold_ttl_ms);
    let reservation = policy.max_seats_per_reservation;
    let live = policy.max_live_reservations_per_customer;
    let customer = policy.max_seats_per_customer;
    Ok(BookingPolicy {
        hold_ttl_ms,
        max_hold_lifetime_ms: length("max_hold_lifetime", policy.max_hold_lifetime, longest, lifetime)?,
        retry_grace_ms: length("retry_grace", policy.retry_grace, 1..=600, default.retry_grace_ms)?,
        max_seats_per_reservation: match reservation {
            0 => default.max_seats_per_reservation,
            seats => count("max_seats_per_reservation", seats, MAX_SEATS as i64)?,
        },
        max_live_reservations_per_customer: match live {
            0 => default.max_live_reservations_per_customer,
            live => count("max_live_reservations_per_customer", live, 1_000)?,
        },
        max_seats_per_customer: match customer {
            0 => default.max_seats_per_customer,
            seats => count("max_seats_per_customer", seats, 10_000)?,
        },
        cancellation_terms: cancellation::new_terms(
            "concert.booking_policy.cancellation_terms",
            &policy.cancellation_terms,
        )?,
    })
}

fn count(field: &str, value: i32, most: i64) -> Result<i64, Fault> {
    within(&format!("concert.booking_policy.{field}"), value.into(), 1..=most)
}

/// A length in milliseconds that may be so many seconds.
fn length(field: &str, value: Option<Duration>, seconds: RangeInclusive<i64>, default: i64) -> Result<i64, Fault> {
    let (least, most) = seconds.into_inner();
    match value.map_or(Some(0), duration_ms_of) {
        Some(0) => Ok(default),
        Some(ms) if (least * 1_000..=most * 1_000).contains(&ms) => Ok(ms),
        _ => Err(Fault::field(format!("concert.booking_policy.{field}"), format!("must be {least} s to {most} s"))),
    }
}

/// A concert for the caller.
pub(crate) fn concert(concert: &Concert) -> pb::Concert {
    let policy = &concert.policy;
    pb::Concert {
        name: format!("concerts/{}", concert.id),
        title: concert.title.clone(),
        artist: concert.artist.clone(),
        booking_open_time: Some(timestamp(concert.booking_open_time)),
        booking_close_time: Some(timestamp(concert.booking_close_time)),
        state: concert.state.number(),
        waiting_room: concert.waiting_room.map(|id| format!("waitingRooms/{id}")).unwrap_or_default(),
        booking_policy: Some(pb::BookingPolicy {
            cancellation_terms: cancellation::terms(&policy.cancellation_terms),
            hold_ttl: Some(duration(policy.hold_ttl_ms)),
            max_hold_lifetime: Some(duration(policy.max_hold_lifetime_ms)),
            retry_grace: Some(duration(policy.retry_grace_ms)),
            max_seats_per_reservation: int32(policy.max_seats_per_reservation),
            max_live_reservations_per_customer: int32(policy.max_live_reservations_per_customer),
            max_seats_per_customer: int32(policy.max_seats_per_customer),
        }),
        create_time: Some(timestamp(concert.create_time)),
        update_time: Some(timestamp(concert.update_time)),
        etag: concert.version.to_string(),
    }
}

/// A page of concerts: its size, and what to look for.
pub(crate) fn concerts_after(request: &pb::ListConcertsRequest) -> Result<(usize, ConcertsAfter), Fault> {
    let size = page::size(request.page_size)?;
    let [state, artist] = filter::values(&request.filter, ["state", "artist"])?;
    let words: Vec<&str> = request.order_by.split_ascii_whitespace().collect();
    let (order, is_descending) = match words.as_slice() {
        [] => (ConcertOrder::CreateTime, false),
        ["create_time", direction @ ..] => (ConcertOrder::CreateTime, is_descending(direction)?),
        ["booking_open_time", direction @ ..] => (ConcertOrder::BookingOpenTime, is_descending(direction)?),
        _ => return Err(no_order()),
    };
    Ok((
        size,
        ConcertsAfter {
            order,
            is_descending,
            after: listing::after_time(&request.page_token, is_descending)?,
            state: listing::state(state)?,
            artist: artist.map(str::to_owned),
            limit: page::limit(size),
        },
    ))
}

fn is_descending(direction: &[&str]) -> Result<bool, Fault> {
    match direction {
        [] | ["asc"] => Ok(false),
        ["desc"] => Ok(true),
        _ => Err(no_order()),
    }
}

fn no_order() -> Fault {
    Fault::field("order_by", "must be create_time or booking_open_time, with desc after it for the latest first")
}

/// The performance to create, as it is at that time.
pub(crate) fn new_performance(
    request: &pb::CreatePerformanceRequest,
    new_id: Uuid,
    now_ms: i64,
) -> Result<Performance, Fault> {
    let performance = request.performance.as_ref();
    let performance = performance.ok_or_else(|| Fault::field("performance", "is required"))?;
    let id = optional(&request.performance_id, |id| ids::uuid("performance_id", id))?;
    Ok(Performance {
        id: id.unwrap_or(new_id),
        concert: concert_name("parent", &request.parent)?,
        start_time: time("performance.start_time", performance.start_time)?,
        venue: text("performance.venue", &performance.venue, 0..=200)?,
        state: PerformanceState::Scheduled,
        seat_count: 0,
        create_time: now_ms,
        version: 1,
    })
}

/// A performance for the caller.
pub(crate) fn performance(performance: &Performance) -> pb::Performance {
    pb::Performance {
        name: format!("concerts/{}/performances/{}", performance.concert, performance.id),
        start_time: Some(timestamp(performance.start_time)),
        venue: performance.venue.clone(),
        state: performance.state.number(),
        seat_count: int32(performance.seat_count),
        create_time: Some(timestamp(performance.create_time)),
        etag: performance.version.to_string(),
    }
}

/// A page of performances: its size, and what to look for.
pub(crate) fn performances_after(request: &pb::ListPerformancesRequest) -> Result<(usize, PerformancesAfter), Fault> {
    let size = page::size(request.page_size)?;
    let ([state], start_time) = filter::values_within(&request.filter, ["state"], "start_time")?;
    Ok((
        size,
        PerformancesAfter {
            concert: concert_name("parent", &request.parent)?,
            after: listing::after_time(&request.page_token, false)?,
            state: listing::state(state)?,
            start_from: listing::moment(start_time.from)?.unwrap_or(i64::MIN),
            start_below: listing::moment(start_time.below)?.unwrap_or(i64::MAX),
            limit: page::limit(size),
        },
    ))
}

/// The seats to create, in their order; ordinals are still to be given.
pub(crate) fn new_seats(request: &pb::BatchCreateSeatsRequest, config: &Config) -> Result<Vec<Seat>, Fault> {
    let count = request.seats.len();
    if !(1..=MAX_BATCH).contains(&count) {
        let problem = format!("must be 1 to {MAX_BATCH} seats, not {count}");
        return Err(Fault::field("seats", problem));
    }
    let mut ids = BTreeSet::new();
    let seats = request.seats.iter().enumerate().map(|(index, seat)| {
        let seat = new_seat(&format!("seats[{index}]"), &request.parent, seat, config)?;
        if ids.insert(seat.id.clone()) {
            return Ok(seat);
        }
        Err(Fault::field(format!("seats[{index}].name"), "names a seat for the second time"))
    });
    seats.collect()
}

fn new_seat(field: &str, parent: &str, seat: &pb::Seat, config: &Config) -> Result<Seat, Fault> {
    let path = |name: &str| format!("{field}.{name}");
    let id = seat.name.strip_prefix(parent).and_then(|rest| rest.strip_prefix("/seats/"));
    Ok(Seat {
        // The id alone will do: a thousand full names would be most of the message.
        id: seat_id(&path("name"), id.unwrap_or(&seat.name))?,
        section: text(&path("section"), &seat.section, 0..=50)?,
        row: text(&path("row"), &seat.row, 0..=20)?,
        number: text(&path("number"), &seat.number, 0..=20)?,
        grade: text(&path("grade"), &seat.grade, 0..=20)?,
        price: seats::price(&path("price"), seat.price, config)?,
        state: SeatState::Available,
        ordinal: 0,
    })
}

/// A page of seats: its size, and what to look for.
pub(crate) fn seats_after(request: &pb::ListSeatsRequest) -> Result<(usize, SeatsAfter), Fault> {
    let size = page::size(request.page_size)?;
    let [state, grade, section] = filter::values(&request.filter, ["state", "grade", "section"])?;
    Ok((
        size,
        SeatsAfter {
            performance: performance_name("parent", &request.parent)?.1,
            ordinal: listing::after(&request.page_token, -1)?,
            state: listing::state(state)?,
            grade: grade.map(str::to_owned),
            section: section.map(str::to_owned),
            limit: page::limit(size),
        },
    ))
}

/// Counts that the limits keep small.
pub(super) fn int32(count: impl TryInto<i32>) -> i32 {
    count.try_into().unwrap_or(i32::MAX)
}
