//! Reservations and what may become of them:
//!
//! ```text
//! HELD --lock--> CONFIRMING --confirm--> CONFIRMED
//!  |  ^--unlock---'
//!  +--time--> EXPIRED     +--release--> RELEASED
//! ```
//!
//! How one that is confirmed is given back is in `reservation/cancelling.rs`.
//!
//! CONFIRMING is the semantic lock of one checkout saga and has no clock: only that saga ends it. The rules are pure;
//! their seats change with them, in `hold.rs` and `checkout.rs`.

use serde::{Deserialize, Serialize};
use service_kit::refusal::Refusal;
use service_kit::wire::timestamp;
use tonic::Code;
use uuid::Uuid;

use crate::concert::{BookingPolicy, Performance};
use crate::state::{ReservationState, State as _};
use crate::terms::Terms;

mod cancelling;

pub(crate) use cancelling::{Begin, Cancellation};

/// Seats that a customer holds or owns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reservation {
    pub(crate) id: Uuid,
    pub(crate) customer: Uuid,
    pub(crate) concert: Uuid,
    pub(crate) performance: Uuid,
    pub(crate) state: ReservationState,
    pub(crate) items: Vec<Item>,
    pub(crate) total_amount: i64,
    /// Counts while HELD; kept while CONFIRMING.
    pub(crate) expire_time: i64,
    pub(crate) lock_saga: Option<Uuid>,
    pub(crate) lock_time: Option<i64>,
    pub(crate) confirm_saga: Option<Uuid>,
    pub(crate) confirm_time: Option<i64>,
    pub(crate) payment: Option<Uuid>,
    /// What a cancellation costs, as it was when held.
    pub(crate) terms: Terms,
    pub(crate) cancellation: Cancellation,
    /// Tickets that have opened the door.
    pub(crate) checked_in: i64,
    pub(crate) create_time: i64,
    pub(crate) version: i64,
}

/// One seat of a reservation, as it was when held.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Item {
    pub(crate) seat: String,
    pub(crate) grade: String,
    pub(crate) price: i64,
    pub(crate) label: String,
}

/// Who asks for the lock, and what he was shown.
#[derive(Debug, Clone)]
pub(crate) struct Lock {
    pub(crate) customer: Uuid,
    pub(crate) saga: Uuid,
    pub(crate) expected_total_amount: Option<i64>,
}

impl Reservation {
    /// A hold lapses by time alone, whether or not anybody has noted it.
    pub(crate) fn at(mut self, now_ms: i64) -> Self {
        if self.state == ReservationState::Held && self.expire_time <= now_ms {
            self.state = ReservationState::Expired;
        }
        self
    }

    /// The saga takes the semantic lock; the hold's clock stops.
    pub(crate) fn lock(&mut self, lock: &Lock, performance: &Performance, now_ms: i64) -> Result<(), Refusal> {
        self.expect_owner(lock.customer)?;
        self.expect_held()?;
        performance.expect_not_cancelled()?;
        if let Some(expected) = lock.expected_total_amount
            && expected != self.total_amount
        {
            let message = format!("the total is {}, not {expected}", self.total_amount);
            return Err(Refusal::precondition("AMOUNT_CHANGED", message)
                .with("expected", expected)
                .with("actual", self.total_amount));
        }
        self.state = ReservationState::Confirming;
        self.lock_saga = Some(lock.saga);
        self.lock_time = Some(now_ms);
        Ok(())
    }

    /// The saga gives its lock back: the customer gets time to try again, as far as the hold's lifetime goes.
    pub(crate) fn unlock(&mut self, saga: Uuid, policy: &BookingPolicy, now_ms: i64) -> Result<(), Refusal> {
        if !self.locked_by(saga) {
            let message = format!("{} was confirmed by this saga", self.name());
            return Err(Refusal::precondition("RESERVATION_CONFIRMED", message)
                .with("saga", format!("sagas/{saga}"))
                .with("state", self.state.name()));
        }
        let end = self.create_time + policy.max_hold_lifetime_ms;
        self.expire_time = self.expire_time.max(now_ms + policy.retry_grace_ms).min(end);
        self.state = ReservationState::Held;
        self.lock_saga = None;
        self.lock_time = None;
        if self.expire_time <= now_ms {
            self.state = ReservationState::Expired;
        }
        Ok(())
    }

    /// The saga that holds the lock makes it final. Nobody else can: that fences off whoever comes late.
    pub(crate) fn confirm(&mut self, saga: Uuid, payment: Option<Uuid>, now_ms: i64) -> Result<(), Refusal> {
        if !self.locked_by(saga) {
            return Err(self.lock_lost(saga));
        }
        self.state = ReservationState::Confirmed;
        self.lock_saga = None;
        self.confirm_saga = Some(saga);
        self.confirm_time = Some(now_ms);
        self.payment = payment;
        Ok(())
    }

    /// Its customer gives it up. Tells whether that is new.
    pub(crate) fn release(&mut self, customer: Uuid) -> Result<bool, Refusal> {
        self.expect_owner(customer)?;
        match self.state {
            ReservationState::Released => Ok(false),
            ReservationState::Held => {
                self.state = ReservationState::Released;
                Ok(true)
            }
            ReservationState::Confirming | ReservationState::Cancelling => Err(self.locked()),
            ReservationState::Confirmed | ReservationState::Cancelled | ReservationState::Expired => {
                Err(self.not_held())
            }
        }
    }

    /// Its seats' ids.
    pub(crate) fn seats(&self) -> Vec<&str> {
        self.items.iter().map(|item| item.seat.as_str()).collect()
    }

    /// Its full name.
    pub(crate) fn name(&self) -> String {
        name(self.id)
    }

    /// The time to check out ran out.
    pub(crate) fn hold_expired(&self) -> Refusal {
        let expire_time = timestamp(self.expire_time);
        let message = format!("the hold of {} ended at {expire_time}", self.name());
        Refusal::precondition("HOLD_EXPIRED", message).with("expire_time", expire_time)
    }

    /// Whether the saga holds the semantic lock of a checkout.
    pub(crate) fn locked_by(&self, saga: Uuid) -> bool {
        self.state == ReservationState::Confirming && self.lock_saga == Some(saga)
    }

    fn expect_owner(&self, customer: Uuid) -> Result<(), Refusal> {
        if self.customer == customer {
            return Ok(());
        }
        let message = format!("{} is not of customers/{customer}", self.name());
        Err(Refusal::new(Code::PermissionDenied, "NOT_OWNER", message))
    }

    fn expect_held(&self) -> Result<(), Refusal> {
        match self.state {
            ReservationState::Held => Ok(()),
            ReservationState::Expired => Err(self.hold_expired()),
            ReservationState::Confirming | ReservationState::Cancelling => Err(self.locked()),
            ReservationState::Confirmed | ReservationState::Cancelled | ReservationState::Released => {
                Err(self.not_held())
            }
        }
    }

    fn locked(&self) -> Refusal {
        let saga = self.lock_saga.map(|saga| format!("sagas/{saga}")).unwrap_or_default();
        let message = format!("{} is locked by {saga}", self.name());
        Refusal::precondition("RESERVATION_LOCKED", message).with("saga", saga)
    }

    fn lock_lost(&self, saga: Uuid) -> Refusal {
        let state = self.state.name();
        let message = format!("sagas/{saga} does not hold the lock of {}", self.name());
        Refusal::precondition("LOCK_LOST", message).with("state", state)
    }

    fn not_held(&self) -> Refusal {
        let state = self.state.name();
        let message = format!("{} is {state}", self.name());
        Refusal::precondition("RESERVATION_NOT_HELD", message).with("state", state)
    }
}

/// A reservation's full name.
pub(crate) fn name(id: Uuid) -> String {
    format!("reservations/{id}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::PerformanceState;

    pub(super) const CUSTOMER: Uuid = Uuid::from_u128(1);
    pub(super) const SAGA: Uuid = Uuid::from_u128(2);
    pub(super) const NOW_MS: i64 = 1_000;

    pub(super) fn in_state(state: ReservationState) -> Reservation {
        let locked = matches!(state, ReservationState::Confirming | ReservationState::Cancelling);
        Reservation {
            id: Uuid::nil(),
            customer: CUSTOMER,
            concert: Uuid::nil(),
            performance: Uuid::nil(),
            state,
            items: Vec::new(),
            total_amount: 0,
            expire_time: NOW_MS + 1,
            lock_saga: locked.then_some(SAGA),
            lock_time: None,
            confirm_saga: None,
            confirm_time: None,
            payment: None,
            terms: Terms::default(),
            cancellation: Cancellation::default(),
            checked_in: 0,
            create_time: 0,
            version: 1,
        }
    }

    pub(super) fn on_stage() -> Performance {
        Performance {
            id: Uuid::nil(),
            concert: Uuid::nil(),
            start_time: 0,
            venue: String::new(),
            state: PerformanceState::Scheduled,
            seat_count: 1,
            create_time: 0,
            version: 1,
        }
    }

    /// What each state becomes by a verb, or why not.
    pub(super) fn outcomes(verb: impl Fn(&mut Reservation) -> Result<(), Refusal>) -> Vec<String> {
        let outcome = |state: &ReservationState| {
            let mut reservation = in_state(*state);
            match verb(&mut reservation) {
                Ok(()) => reservation.state.name().to_owned(),
                Err(refusal) => refusal.reason.to_owned(),
            }
        };
        ReservationState::ALL.iter().map(outcome).collect()
    }

    #[test]
    fn only_a_hold_can_be_locked() {
        let lock = Lock { customer: CUSTOMER, saga: SAGA, expected_total_amount: Some(0) };
        let outcomes = outcomes(|reservation| reservation.lock(&lock, &on_stage(), NOW_MS));
        assert_eq!(
            outcomes,
            [
                "CONFIRMING",
                "RESERVATION_LOCKED",
                "RESERVATION_NOT_HELD",
                "RESERVATION_LOCKED",
                "RESERVATION_NOT_HELD",
                "HOLD_EXPIRED",
                "RESERVATION_NOT_HELD",
            ]
        );
    }

    #[test]
    fn only_what_its_saga_has_locked_can_be_confirmed() {
        let mut expected = ["LOCK_LOST"; 7];
        let stranger = Uuid::from_u128(3);
        assert_eq!(outcomes(|reservation| reservation.confirm(stranger, None, NOW_MS)), expected);
        expected[1] = "CONFIRMED";
        assert_eq!(outcomes(|reservation| reservation.confirm(SAGA, None, NOW_MS)), expected);
    }

    #[test]
    fn only_a_hold_can_be_released() {
        assert_eq!(
            outcomes(|reservation| reservation.release(CUSTOMER).map(drop)),
            [
                "RELEASED",
                "RESERVATION_LOCKED",
                "RESERVATION_NOT_HELD",
                "RESERVATION_LOCKED",
                "RESERVATION_NOT_HELD",
                "RESERVATION_NOT_HELD",
                "RELEASED",
            ]
        );
    }

    #[test]
    fn only_a_hold_lapses_and_at_its_time() {
        for state in ReservationState::ALL {
            assert_eq!(in_state(*state).at(NOW_MS).state, *state);
            let later = in_state(*state).at(NOW_MS + 1).state;
            let lapses = *state == ReservationState::Held;
            assert_eq!(later, if lapses { ReservationState::Expired } else { *state });
        }
    }
}
