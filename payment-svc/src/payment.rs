//! What a payment is and which states it goes through. Pure: each rule stands here a second time beside the store's
//! conditional statement, to say why that one changed nothing.

use std::time::Duration;

use service_kit::refusal::Refusal;
use tonic::Code;
use uuid::Uuid;

/// How soon another payment of the same reference may be over: its cancellation is usually under way.
const LIVE_RETRY: Duration = Duration::from_secs(1);

/// How soon a processor that is down may be up.
const PROCESSOR_RETRY: Duration = Duration::from_secs(1);

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

/// What is paid with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Method {
    /// What the same saga has reserved is the guarantee.
    Point = 1,
    /// By way of an outside processor.
    Card = 2,
    /// Not offered.
    BankTransfer = 3,
}

impl Method {
    pub(crate) const ALL: [Self; 3] = [Self::Point, Self::Card, Self::BankTransfer];

    /// As the contract spells it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Point => "POINT",
            Self::Card => "CARD",
            Self::BankTransfer => "BANK_TRANSFER",
        }
    }
}

/// What is paid for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Its capture follows the decision and may not be refused.
    Reservation = 1,
    /// Its capture is the decision.
    PointCharge = 2,
}

impl Purpose {
    pub(crate) const ALL: [Self; 2] = [Self::Reservation, Self::PointCharge];

    /// As the contract spells it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Reservation => "RESERVATION",
            Self::PointCharge => "POINT_CHARGE",
        }
    }
}

/// Money for one thing; its id is its saga's.
#[derive(Debug, Clone)]
pub(crate) struct Payment {
    pub(crate) saga: Uuid,
    pub(crate) customer: Uuid,
    pub(crate) purpose: Purpose,
    pub(crate) reference: String,
    pub(crate) method: Method,
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
    /// Why it was, or is about to be, given up.
    pub(crate) cancel_reason: String,
    pub(crate) card_last_four: String,
    pub(crate) processor_reference: String,
    /// The processor's code, once it has declined.
    pub(crate) failure_reason: String,
    /// The steps that wait for the processor; none where it is not asked.
    pub(crate) authorize_step: String,
    pub(crate) capture_step: String,
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

    /// The processor's answer.
    pub(crate) fn answer(saga: Uuid, reason: String) -> Self {
        Self { saga, request_id: None, actor: "processor", reason }
    }
}

/// A card, as far as it is known here: never by its number.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Card {
    pub(crate) token: String,
    pub(crate) last_four: String,
}

impl std::fmt::Debug for Card {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Card")
    }
}

/// The order to authorise a payment.
#[derive(Debug, Clone)]
pub(crate) struct Order {
    pub(crate) saga: Uuid,
    pub(crate) customer: Uuid,
    pub(crate) purpose: Purpose,
    pub(crate) reference: String,
    pub(crate) method: Method,
    pub(crate) amount: i64,
    /// Of a payment by card, and of no other.
    pub(crate) card: Option<Card>,
    /// The step that asks for it.
    pub(crate) step: String,
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

/// What was captured stays captured: giving it back is a refund.
pub(crate) fn is_captured(payment: &Payment) -> Refusal {
    let message = format!("{} is CAPTURED; it can only be refunded", name(payment.saga));
    Refusal::precondition("PAYMENT_CAPTURED", message).with("state", payment.state.name())
}

/// Why the payment cannot be captured.
pub(crate) fn not_authorized(payment: &Payment) -> Refusal {
    let state = payment.state.name();
    let message = match payment.state {
        State::Authorized => format!("{} is AUTHORIZED and about to be something else", name(payment.saga)),
        State::Pending | State::Captured | State::Cancelled | State::Failed => {
            format!("{} is {state}, not AUTHORIZED", name(payment.saga))
        }
    };
    let refusal = Refusal::precondition("PAYMENT_NOT_AUTHORIZED", message).with("state", state);
    refusal.with("purpose", payment.purpose.name())
}

/// The bank or the processor has said no.
pub(crate) fn declined(payment: &Payment, code: &str) -> Refusal {
    let message = format!("the processor has declined {}: {code}", name(payment.saga));
    Refusal::precondition("PAYMENT_DECLINED", message).with("processor_code", code)
}

/// The processor is known to be down, so it is asked for nothing new: nothing is written, and nothing has to be taken back.
pub(crate) fn processor_unavailable() -> Refusal {
    let message = "the card processor cannot be reached; nothing was done, try again later";
    Refusal::new(Code::Unavailable, "PROCESSOR_UNAVAILABLE", message).retry_after(PROCESSOR_RETRY)
}

/// Nobody takes such payments here.
pub(crate) fn not_offered(method: Method) -> Refusal {
    let method = method.name();
    let message = format!("payments by {method} are not offered here; pay by another method");
    Refusal::precondition("PAYMENT_METHOD_NOT_OFFERED", message).with("method", method)
}

/// Whether a refusal of a capture is final: where the capture is the decision it is, and it must find itself again.
/// After the decision it is not: once the cause is mended, the capture must succeed.
pub(crate) fn decides(refusal: &Refusal) -> bool {
    refusal.metadata.iter().any(|(key, value)| *key == "purpose" && value == Purpose::PointCharge.name())
}

pub(crate) fn not_found(saga: Uuid) -> Refusal {
    Refusal::not_found("PAYMENT_NOT_FOUND", name(saga))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn payment(saga: Uuid, purpose: Purpose) -> Payment {
        Payment {
            saga,
            customer: Uuid::nil(),
            purpose,
            reference: "reservations/r".to_owned(),
            method: Method::Point,
            state: State::Cancelled,
            version: 1,
            authorized_amount: 1,
            captured_amount: 0,
            refunded_amount: 0,
            refunding_amount: 0,
            create_time: 0,
            authorize_time: None,
            capture_time: None,
            cancel_time: None,
            cancel_reason: String::new(),
            card_last_four: String::new(),
            processor_reference: String::new(),
            failure_reason: String::new(),
            authorize_step: String::new(),
            capture_step: String::new(),
        }
    }

    #[test]
    fn a_live_payment_of_another_saga_is_named_and_worth_another_look() {
        let (mine, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let order = Order {
            saga: mine,
            customer: Uuid::nil(),
            purpose: Purpose::Reservation,
            reference: "reservations/r".to_owned(),
            method: Method::Point,
            amount: 1,
            card: None,
            step: "authorize".to_owned(),
        };
        let refusal = cannot_authorize(&order, &payment(other, Purpose::Reservation));
        assert_eq!((refusal.reason, refusal.code), ("LIVE_PAYMENT_EXISTS", Code::AlreadyExists));
        assert_eq!(refusal.metadata, [("payment", name(other))]);
        assert!(refusal.retry_after.is_some());
        assert_eq!(cannot_authorize(&order, &payment(mine, Purpose::Reservation)).reason, "PAYMENT_EXISTS");
    }

    #[test]
    fn a_refused_capture_is_final_where_it_is_the_decision() {
        assert!(decides(&not_authorized(&payment(Uuid::nil(), Purpose::PointCharge))));
        assert!(!decides(&not_authorized(&payment(Uuid::nil(), Purpose::Reservation))));
    }

    #[test]
    fn a_card_is_never_shown() {
        let card = Card { token: "tok_secret".into(), last_four: "4242".into() };
        assert_eq!(format!("{card:?}"), "Card");
    }
}
