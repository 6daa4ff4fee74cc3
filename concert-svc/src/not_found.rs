//! What is answered when there is no such thing.

use service_kit::refusal::Refusal;
use uuid::Uuid;

use crate::{reservation, ticket};

/// No such concert.
pub(crate) fn concert(id: Uuid) -> Refusal {
    Refusal::not_found("CONCERT_NOT_FOUND", format!("concerts/{id}"))
}

/// No such performance of that concert.
pub(crate) fn performance(concert: Uuid, id: Uuid) -> Refusal {
    Refusal::not_found("PERFORMANCE_NOT_FOUND", format!("concerts/{concert}/performances/{id}"))
}

/// No such reservation.
pub(crate) fn reservation(id: Uuid) -> Refusal {
    Refusal::not_found("RESERVATION_NOT_FOUND", reservation::name(id))
}

/// No such ticket of that reservation.
pub(crate) fn ticket(reservation: Uuid, id: Uuid) -> Refusal {
    Refusal::not_found("TICKET_NOT_FOUND", ticket::name(reservation, id))
}
