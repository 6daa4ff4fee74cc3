//! How a reservation that is confirmed is given back:
//!
//! ```text
//! CONFIRMED --begin--> CANCELLING --commit--> CANCELLED
//!    ^------abort----------'
//! ```
//!
//! CANCELLING is the semantic lock of one cancellation saga and has no clock. The rules are pure; seats and tickets change
//! with them, in `cancellation.rs`.

use service_kit::refusal::Refusal;
use service_kit::wire::timestamp;
use uuid::Uuid;

use super::Reservation;
use crate::concert::Performance;
use crate::state::{PerformanceState, ReservationState, State as _};

/// What has come of giving a reservation back.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Cancellation {
    /// The saga that has cancelled it.
    pub(crate) saga: Option<Uuid>,
    /// Since when it is, or was, locked for that.
    pub(crate) begin_time: Option<i64>,
    pub(crate) time: Option<i64>,
    /// What is kept of the total.
    pub(crate) fee: i64,
}

/// Who asks for a cancellation, and how.
#[derive(Debug, Clone)]
pub(crate) struct Begin {
    /// None when an operator asks, or the orchestrator for a performance that is off: they are never too late.
    pub(crate) customer: Option<Uuid>,
    pub(crate) saga: Uuid,
    pub(crate) waive_fee: bool,
}

impl Reservation {
    /// The saga takes the semantic lock; the fee is fixed.
    pub(crate) fn begin_cancellation(
        &mut self,
        begin: &Begin,
        performance: &Performance,
        now_ms: i64,
    ) -> Result<(), Refusal> {
        if let Some(customer) = begin.customer {
            self.expect_owner(customer)?;
        }
        self.expect_confirmed()?;
        let fee = self.fee(begin, performance, now_ms)?;
        self.state = ReservationState::Cancelling;
        self.lock_saga = Some(begin.saga);
        self.cancellation = Cancellation { begin_time: Some(now_ms), fee, ..Cancellation::default() };
        Ok(())
    }

    /// The saga gives its lock back: the customer keeps his seats.
    pub(crate) fn abort_cancellation(&mut self, saga: Uuid) -> Result<(), Refusal> {
        if !self.is_being_cancelled_by(saga) {
            let message = format!("{} was cancelled by this saga", self.name());
            return Err(Refusal::precondition("CANCELLATION_COMMITTED", message)
                .with("saga", format!("sagas/{saga}"))
                .with("state", self.state.name()));
        }
        self.state = ReservationState::Confirmed;
        self.lock_saga = None;
        self.cancellation = Cancellation::default();
        Ok(())
    }

    /// The saga that holds the lock makes it final. Nobody else can: that fences off whoever comes late.
    pub(crate) fn commit_cancellation(&mut self, saga: Uuid, now_ms: i64) -> Result<(), Refusal> {
        if !self.is_being_cancelled_by(saga) {
            return Err(self.lock_lost(saga));
        }
        self.state = ReservationState::Cancelled;
        self.lock_saga = None;
        self.cancellation.saga = Some(saga);
        self.cancellation.time = Some(now_ms);
        Ok(())
    }

    /// What the customer gets back, once a cancellation has begun.
    pub(crate) fn refund(&self) -> i64 {
        self.total_amount - self.cancellation.fee
    }

    /// Whether the saga holds the semantic lock of a cancellation.
    pub(crate) fn is_being_cancelled_by(&self, saga: Uuid) -> bool {
        self.state == ReservationState::Cancelling && self.lock_saga == Some(saga)
    }

    /// What is kept. When the performance is off, nothing is: neither the hour nor who has gone in already matters then.
    fn fee(&self, begin: &Begin, performance: &Performance, now_ms: i64) -> Result<i64, Refusal> {
        match performance.state {
            PerformanceState::Cancelled => return Ok(0),
            PerformanceState::Scheduled | PerformanceState::Performed => {}
        }
        self.expect_nobody_inside()?;
        let open = self.terms.at(performance.start_time, now_ms);
        let term = match begin.customer {
            Some(_) => Some(open.ok_or_else(|| self.cancellation_closed(performance))?),
            None => open.or_else(|| self.terms.last()),
        };
        Ok(if begin.waive_fee { 0 } else { term.map_or(0, |term| term.fee(self.total_amount)) })
    }

    fn expect_confirmed(&self) -> Result<(), Refusal> {
        match self.state {
            ReservationState::Confirmed => Ok(()),
            ReservationState::Confirming | ReservationState::Cancelling => Err(self.locked()),
            ReservationState::Held
            | ReservationState::Cancelled
            | ReservationState::Expired
            | ReservationState::Released => {
                let state = self.state.name();
                let message = format!("{} is {state}", self.name());
                Err(Refusal::precondition("RESERVATION_NOT_CONFIRMED", message).with("state", state))
            }
        }
    }

    fn expect_nobody_inside(&self) -> Result<(), Refusal> {
        if self.checked_in == 0 {
            return Ok(());
        }
        let message = format!("of {}, {} of the tickets have opened the door", self.name(), self.checked_in);
        Err(Refusal::precondition("TICKET_CHECKED_IN", message).with("checked_in_count", self.checked_in))
    }

    fn cancellation_closed(&self, performance: &Performance) -> Refusal {
        let close_time = timestamp(self.terms.close_time(performance.start_time));
        let message = format!("{} could be cancelled until {close_time}", self.name());
        Refusal::precondition("CANCELLATION_CLOSED", message).with("close_time", close_time)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reservation::tests::{CUSTOMER, NOW_MS, SAGA, in_state, on_stage, outcomes};

    const DAY_MS: i64 = 86_400_000;
    const STRANGER: Uuid = Uuid::from_u128(3);

    /// Sold for 1,000.
    fn sold() -> Reservation {
        Reservation { total_amount: 1_000, ..in_state(ReservationState::Confirmed) }
    }

    fn by(customer: Option<Uuid>) -> Begin {
        Begin { customer, saga: SAGA, waive_fee: false }
    }

    /// In so many days.
    fn in_days(days: i64) -> Performance {
        Performance { start_time: NOW_MS + days * DAY_MS, ..on_stage() }
    }

    /// The fee, or why not.
    fn fee(reservation: &Reservation, begin: &Begin, performance: &Performance) -> Result<i64, &'static str> {
        let mut reservation = reservation.clone();
        let begun = reservation.begin_cancellation(begin, performance, NOW_MS);
        begun.map(|()| reservation.cancellation.fee).map_err(|refusal| refusal.reason)
    }

    #[test]
    fn only_what_is_confirmed_can_be_cancelled() {
        let begin = by(Some(CUSTOMER));
        assert_eq!(
            outcomes(|reservation| reservation.begin_cancellation(&begin, &in_days(10), NOW_MS)),
            [
                "RESERVATION_NOT_CONFIRMED",
                "RESERVATION_LOCKED",
                "CANCELLING",
                "RESERVATION_LOCKED",
                "RESERVATION_NOT_CONFIRMED",
                "RESERVATION_NOT_CONFIRMED",
                "RESERVATION_NOT_CONFIRMED",
            ]
        );
    }

    #[test]
    fn only_the_saga_that_has_begun_can_commit_or_abort() {
        let mut expected = ["LOCK_LOST"; 7];
        assert_eq!(outcomes(|reservation| reservation.commit_cancellation(STRANGER, NOW_MS)), expected);
        expected[3] = "CANCELLED";
        assert_eq!(outcomes(|reservation| reservation.commit_cancellation(SAGA, NOW_MS)), expected);
        let mut expected = ["CANCELLATION_COMMITTED"; 7];
        assert_eq!(outcomes(|reservation| reservation.abort_cancellation(STRANGER)), expected);
        expected[3] = "CONFIRMED";
        assert_eq!(outcomes(|reservation| reservation.abort_cancellation(SAGA)), expected);
    }

    #[test]
    fn a_customer_pays_by_the_table_and_is_too_late_on_the_last_day() {
        let fees = [11, 7, 3, 1, 0].map(|days| fee(&sold(), &by(Some(CUSTOMER)), &in_days(days)));
        assert_eq!(fees, [Ok(0), Ok(100), Ok(200), Ok(300), Err("CANCELLATION_CLOSED")]);
        assert_eq!(fee(&sold(), &by(Some(STRANGER)), &in_days(11)), Err("NOT_OWNER"));
    }

    #[test]
    fn an_operator_is_never_too_late_and_may_waive_the_fee() {
        let fees = [7, 0, -1].map(|days| fee(&sold(), &by(None), &in_days(days)));
        assert_eq!(fees, [Ok(100), Ok(300), Ok(300)]);
        let waived = Begin { waive_fee: true, ..by(None) };
        assert_eq!([7, 0].map(|days| fee(&sold(), &waived, &in_days(days))), [Ok(0); 2]);
        // Waiving does not turn back the clock.
        let late = Begin { waive_fee: true, ..by(Some(CUSTOMER)) };
        assert_eq!(fee(&sold(), &late, &in_days(0)), Err("CANCELLATION_CLOSED"));
    }

    #[test]
    fn when_the_performance_is_off_everybody_gets_everything_whenever_and_wherever_he_is() {
        let off = Performance { state: PerformanceState::Cancelled, ..in_days(0) };
        let inside = Reservation { checked_in: 1, ..sold() };
        for reservation in [sold(), inside] {
            assert_eq!([None, Some(CUSTOMER)].map(|who| fee(&reservation, &by(who), &off)), [Ok(0); 2]);
        }
    }

    #[test]
    fn nobody_gets_money_back_for_a_ticket_that_has_opened_the_door() {
        let inside = Reservation { checked_in: 1, ..sold() };
        let waived = Begin { waive_fee: true, ..by(None) };
        for begin in [by(Some(CUSTOMER)), waived] {
            assert_eq!(fee(&inside, &begin, &in_days(11)), Err("TICKET_CHECKED_IN"));
        }
    }

    #[test]
    fn an_aborted_cancellation_leaves_no_trace() {
        let mut reservation = sold();
        reservation.begin_cancellation(&by(None), &in_days(1), NOW_MS).unwrap();
        assert_eq!((reservation.refund(), reservation.cancellation.begin_time), (700, Some(NOW_MS)));
        reservation.abort_cancellation(SAGA).unwrap();
        assert_eq!(reservation, sold());
    }
}
