//! Reservations and tickets on the wire.

use proto::concert::v1 as pb;
use service_kit::refusal::Fault;
use service_kit::wire::timestamp;
use service_kit::{filter, ids, page};
use uuid::Uuid;

use super::listing;
use super::{optional, performance_name, reservation_name, seat_id, text, within};
use crate::best::Best;
use crate::concert::MAX_SEATS;
use crate::reservation::{self, Lock, Reservation};
use crate::seat;
use crate::state::{ReservationState, State as _};
use crate::store::{Checkout, ReservationsBefore};
use crate::ticket::Ticket;

/// "customers/{uuid}".
pub(crate) fn customer_name(field: &str, name: &str) -> Result<Uuid, Fault> {
    ids::name(field, name, "customers")
}

/// The ids of the seats, ascending; all are of the performance, and none comes twice.
pub(crate) fn seats(performance: &str, names: &[String]) -> Result<Vec<String>, Fault> {
    if !(1..=MAX_SEATS).contains(&names.len()) {
        let problem = format!("must be 1 to {MAX_SEATS} seats, not {}", names.len());
        return Err(Fault::field("seats", problem));
    }
    let mut seats = Vec::with_capacity(names.len());
    for (index, name) in names.iter().enumerate() {
        let field = format!("seats[{index}]");
        let id = name.strip_prefix(performance).and_then(|rest| rest.strip_prefix("/seats/"));
        let id = id.ok_or_else(|| Fault::field(&field, format!("must look like {performance}/seats/{{id}}")))?;
        let id = seat_id(&field, id)?;
        if seats.contains(&id) {
            return Err(Fault::field(field, "names a seat for the second time"));
        }
        seats.push(id);
    }
    seats.sort();
    Ok(seats)
}

/// What the house may choose from.
pub(crate) fn best(request: &pb::HoldBestAvailableSeatsRequest) -> Result<Best, Fault> {
    let count = within("seat_count", request.seat_count.into(), 1..=MAX_SEATS as i64)?;
    let any = |field, text: &str| optional(text, |text| self::text(field, text, 1..=50));
    Ok(Best {
        count: usize::try_from(count).unwrap_or(MAX_SEATS),
        grade: any("grade", &request.grade)?,
        section: any("section", &request.section)?,
        adjacent: request.adjacent,
    })
}

/// A reservation for the caller.
pub(crate) fn reservation(reservation: &Reservation) -> pb::Reservation {
    let (concert, performance) = (reservation.concert, reservation.performance);
    let held = reservation.state == ReservationState::Held;
    pb::Reservation {
        name: reservation.name(),
        customer: format!("customers/{}", reservation.customer),
        performance: format!("concerts/{concert}/performances/{performance}"),
        items: reservation
            .items
            .iter()
            .map(|item| pb::reservation::Item {
                seat: seat::name(concert, performance, &item.seat),
                grade: item.grade.clone(),
                price: item.price,
            })
            .collect(),
        total_amount: reservation.total_amount,
        state: reservation.state.number(),
        expire_time: held.then(|| timestamp(reservation.expire_time)),
        lock_saga: reservation.lock_saga.map(saga_name).unwrap_or_default(),
        create_time: Some(timestamp(reservation.create_time)),
        confirm_time: reservation.confirm_time.map(timestamp),
        cancel_time: reservation.cancellation.time.map(timestamp),
        cancellation_fee: reservation.cancellation.fee,
        etag: reservation.version.to_string(),
        payment: reservation.payment.map(|id| format!("payments/{id}")).unwrap_or_default(),
    }
}

/// A page of reservations: its size, and what to look for.
pub(crate) fn reservations_before(request: &pb::ListReservationsRequest) -> Result<(usize, ReservationsBefore), Fault> {
    let size = page::size(request.page_size)?;
    let [customer, performance, state] = filter::values(&request.filter, ["customer", "performance", "state"])?;
    let customer = customer.map(|name| customer_name("filter", name));
    let performance = performance.map(|name| performance_name("filter", name));
    Ok((
        size,
        ReservationsBefore {
            before: listing::after(&request.page_token, Uuid::max())?,
            customer: customer.transpose()?,
            performance: performance.transpose()?.map(|(_, performance)| performance),
            state: listing::state(state)?,
            limit: page::limit(size),
        },
    ))
}

/// What all saga steps name: the reservation and the saga.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Step {
    pub(crate) reservation: Uuid,
    pub(crate) saga: Uuid,
    pub(crate) request_id: Uuid,
}

/// Reads what all saga steps carry.
pub(crate) fn step(name: &str, saga: &str, request_id: &str) -> Result<Step, Fault> {
    let request_id = ids::uuid("request_id", request_id)?;
    Ok(Step { reservation: reservation_name("name", name)?, saga: ids::name("saga", saga, "sagas")?, request_id })
}

/// The lock that is asked for.
pub(crate) fn lock(request: &pb::LockReservationRequest, saga: Uuid) -> Result<Lock, Fault> {
    Ok(Lock {
        customer: customer_name("customer", &request.customer)?,
        saga,
        expected_total_amount: request.expected_total_amount,
    })
}

/// The payment that a confirmation names, if any.
pub(crate) fn payment(name: &str) -> Result<Option<Uuid>, Fault> {
    optional(name, |name| ids::name("payment", name, "payments"))
}

/// Answer to a lock.
pub(crate) fn locked(saga: Uuid, checkout: &Checkout) -> pb::LockReservationResponse {
    let (sale, held) = (&checkout.sale, &checkout.reservation);
    pb::LockReservationResponse {
        saga: saga_name(saga),
        amount: held.total_amount,
        reservation: Some(reservation(held)),
        concert: format!("concerts/{}", held.concert),
        concert_title: sale.concert.title.clone(),
        artist: sale.concert.artist.clone(),
        performance_start_time: Some(timestamp(sale.performance.start_time)),
        seat_labels: held.items.iter().map(|item| item.label.clone()).collect(),
    }
}

/// Answer to an unlock; without a reservation when there was nothing to unlock.
pub(crate) fn unlocked(saga: Uuid, unlocked: Option<&Reservation>) -> pb::UnlockReservationResponse {
    pb::UnlockReservationResponse {
        saga: saga_name(saga),
        amount: unlocked.map_or(0, |reservation| reservation.total_amount),
        reservation: unlocked.map(reservation),
    }
}

/// Answer to a confirmation.
pub(crate) fn confirmed(saga: Uuid, sold: &Reservation, tickets: &[Ticket]) -> pb::ConfirmReservationResponse {
    pb::ConfirmReservationResponse {
        saga: saga_name(saga),
        amount: sold.total_amount,
        reservation: Some(reservation(sold)),
        tickets: tickets.iter().map(|issued| ticket(sold, issued)).collect(),
    }
}

/// A ticket of the reservation for the caller.
pub(crate) fn ticket(sold: &Reservation, ticket: &Ticket) -> pb::Ticket {
    pb::Ticket {
        name: format!("{}/tickets/{}", reservation::name(sold.id), ticket.id),
        seat: seat::name(sold.concert, sold.performance, &ticket.seat),
        concert_title: ticket.concert_title.clone(),
        artist: ticket.artist.clone(),
        performance_start_time: Some(timestamp(ticket.performance_start_time)),
        price: ticket.price,
        state: ticket.state.number(),
        issue_time: Some(timestamp(ticket.issue_time)),
        seat_label: ticket.seat_label.clone(),
    }
}

pub(super) fn saga_name(id: Uuid) -> String {
    format!("sagas/{id}")
}
