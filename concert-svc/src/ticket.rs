//! Tickets: the right to one seat. A ticket says for ever what was sold, whatever becomes of the catalogue.

use service_kit::ids;
use service_kit::refusal::Refusal;
use service_kit::wire::timestamp;
use uuid::Uuid;

use crate::concert::{Performance, Sale};
use crate::reservation::{self, Reservation};
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
    pub(crate) check_in_time: Option<i64>,
}

impl Ticket {
    /// It opens the door, once; its reservation counts it.
    pub(crate) fn check_in(
        &mut self,
        reservation: &mut Reservation,
        performance: &Performance,
        now_ms: i64,
    ) -> Result<(), Refusal> {
        let name = name(reservation.id, self.id);
        match self.state {
            TicketState::Issued => {}
            TicketState::CheckedIn => {
                let time = timestamp(self.check_in_time.unwrap_or_default());
                let message = format!("{name} has opened the door at {time}");
                return Err(Refusal::precondition("TICKET_CHECKED_IN", message).with("check_in_time", time));
            }
            TicketState::Voided => {
                return Err(Refusal::precondition("TICKET_VOIDED", format!("{name} is void")));
            }
        }
        reservation.expect_confirmed()?;
        performance.expect_not_cancelled()?;
        self.state = TicketState::CheckedIn;
        self.check_in_time = Some(now_ms);
        reservation.checked_in += 1;
        Ok(())
    }
}

/// A ticket's full name.
pub(crate) fn name(reservation: Uuid, ticket: Uuid) -> String {
    format!("{}/tickets/{ticket}", reservation::name(reservation))
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
        check_in_time: None,
    };
    reservation.items.iter().map(ticket).collect()
}
