//! Seats and the map of them. Who may take a seat is decided by the statements in `store/seats.rs`: here is only what a
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

/// What the map shows of one seat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Mark {
    pub(crate) ordinal: usize,
    pub(crate) state: SeatState,
    pub(crate) version: i64,
}

/// The state of every seat of a performance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SeatMap {
    /// Sum of the seats' versions: it grows with every change of any of them.
    pub(crate) version: i64,
    /// Two bits a seat, the seat of ordinal i at bits 2*(i%4) of byte i/4.
    pub(crate) states: Vec<u8>,
    pub(crate) available: usize,
    pub(crate) as_of_time: i64,
}

impl SeatMap {
    /// The map of a performance with `seat_count` seats.
    pub(crate) fn new(seat_count: i64, marks: &[Mark], as_of_time: i64) -> Self {
        let bytes = usize::try_from(seat_count).unwrap_or_default().div_ceil(4);
        let mut states = vec![0; bytes];
        for Mark { ordinal, state, .. } in marks {
            let bits = match state {
                SeatState::Available => 0,
                SeatState::Held => 1,
                SeatState::Sold => 2,
                SeatState::Blocked => 3,
            };
            if let Some(byte) = states.get_mut(ordinal / 4) {
                *byte |= bits << (2 * (ordinal % 4));
            }
        }
        let available = |mark: &&Mark| mark.state == SeatState::Available;
        Self {
            version: marks.iter().map(|mark| mark.version).sum(),
            states,
            available: marks.iter().filter(available).count(),
            as_of_time,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_map_has_two_bits_a_seat() {
        use SeatState::{Available, Blocked, Held, Sold};
        let states = [Available, Held, Sold, Blocked, Sold].into_iter().enumerate();
        let marks = states.map(|(ordinal, state)| Mark { ordinal, state, version: 2 });
        let map = SeatMap::new(5, &marks.collect::<Vec<_>>(), 7);
        assert_eq!(map.states, [0b11_10_01_00, 0b10]);
        assert_eq!((map.available, map.version, map.as_of_time), (1, 10, 7));
    }

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
