//! The map of a performance: two bits a seat. Its version follows from what it shows alone, so that maps which different
//! processes have made can be compared. Who may have a seat is not decided here.

use crate::state::SeatState;

/// What the map shows of one seat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Mark {
    pub(crate) ordinal: usize,
    /// A seat of a lapsed hold is available.
    pub(crate) state: SeatState,
    /// Grows whenever another state is to be shown.
    pub(crate) version: i64,
}

/// The state of every seat of a performance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SeatMap {
    /// Sum of the marks' versions: it grows with every change of any of them.
    pub(crate) version: i64,
    pub(crate) seat_count: usize,
    /// Two bits a seat, the seat of ordinal i at bits 2*(i%4) of byte i/4.
    pub(crate) states: Vec<u8>,
    pub(crate) available: usize,
    pub(crate) as_of_time: i64,
}

impl SeatMap {
    /// The map of a performance with `seat_count` seats.
    pub(crate) fn new(seat_count: usize, marks: &[Mark], as_of_time: i64) -> Self {
        let mut states = vec![0; seat_count.div_ceil(4)];
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
            seat_count,
            states,
            available: marks.iter().filter(available).count(),
            as_of_time,
        }
    }

    /// The seats that were otherwise in an earlier map, or not there at all, with their states in this one.
    pub(crate) fn changes_since(&self, earlier: &Self) -> Vec<(usize, SeatState)> {
        let differ = |byte: &usize| self.states.get(*byte) != earlier.states.get(*byte);
        let bytes = (0..self.states.len()).filter(|byte| differ(byte) || *byte >= earlier.seat_count / 4);
        let seats = bytes.flat_map(|byte| 4 * byte..(4 * byte + 4).min(self.seat_count));
        let is_other = |seat: &usize| *seat >= earlier.seat_count || self.state(*seat) != earlier.state(*seat);
        seats.filter(is_other).map(|seat| (seat, self.state(seat))).collect()
    }

    fn state(&self, seat: usize) -> SeatState {
        let byte = self.states.get(seat / 4).copied().unwrap_or_default();
        match byte >> (2 * (seat % 4)) & 3 {
            0 => SeatState::Available,
            1 => SeatState::Held,
            2 => SeatState::Sold,
            _ => SeatState::Blocked,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::SeatState::{Available, Blocked, Held, Sold};
    use super::*;

    fn map(states: &[SeatState]) -> SeatMap {
        let marks = states.iter().enumerate().map(|(ordinal, state)| Mark { ordinal, state: *state, version: 2 });
        SeatMap::new(states.len(), &marks.collect::<Vec<_>>(), 7)
    }

    #[test]
    fn the_map_has_two_bits_a_seat() {
        let map = map(&[Available, Held, Sold, Blocked, Sold]);
        assert_eq!(map.states, [0b11_10_01_00, 0b10]);
        assert_eq!((map.available, map.version, map.as_of_time), (1, 10, 7));
    }

    #[test]
    fn fifty_thousand_seats_take_twelve_and_a_half_kilobytes() {
        assert_eq!(map(&vec![Blocked; 50_000]).states, [0xff; 12_500]);
        assert_eq!(map(&[Sold; 5]).states.len(), 2);
        assert!(map(&[]).states.is_empty());
    }

    #[test]
    fn what_has_changed_is_told_with_its_new_state_and_nothing_else_is() {
        let before = map(&[Available, Held, Sold, Blocked, Sold]);
        assert_eq!(before.changes_since(&before), []);
        let after = map(&[Available, Available, Sold, Blocked, Held, Available, Available, Available, Blocked]);
        let new = [(5, Available), (6, Available), (7, Available), (8, Blocked)];
        assert_eq!(after.changes_since(&before), [&[(1, Available), (4, Held)], &new[..]].concat());
        // Also when the new seats look like the padding before them.
        assert_eq!(map(&[Sold, Available]).changes_since(&map(&[Sold])), [(1, Available)]);
        assert_eq!(map(&[Available; 4]).changes_since(&map(&[])).len(), 4);
    }
}
