//! States that are stored, sent and shown: their numbers are those of the contracts, in the tables too.

use service_kit::db::{self, Row};

/// Defines an enum of states with their numbers and the names that the contracts give them.
macro_rules! states {
    ($(#[$doc:meta])* $name:ident { $($variant:ident = $number:literal $text:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum $name {
            $($variant = $number,)+
        }

        impl State for $name {
            const ALL: &'static [Self] = &[$(Self::$variant,)+];

            fn number(self) -> i32 {
                self as i32
            }

            fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)+
                }
            }
        }
    };
}

/// What all states have.
pub(crate) trait State: Copy + 'static {
    /// Every one.
    const ALL: &'static [Self];

    /// As in the contracts and the tables.
    fn number(self) -> i32;

    /// As in the contracts.
    fn name(self) -> &'static str;

    /// The number as a column holds it.
    fn column(self) -> i64 {
        i64::from(self.number())
    }

    /// The state of that name.
    fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|state| state.name() == name)
    }

    /// Reads the column at `index`.
    fn read(row: &Row<'_>, index: usize) -> Result<Self, db::Error> {
        let number: i64 = row.get(index)?;
        let state = Self::ALL.iter().copied().find(|state| state.column() == number);
        state.ok_or_else(|| row.corrupt(index, format!("no state has the number {number}")))
    }
}

states! {
    /// Whether a concert is on sale.
    ConcertState {
        Draft = 1 "DRAFT",
        Active = 2 "ACTIVE",
        Suspended = 3 "SUSPENDED",
        Closed = 4 "CLOSED",
    }
}

states! {
    /// Whether a performance takes place.
    PerformanceState {
        Scheduled = 1 "SCHEDULED",
        Cancelled = 2 "CANCELLED",
        Performed = 3 "PERFORMED",
    }
}

states! {
    /// Whether a seat can be had.
    SeatState {
        Available = 1 "AVAILABLE",
        Held = 2 "HELD",
        Sold = 3 "SOLD",
        Blocked = 4 "BLOCKED",
    }
}

states! {
    /// Where a reservation stands.
    ReservationState {
        Held = 1 "HELD",
        Confirming = 2 "CONFIRMING",
        Confirmed = 3 "CONFIRMED",
        Cancelling = 4 "CANCELLING",
        Cancelled = 5 "CANCELLED",
        Expired = 6 "EXPIRED",
        Released = 7 "RELEASED",
    }
}

states! {
    /// Whether a ticket opens the door.
    TicketState {
        Issued = 1 "ISSUED",
        CheckedIn = 2 "CHECKED_IN",
        Voided = 3 "VOIDED",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proto::concert::v1 as pb;

    fn check<S: State, P: TryFrom<i32>>(text: impl Fn(P) -> &'static str) {
        for state in S::ALL {
            let sent = P::try_from(state.number()).ok().map(&text);
            assert_eq!(sent, Some(state.name()));
        }
    }

    #[test]
    fn states_have_the_numbers_and_names_of_the_contracts() {
        check::<ConcertState, _>(|state: pb::concert::State| state.as_str_name());
        check::<PerformanceState, _>(|state: pb::performance::State| state.as_str_name());
        check::<SeatState, _>(|state: pb::seat::State| state.as_str_name());
        check::<ReservationState, _>(|state: pb::reservation::State| state.as_str_name());
        check::<TicketState, _>(|state: pb::ticket::State| state.as_str_name());
    }
}
