//! What a payment is and which states it goes through. Pure: each rule stands here a second time beside the store's
//! conditional statement, to say why that one changed nothing.

use std::time::Duration;

use service_kit::refusal::Refusal;
use tonic::Code;
use uuid::Uuid;

/// How soon another payment of the same reference may be over: its cancellation is usually under way.
const LIVE_RETRY: Duration = Duration::from_secs(1);

/// Where a payment stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// An outside processor was asked and has not answered yet.
    Pending = 1,
    /// Guaranteed, not taken.
    Authorized = 2,
    /// Taken.
    Captured = 3,
    /// Given up before it was taken.
    Cancelled = 4,
    /// Declined by an outside processor.
    Failed = 5,
}

impl State {
    pub(crate) const ALL: [Self; 5] = [Self::Pending, Self::Authorized, Self::Captured, Self::Cancelled, Self::Failed];

    /// As the contract spells it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::Authorized => "AUTHORIZED",
            Self::Captured => "CAPTURED",
            Self::Cancelled => "CANCELLED",
            Self::Failed => "FAILED",
        }
    }
}

/// A payment with points for a reservation; its id is its saga's.
#[derive(Debug, Clone)]
pub(crate) struct Payment {
    pub(crate) saga: Uuid,
    pub(crate) customer: Uuid,
    pub(crate) reference: String,
    pub(crate) state: State,
    pub(crate) version: i64,
    pub(crate) authorized_amount: i64,
    pub(crate) captured_amount: i64,
    pub(crate) refunded_amount: i64,
    /// Of the refunds that are PENDING.
    pub(crate) refunding_amount: i64,
    pub(crate) create_time: i64,
    pub(crate) authorize_time: Option<i64>,
    pub(crate) capture_time: Option<i64>,
    pub(crate) cancel_time: Option<i64>,
}

impl Payment {
    /// What may still be given back.
    pub(crate) fn refundable_amount(&self) -> i64 {
        self.captured_amount - self.refunded_amount - self.refunding_amount
    }
}

/// Who wants something, and why: what history tells of it.
#[derive(Debug, Clone)]
pub(crate) struct Cause {
    pub(crate) saga: Uuid,
    pub(crate) request_id: Option<Uuid>,
    pub(crate) actor: &'static str,
    pub(crate) reason: String,
}

impl Cause {
    /// A step of a saga.
    pub(crate) fn step(saga: Uuid, request_id: Uuid, reason: String) -> Self {
        Self { saga, request_id: Some(request_id), actor: "orchestrator", reason }
    }
}

/// The order to authorise a payment.
#[derive(Debug, Clone)]
pub(crate) struct Order {
    pub(crate) saga: Uuid,
    pub(crate) customer: Uuid,
    pub(crate) reference: String,
    pub(crate) amount: i64,
}

pub(crate) fn name(saga: Uuid) -> String {
    format!("payments/{saga}")
}

/// Why the order cannot be authorised beside the payment that was found.
pub(crate) fn cannot_authorize(order: &Order, found: &Payment) -> Refusal {
    let name = name(found.saga);
    if found.saga == order.saga {
        let message = format!("{name} exists already; a saga pays once");
        return Refusal::new(Code::AlreadyExists, "PAYMENT_EXISTS", message).with("payment", name);
    }
    let message = format!("{name} for {} is {}", found.reference, found.state.name());
    Refusal::new(Code::AlreadyExists, "LIVE_PAYMENT_EXISTS", message).with("payment", name).retry_after(LIVE_RETRY)
}

/// Why the payment cannot be cancelled. What was captured stays captured: giving it back is a refund.
pub(crate) fn cannot_cancel(payment: &Payment) -> Refusal {
    match payment.state {
        State::Captured => {
            let message = format!("{} is CAPTURED; it can only be refunded", name(payment.saga));
            Refusal::precondition("PAYMENT_CAPTURED", message).with("state", payment.state.name())
        }
        State::Pending | State::Authorized | State::Cancelled | State::Failed => not_authorized(payment),
    }
}

/// Why the payment cannot be captured.
pub(crate) fn not_authorized(payment: &Payment) -> Refusal {
    let state = payment.state.name();
    let message = format!("{} is {state}, not AUTHORIZED", name(payment.saga));
    Refusal::precondition("PAYMENT_NOT_AUTHORIZED", message).with("state", state)
}

pub(crate) fn not_found(saga: Uuid) -> Refusal {
    Refusal::not_found("PAYMENT_NOT_FOUND", name(saga))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn payment(saga: Uuid, state: State) -> Payment {
        Payment {
            saga,
            customer: Uuid::nil(),
            reference: "reservations/r".to_owned(),
            state,
            version: 1,
            authorized_amount: 1,
            captured_amount: 0,
            refunded_amount: 0,
            refunding_amount: 0,
            create_time: 0,
            authorize_time: None,
            capture_time: None,
            cancel_time: None,
        }
    }

    #[test]
    fn a_live_payment_of_another_saga_is_named_and_worth_another_look() {
        let (mine, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let order = Order { saga: mine, customer: Uuid::nil(), reference: "reservations/r".to_owned(), amount: 1 };
        let refusal = cannot_authorize(&order, &payment(other, State::Authorized));
        assert_eq!((refusal.reason, refusal.code), ("LIVE_PAYMENT_EXISTS", Code::AlreadyExists));
        assert_eq!(refusal.metadata, [("payment", name(other))]);
        assert!(refusal.retry_after.is_some());
        assert_eq!(cannot_authorize(&order, &payment(mine, State::Cancelled)).reason, "PAYMENT_EXISTS");
    }

    #[test]
    fn only_a_captured_payment_answers_a_cancellation_that_the_capture_won() {
        let reason = |state| cannot_cancel(&payment(Uuid::nil(), state)).reason;
        assert_eq!(reason(State::Captured), "PAYMENT_CAPTURED");
        assert_eq!(reason(State::Failed), "PAYMENT_NOT_AUTHORIZED");
    }
}
