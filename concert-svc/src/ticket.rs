//! Tickets: the right to one seat. A ticket says for ever what was sold, whatever becomes of the catalogue.

use service_kit::ids;
use uuid::Uuid;

use crate::concert::Sale;
use crate::reservation::Reservation;
use crate::state::TicketState;

/// The right to one seat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ticket {
    pub(crate) id: Uuid,
    pub(crate) seat: String,
    pub(crate) seat_label: String,
    pub(crate) concert_title: String,
    pub(crate) artist: String,
    pub(crate) performance_start_time: i64,
    pub(crate) price: i64,
    pub(crate) state: TicketState,
    pub(crate) issue_time: i64,
}

/// The tickets of a reservation, one an item, in their order.
pub(crate) fn issue(reservation: &Reservation, sale: &Sale, now_ms: i64) -> Vec<Ticket> {
    let ticket = |item: &crate::reservation::Item| Ticket {
        id: ids::derived(reservation.id, &item.seat),
        seat: item.seat.clone(),
        seat_label: item.label.clone(),
        concert_title: sale.concert.title.clone(),
        artist: sale.concert.artist.clone(),
        performance_start_time: sale.performance.start_time,
        price: item.price,
        state: TicketState::Issued,
        issue_time: now_ms,
    };
    reservation.items.iter().map(ticket).collect()
}
