//! Statements about tickets.

use std::sync::LazyLock;

use service_kit::args;
use service_kit::db::{self, FromRow, Row, Tx};
use uuid::Uuid;

use super::{Statement, insert_rows, of_rows};
use crate::concert::MAX_SEATS;
use crate::state::{State as _, TicketState};
use crate::ticket::Ticket;

impl FromRow for Ticket {
    fn from_row(row: &Row<'_>) -> Result<Self, db::Error> {
        Ok(Self {
            id: row.get(0)?,
            seat: row.get(1)?,
            seat_label: row.get(2)?,
            concert_title: row.get(3)?,
            artist: row.get(4)?,
            performance_start_time: row.get(5)?,
            price: row.get(6)?,
            state: TicketState::read(row, 7)?,
            issue_time: row.get(8)?,
            check_in_time: row.get(9)?,
        })
    }
}

/// The statements that add 1, 2, … tickets.
static INSERT_TICKETS: LazyLock<[String; MAX_SEATS]> = LazyLock::new(|| {
    of_rows(|rows| {
        let into = "concert_tickets (reservation_id, concert_title, artist, performance_start_time, state, \
                    issue_time, ticket_id, seat_id, seat_label, price)";
        insert_rows(into, (6, 4), rows) + " on conflict do nothing"
    })
});

/// Adds the tickets of a reservation, which are of one evening and one moment; nothing is to be done for none.
pub(crate) fn insert_tickets(reservation: Uuid, tickets: &[Ticket]) -> Option<Statement<'_>> {
    let first = tickets.first()?;
    let shared = args![
        reservation,
        &first.concert_title,
        &first.artist,
        first.performance_start_time,
        first.state.column(),
        first.issue_time,
    ];
    let mut rows = shared.to_vec();
    for Ticket { id, seat, seat_label, price, .. } in tickets {
        rows.extend_from_slice(args![*id, seat, seat_label, *price]);
    }
    Some((&INSERT_TICKETS[tickets.len() - 1], rows))
}

/// Makes all tickets of a reservation worthless.
pub(crate) fn void_tickets<'a>(reservation: Uuid) -> Statement<'a> {
    let sql = "update concert_tickets set state = 3 where reservation_id = $1 and state in (1, 2)";
    (sql, args![reservation].to_vec())
}

/// Writes back what changes in a ticket's life.
pub(crate) fn save_ticket<'a>(reservation: Uuid, ticket: &Ticket) -> Statement<'a> {
    let sql = "update concert_tickets set state = $3, check_in_time = $4 where reservation_id = $1 and ticket_id = $2";
    (sql, args![reservation, ticket.id, ticket.state.column(), ticket.check_in_time].to_vec())
}

macro_rules! select {
    ($which:literal) => {
        concat!(
            "select ticket_id, seat_id, seat_label, concert_title, artist, performance_start_time, price, state, \
             issue_time, check_in_time from concert_tickets where reservation_id = $1 and ",
            $which
        )
    };
}

/// One ticket of the reservation.
pub(crate) async fn ticket(tx: &mut Tx<'_>, reservation: Uuid, id: Uuid) -> Result<Option<Ticket>, db::Error> {
    tx.fetch_optional(select!("ticket_id = $2"), args![reservation, id]).await
}

/// A page of a reservation's tickets by seat.
pub(crate) async fn tickets(
    tx: &mut Tx<'_>,
    reservation: Uuid,
    after_seat: &str,
    limit: i64,
) -> Result<Vec<Ticket>, db::Error> {
    tx.fetch_all(select!("seat_id > $2 order by seat_id limit $3"), args![reservation, after_seat, limit]).await
}
