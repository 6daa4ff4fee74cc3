//! Tickets on the wire.

use proto::concert::v1 as pb;
use service_kit::wire::timestamp;

use crate::reservation::Reservation;
use crate::seat;
use crate::state::State as _;
use crate::ticket::{self, Ticket};

/// A ticket of the reservation for the caller.
pub(crate) fn ticket(sold: &Reservation, ticket: &Ticket) -> pb::Ticket {
    pb::Ticket {
        name: ticket::name(sold.id, ticket.id),
        seat: seat::name(sold.concert, sold.performance, &ticket.seat),
        concert_title: ticket.concert_title.clone(),
        artist: ticket.artist.clone(),
        performance_start_time: Some(timestamp(ticket.performance_start_time)),
        price: ticket.price,
        state: ticket.state.number(),
        issue_time: Some(timestamp(ticket.issue_time)),
        seat_label: ticket.seat_label.clone(),
        check_in_time: ticket.check_in_time.map(timestamp),
    }
}
