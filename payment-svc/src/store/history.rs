//! What is written beside every change, in its transaction: a row of history, and the event where the world is to know.

use prost::Message as _;
use proto::event::v1 as event;
use service_kit::args;
use service_kit::db::{self, Tx};
use service_kit::outbox::{Draft, Outbox};
use uuid::Uuid;

use crate::payment::{self, Cause, Payment};
use crate::refund::{self, Refund};

const OUTBOX: Outbox = service_kit::outbox!("payment");

/// One change of a payment, or of a refund of it.
pub(super) struct Change<'a> {
    /// As it is afterwards.
    pub(super) payment: &'a Payment,
    pub(super) refund: Option<Uuid>,
    /// The states' names; nothing before there was one.
    pub(super) states: (&'static str, &'static str),
    pub(super) cause: &'a Cause,
    /// Type and payload of the event.
    pub(super) event: Option<(&'static str, Vec<u8>)>,
}

/// Writes all of it.
pub(super) async fn record(tx: &mut Tx<'_>, change: Change<'_>) -> Result<(), db::Error> {
    const INSERT: &str = "insert into payment_transitions (payment_id, version, refund_id, from_state, to_state, actor, \
        request_id, saga_id, reason, create_time) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
    let Change { payment, refund, states: (from, to), cause, event } = change;
    let now_ms = tx.now_ms();
    let mut row = args![payment.saga, payment.version, refund, from, to, cause.actor].to_vec();
    row.extend_from_slice(args![cause.request_id, cause.saga, &cause.reason, now_ms]);
    let draft = event.map(|(kind, data)| Draft {
        kind,
        aggregate: payment::name(payment.saga),
        version: payment.version,
        partition: partition(payment),
        saga: Some(cause.saga),
        data,
    });
    let draft = draft.map(|draft| OUTBOX.event(tx, draft));
    let mut statements = vec![(INSERT, row)];
    statements.extend(draft.as_ref().map(|draft| OUTBOX.insertion(tx.bucket(cause.saga), draft)));
    tx.execute_each(&statements).await.map(drop)
}

/// Events of one reservation stay together, and else those of one customer.
fn partition(payment: &Payment) -> String {
    if payment.reference.starts_with("reservations/") {
        return payment.reference.clone();
    }
    format!("customers/{}", payment.customer)
}

pub(super) fn authorized(payment: &Payment) -> (&'static str, Vec<u8>) {
    let data = event::PaymentAuthorized {
        payment: payment::name(payment.saga),
        customer: format!("customers/{}", payment.customer),
        reference: payment.reference.clone(),
        amount: payment.authorized_amount,
        method: payment.method.name().into(),
    };
    ("ticketing.payment.authorized.v1", data.encode_to_vec())
}

pub(super) fn captured(payment: &Payment) -> (&'static str, Vec<u8>) {
    let data = event::PaymentCaptured {
        payment: payment::name(payment.saga),
        customer: format!("customers/{}", payment.customer),
        reference: payment.reference.clone(),
        amount: payment.captured_amount,
        method: payment.method.name().into(),
    };
    ("ticketing.payment.captured.v1", data.encode_to_vec())
}

pub(super) fn cancelled(payment: &Payment, reason: &str) -> (&'static str, Vec<u8>) {
    let data = event::PaymentCancelled {
        payment: payment::name(payment.saga),
        reference: payment.reference.clone(),
        reason: reason.to_owned(),
    };
    ("ticketing.payment.cancelled.v1", data.encode_to_vec())
}

pub(super) fn refunded(refund: &Refund) -> (&'static str, Vec<u8>) {
    let data = event::RefundSucceeded {
        refund: refund::name(refund.payment, refund.saga),
        payment: payment::name(refund.payment),
        amount: refund.amount,
    };
    ("ticketing.refund.succeeded.v1", data.encode_to_vec())
}
