//! Seats. Who may take a seat is decided by the statements in `store/seats.rs`: here is only what a
//! seat is and what is said about it.

use service_kit::refusal::Refusal;
use uuid::Uuid;

use crate::reservation::Item;
use crate::state::SeatState;

/// One seat of one performance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seat {
    pub(crate) id: String,
    pub(crate) section: String,
    pub(crate) row: String,
    pub(crate) number: String,
    pub(crate) grade: String,
    pub(crate) price: i64,
    pub(crate) state: SeatState,
    pub(crate) ordinal: i64,
}

impl Seat {
    /// What a person reads, e.g. "Floor A 12".
    pub(crate) fn label(&self) -> String {
        let parts = [&self.section, &self.row, &self.number].map(String::as_str);
        let label = parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ");
        if label.is_empty() { self.id.clone() } else { label }
    }

    /// The seat as part of a reservation: what is promised now stays so.
    pub(crate) fn into_item(self) -> Item {
        Item { label: self.label(), seat: self.id, grade: self.grade, price: self.price }
    }
}

/// Who has a seat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Occupancy {
    pub(crate) seat: String,
    pub(crate) state: SeatState,
    pub(crate) reservation: Option<Uuid>,
    /// None while a checkout has locked it.
    pub(crate) hold_expire_time: Option<i64>,
}

impl Occupancy {
    /// The reservation whose hold on the seat has lapsed, if that is what stands in the way.
    pub(crate) fn lapsed(&self, now_ms: i64) -> Option<Uuid> {
        let lapsed =
            self.state == SeatState::Held && self.hold_expire_time.is_some_and(|expire_time| expire_time <= now_ms);
        self.reservation.filter(|_| lapsed)
    }
}

/// A seat's full name.
pub(crate) fn name(concert: Uuid, performance: Uuid, seat: &str) -> String {
    format!("concerts/{concert}/performances/{performance}/seats/{seat}")
}

/// Some of the seats that were asked for are somebody else's.
pub(crate) fn taken(seats: &[String]) -> Refusal {
    let seats = seats.join(",");
    Refusal::precondition("SEAT_TAKEN", format!("somebody else has {seats}")).with("seats", seats)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hold_lapses_at_its_time_unless_it_is_locked() {
        let reservation = Uuid::from_u128(1);
        let mut occupancy = Occupancy {
            seat: "A-1".into(),
            state: SeatState::Held,
            reservation: Some(reservation),
            hold_expire_time: Some(100),
        };
        assert_eq!(occupancy.lapsed(99), None);
        assert_eq!(occupancy.lapsed(100), Some(reservation));
        occupancy.hold_expire_time = None;
        assert_eq!(occupancy.lapsed(i64::MAX), None);
    }
}
