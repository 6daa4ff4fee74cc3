//! What a refund is, and when money of a payment is not given back. Pure.

use service_kit::refusal::Refusal;
use uuid::Uuid;

use crate::payment::{self, Payment};

/// Where a refund stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefundState {
    /// Takes up what is refundable; not given back yet.
    Pending = 1,
    /// Given back.
    Succeeded = 2,
    /// Given up before it was given back.
    Cancelled = 3,
    /// Never given back.
    Failed = 4,
}

impl RefundState {
    pub(crate) const ALL: [Self; 4] = [Self::Pending, Self::Succeeded, Self::Cancelled, Self::Failed];

    /// As the contract spells it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::Succeeded => "SUCCEEDED",
            Self::Cancelled => "CANCELLED",
            Self::Failed => "FAILED",
        }
    }
}

/// Money of a payment that is given back; its id is its saga's.
#[derive(Debug, Clone)]
pub(crate) struct Refund {
    pub(crate) saga: Uuid,
    pub(crate) payment: Uuid,
    pub(crate) amount: i64,
    pub(crate) reason: String,
    pub(crate) state: RefundState,
    pub(crate) create_time: i64,
    pub(crate) complete_time: Option<i64>,
    /// The step that waits for the processor; none where it is not asked.
    pub(crate) complete_step: String,
}

/// The order to give money back.
#[derive(Debug, Clone)]
pub(crate) struct Order {
    pub(crate) payment: Uuid,
    pub(crate) amount: i64,
}

pub(crate) fn name(payment: Uuid, refund: Uuid) -> String {
    format!("{}/refunds/{refund}", payment::name(payment))
}

/// Why so much of the payment is not given back.
pub(crate) fn exceeds(payment: &Payment, amount: i64) -> Refusal {
    let refundable = payment.refundable_amount();
    let message = format!(
        "{} is {} and {refundable} KRW of it can be refunded, not {amount}",
        payment::name(payment.saga),
        payment.state.name()
    );
    Refusal::precondition("REFUND_EXCEEDS_CAPTURED", message).with("refundable", refundable)
}

/// A saga gives back once.
pub(crate) fn exists(refund: &Refund) -> Refusal {
    let name = name(refund.payment, refund.saga);
    let message = format!("{name} exists already; a saga refunds once");
    Refusal::new(tonic::Code::AlreadyExists, "REFUND_EXISTS", message).with("refund", name)
}

/// Why the refund does not end that way.
pub(crate) fn not_pending(refund: &Refund) -> Refusal {
    let state = refund.state.name();
    let message = format!("{} is {state}, not PENDING", name(refund.payment, refund.saga));
    Refusal::precondition("REFUND_NOT_PENDING", message).with("state", state)
}

pub(crate) fn not_found(name: impl Into<String>) -> Refusal {
    Refusal::not_found("REFUND_NOT_FOUND", name)
}
