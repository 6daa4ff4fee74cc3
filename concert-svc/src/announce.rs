//! The events that tell of reservations. They are written with the change that they tell of (`record.rs`) and published
//! by the relay.

use prost::Message as _;
use std::sync::LazyLock;

use proto::event::v1 as pb;
use service_kit::outbox::{Draft, Event, Outbox};
use service_kit::wire::timestamp;

use crate::record::Cause;
use crate::reservation::Reservation;
use crate::seat;
use crate::state::{ReservationState, State as _};
use crate::store::Statement;

/// The service's events.
pub(crate) static OUTBOX: Outbox = service_kit::outbox!("concert");

/// Adds an event. Of two who write the same change at the same moment, the later one writes nothing; that his change is
/// none is told by the change itself.
static INSERT: LazyLock<String> = LazyLock::new(|| OUTBOX.insert.to_owned() + " on conflict do nothing");

/// The statement that adds the event.
pub(crate) fn insertion(bucket: i64, event: &Event) -> Statement<'_> {
    let (_, row) = OUTBOX.insertion(bucket, event);
    (&INSERT, row)
}

/// What is told of a reservation that has come from a state (none: it is new) to its own; locks are nobody's business.
pub(crate) fn draft(
    reservation: &Reservation,
    (from, version): (Option<ReservationState>, i64),
    cause: &Cause,
) -> Option<Draft> {
    use ReservationState::{Cancelled, Cancelling, Confirmed, Confirming, Expired, Held, Released};
    let (kind, data) = match (from, reservation.state) {
        (None, Held) if cause.announces_holds => ("ticketing.reservation.held.v1", held(reservation, cause)),
        (Some(Confirming), Confirmed) => ("ticketing.reservation.confirmed.v1", confirmed(reservation)),
        (_, Expired) if cause.announces_holds => ("ticketing.reservation.expired.v1", ended(reservation)),
        (_, Released) => ("ticketing.reservation.released.v1", ended(reservation)),
        (_, Cancelled) => ("ticketing.reservation.cancelled.v1", ended(reservation)),
        (_, Held | Confirming | Confirmed | Cancelling | Expired) => return None,
    };
    let name = reservation.name();
    Some(Draft { kind, aggregate: name.clone(), version, partition: name, saga: cause.saga, data })
}

fn held(reservation: &Reservation, cause: &Cause) -> Vec<u8> {
    let event = pb::ReservationHeld {
        reservation: reservation.name(),
        customer: customer(reservation),
        performance: performance(reservation),
        seats: seats(reservation),
        expire_time: Some(timestamp(reservation.expire_time)),
        queue_token: cause.queue_token.clone(),
    };
    event.encode_to_vec()
}

fn confirmed(reservation: &Reservation) -> Vec<u8> {
    let event = pb::ReservationConfirmed {
        reservation: reservation.name(),
        customer: customer(reservation),
        performance: performance(reservation),
        seats: seats(reservation),
        total_amount: reservation.total_amount,
    };
    event.encode_to_vec()
}

fn ended(reservation: &Reservation) -> Vec<u8> {
    let event = pb::ReservationEnded {
        reservation: reservation.name(),
        customer: customer(reservation),
        performance: performance(reservation),
        seats: seats(reservation),
        state: reservation.state.name().to_owned(),
    };
    event.encode_to_vec()
}

fn customer(reservation: &Reservation) -> String {
    format!("customers/{}", reservation.customer)
}

fn performance(reservation: &Reservation) -> String {
    format!("concerts/{}/performances/{}", reservation.concert, reservation.performance)
}

fn seats(reservation: &Reservation) -> Vec<String> {
    let name = |id: &str| seat::name(reservation.concert, reservation.performance, id);
    reservation.items.iter().map(|item| name(&item.seat)).collect()
}
