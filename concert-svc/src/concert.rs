//! Concerts and performances: what they are and when they may be booked. No statement and no message is here.

use service_kit::refusal::Refusal;
use service_kit::wire::timestamp;
use tonic::Code;
use uuid::Uuid;

use crate::state::{ConcertState, PerformanceState, State as _};
use crate::terms::Terms;

/// Seats of one reservation that no policy may exceed.
pub(crate) const MAX_SEATS: usize = 10;

/// How long after its start a performance is over: longer than any lasts, so that what the house settles in the course of
/// the evening is still settled for a performance that takes place.
pub(crate) const PERFORMANCE_MS: i64 = 6 * 3_600_000;

/// What is performed, once or often.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Concert {
    pub(crate) id: Uuid,
    pub(crate) title: String,
    pub(crate) artist: String,
    pub(crate) booking_open_time: i64,
    pub(crate) booking_close_time: i64,
    pub(crate) state: ConcertState,
    pub(crate) waiting_room: Option<Uuid>,
    pub(crate) policy: BookingPolicy,
    pub(crate) create_time: i64,
    pub(crate) update_time: i64,
    pub(crate) version: i64,
}

/// Limits of booking.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BookingPolicy {
    pub(crate) hold_ttl_ms: i64,
    pub(crate) max_hold_lifetime_ms: i64,
    pub(crate) retry_grace_ms: i64,
    pub(crate) max_seats_per_reservation: i64,
    pub(crate) max_live_reservations_per_customer: i64,
    pub(crate) max_seats_per_customer: i64,
    pub(crate) cancellation_terms: Terms,
}

impl Default for BookingPolicy {
    fn default() -> Self {
        Self {
            hold_ttl_ms: 300_000,
            max_hold_lifetime_ms: 900_000,
            retry_grace_ms: 60_000,
            max_seats_per_reservation: 4,
            max_live_reservations_per_customer: 1,
            max_seats_per_customer: 4,
            cancellation_terms: Terms::default(),
        }
    }
}

/// One evening of a concert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Performance {
    pub(crate) id: Uuid,
    pub(crate) concert: Uuid,
    pub(crate) start_time: i64,
    pub(crate) venue: String,
    pub(crate) state: PerformanceState,
    pub(crate) seat_count: i64,
    pub(crate) create_time: i64,
    pub(crate) version: i64,
}

/// A performance with the concert that it is of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sale {
    pub(crate) concert: Concert,
    pub(crate) performance: Performance,
}

/// What a customer has of one concert already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Holdings {
    /// Reservations of the performance in question that are held and not bought yet.
    pub(crate) live_reservations: i64,
    /// Seats in all performances, held or bought.
    pub(crate) seats: i64,
}

impl Concert {
    /// Puts it on sale; one that is on sale stays so.
    pub(crate) fn publish(&mut self) -> Result<(), Refusal> {
        match self.state {
            ConcertState::Draft | ConcertState::Suspended | ConcertState::Active => {
                self.state = ConcertState::Active;
                Ok(())
            }
            ConcertState::Closed => Err(self.not_active()),
        }
    }

    /// Takes it off sale; one that is suspended stays so.
    pub(crate) fn suspend(&mut self) -> Result<(), Refusal> {
        match self.state {
            ConcertState::Active | ConcertState::Suspended => {
                self.state = ConcertState::Suspended;
                Ok(())
            }
            ConcertState::Draft | ConcertState::Closed => Err(self.not_active()),
        }
    }

    /// Takes it off sale for good; one that is closed stays so.
    pub(crate) fn close(&mut self) {
        self.state = ConcertState::Closed;
    }

    /// Lets a change through that was decided on this version of it, or on none in particular.
    pub(crate) fn expect_version(&self, etag: &str) -> Result<(), Refusal> {
        if etag.is_empty() || etag == self.version.to_string() {
            return Ok(());
        }
        let message = format!("concerts/{} has changed since it was read", self.id);
        Err(Refusal::new(Code::Aborted, "ETAG_MISMATCH", message))
    }

    fn not_active(&self) -> Refusal {
        let (id, state) = (self.id, self.state.name());
        Refusal::precondition("CONCERT_NOT_ACTIVE", format!("concerts/{id} is {state}")).with("state", state)
    }
}

impl Performance {
    /// It is over by time alone, whether or not anybody has noted it.
    pub(crate) fn at(self, now_ms: i64) -> Self {
        Self { state: self.state_at(now_ms), ..self }
    }

    fn state_at(&self, now_ms: i64) -> PerformanceState {
        match self.state {
            PerformanceState::Scheduled if self.start_time.saturating_add(PERFORMANCE_MS) <= now_ms => {
                PerformanceState::Performed
            }
            PerformanceState::Scheduled | PerformanceState::Cancelled | PerformanceState::Performed => self.state,
        }
    }

    /// Refuses when it will not take place.
    pub(crate) fn expect_not_cancelled(&self) -> Result<(), Refusal> {
        match self.state {
            PerformanceState::Scheduled | PerformanceState::Performed => Ok(()),
            PerformanceState::Cancelled => {
                let message = format!("performances/{} is cancelled", self.id);
                Err(Refusal::precondition("PERFORMANCE_CANCELLED", message))
            }
        }
    }
}

impl Sale {
    /// Refuses unless seats may be held at that time.
    pub(crate) fn expect_open(&self, now_ms: i64) -> Result<(), Refusal> {
        let Self { concert, performance } = self;
        if concert.state != ConcertState::Active {
            return Err(concert.not_active());
        }
        performance.expect_not_cancelled()?;
        let open = concert.booking_open_time <= now_ms && now_ms < concert.booking_close_time;
        if open && performance.state_at(now_ms) == PerformanceState::Scheduled {
            return Ok(());
        }
        let [from, until] = [concert.booking_open_time, concert.booking_close_time].map(timestamp);
        let message = format!("seats can be held from {from} until {until}");
        Err(Refusal::precondition("BOOKING_NOT_OPEN", message).with("open_time", from).with("close_time", until))
    }
}

impl BookingPolicy {
    /// Refuses when `seats` more in one reservation are too many for somebody who has that much already.
    pub(crate) fn expect_within_caps(&self, seats: i64, has: Holdings) -> Result<(), Refusal> {
        let caps = [
            ("SEAT_LIMIT_EXCEEDED", "seats in a reservation", seats, self.max_seats_per_reservation),
            (
                "RESERVATION_LIMIT_EXCEEDED",
                "reservations of a performance at a time",
                has.live_reservations + 1,
                self.max_live_reservations_per_customer,
            ),
            ("SEAT_LIMIT_EXCEEDED", "seats of a customer in a concert", has.seats + seats, self.max_seats_per_customer),
        ];
        let exceeded = caps.into_iter().find(|(_, _, wanted, limit)| wanted > limit);
        exceeded.map_or(Ok(()), |(reason, what, wanted, limit)| {
            let message = format!("{what}: {wanted} would be more than {limit}");
            Err(Refusal::precondition(reason, message).with("limit", limit))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPEN: i64 = 1_000;
    const CLOSE: i64 = 2_000;

    fn sale() -> Sale {
        let concert = Concert {
            id: Uuid::nil(),
            title: "T".into(),
            artist: "A".into(),
            booking_open_time: OPEN,
            booking_close_time: CLOSE,
            state: ConcertState::Active,
            waiting_room: None,
            policy: BookingPolicy::default(),
            create_time: 0,
            update_time: 0,
            version: 3,
        };
        let performance = Performance {
            id: Uuid::nil(),
            concert: Uuid::nil(),
            start_time: 5_000,
            venue: String::new(),
            state: PerformanceState::Scheduled,
            seat_count: 1,
            create_time: 0,
            version: 1,
        };
        Sale { concert, performance }
    }

    fn reason<T: std::fmt::Debug>(result: Result<T, Refusal>) -> &'static str {
        result.unwrap_err().reason
    }

    #[test]
    fn seats_can_be_held_from_the_opening_until_just_before_the_close() {
        let sale = sale();
        assert_eq!(reason(sale.expect_open(OPEN - 1)), "BOOKING_NOT_OPEN");
        assert_eq!(sale.expect_open(OPEN), Ok(()));
        assert_eq!(sale.expect_open(CLOSE - 1), Ok(()));
        assert_eq!(reason(sale.expect_open(CLOSE)), "BOOKING_NOT_OPEN");
    }

    #[test]
    fn nothing_is_sold_for_a_concert_that_is_not_active_or_an_evening_that_is_off() {
        for state in [ConcertState::Draft, ConcertState::Suspended, ConcertState::Closed] {
            let mut sale = sale();
            sale.concert.state = state;
            assert_eq!(reason(sale.expect_open(OPEN)), "CONCERT_NOT_ACTIVE");
        }
        let mut off = sale();
        off.performance.state = PerformanceState::Cancelled;
        assert_eq!(reason(off.expect_open(OPEN)), "PERFORMANCE_CANCELLED");
        off.performance.state = PerformanceState::Performed;
        assert_eq!(reason(off.expect_open(OPEN)), "BOOKING_NOT_OPEN");
    }

    #[test]
    fn a_performance_is_over_six_hours_after_its_start_unless_it_was_cancelled() {
        let performance = sale().performance;
        let over_ms = performance.start_time + PERFORMANCE_MS;
        for (state, before, after) in [
            (PerformanceState::Scheduled, PerformanceState::Scheduled, PerformanceState::Performed),
            (PerformanceState::Cancelled, PerformanceState::Cancelled, PerformanceState::Cancelled),
            (PerformanceState::Performed, PerformanceState::Performed, PerformanceState::Performed),
        ] {
            let at = |now_ms| Performance { state, ..performance.clone() }.at(now_ms).state;
            assert_eq!((at(over_ms - 1), at(over_ms)), (before, after));
        }
        let mut sale = sale();
        sale.concert.booking_close_time = i64::MAX;
        assert_eq!(sale.expect_open(over_ms - 1), Ok(()));
        assert_eq!(reason(sale.expect_open(over_ms)), "BOOKING_NOT_OPEN");
    }

    #[test]
    fn a_closed_concert_stays_closed_and_a_draft_cannot_be_suspended() {
        let mut concert = sale().concert;
        concert.state = ConcertState::Closed;
        assert_eq!(reason(concert.publish()), "CONCERT_NOT_ACTIVE");
        assert_eq!(reason(concert.suspend()), "CONCERT_NOT_ACTIVE");
        concert.state = ConcertState::Draft;
        assert_eq!(reason(concert.suspend()), "CONCERT_NOT_ACTIVE");
        assert_eq!(concert.publish(), Ok(()));
        assert_eq!(concert.suspend(), Ok(()));
        assert_eq!(concert.publish(), Ok(()));
    }

    #[test]
    fn a_change_decided_on_an_older_version_does_not_pass() {
        let concert = sale().concert;
        assert_eq!(concert.expect_version(""), Ok(()));
        assert_eq!(concert.expect_version("3"), Ok(()));
        assert_eq!(reason(concert.expect_version("2")), "ETAG_MISMATCH");
    }

    #[test]
    fn caps_count_what_the_customer_has_already() {
        let policy = BookingPolicy::default();
        let has = |live_reservations, seats| Holdings { live_reservations, seats };
        assert_eq!(policy.expect_within_caps(4, has(0, 0)), Ok(()));
        assert_eq!(policy.expect_within_caps(2, has(0, 2)), Ok(()));
        let five = policy.expect_within_caps(5, has(0, 0));
        assert_eq!(reason(five), "SEAT_LIMIT_EXCEEDED");
        let second = policy.expect_within_caps(1, has(1, 1));
        assert_eq!(reason(second), "RESERVATION_LIMIT_EXCEEDED");
        let elsewhere = policy.expect_within_caps(2, has(0, 3));
        assert_eq!(reason(elsewhere), "SEAT_LIMIT_EXCEEDED");
    }
}
