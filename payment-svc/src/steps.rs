//! What each step of a saga does within its transaction. Points are moved at once; for cards it is written down that the
//! processor is to be asked, and the step is in progress until [`settle`](crate::settle) has its answer.

use service_kit::barrier::Progress;
use service_kit::db::Tx;
use service_kit::refusal::Fault;

use crate::errand::Kind;
use crate::payment::{self, Cause, Method, Order, Payment, State};
use crate::refund::{self, Refund, RefundState};
use crate::store::{self, cards, errands, refunds};

/// Whether payments by card can be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cards {
    /// There is no processor.
    NotOffered,
    /// It has not answered for a while.
    Down,
    /// It is there, for all that one knows.
    Offered,
}

/// Creates the payment.
pub(crate) async fn authorize(
    tx: &mut Tx<'_>,
    order: &Order,
    cause: &Cause,
    cards: Cards,
) -> Result<Progress<Payment>, Fault> {
    match (order.method, cards) {
        (Method::Point, _) | (Method::Card, Cards::Offered) => {}
        (Method::Card, Cards::Down) => return Err(payment::processor_unavailable().into()),
        (Method::Card, Cards::NotOffered) | (Method::BankTransfer, _) => {
            return Err(payment::not_offered(order.method).into());
        }
    }
    let payment = store::authorize(tx, order, cause).await?;
    if order.card.is_none() {
        return Ok(Progress::Done(payment));
    }
    errands::put(tx, (payment.saga, payment.saga), Kind::Authorize).await?;
    Ok(Progress::Asked)
}

/// Takes what is authorised, unless something else is about to become of it.
pub(crate) async fn capture(tx: &mut Tx<'_>, cause: &Cause, step: &str) -> Result<Progress<Payment>, Fault> {
    if let Some(payment) = store::capture_points(tx, cause).await? {
        return Ok(Progress::Done(payment));
    }
    let payment = store::locked(tx, cause.saga).await?;
    let is_ready = payment.method == Method::Card && payment.state == State::Authorized;
    if is_ready && errands::put(tx, (payment.saga, payment.saga), Kind::Capture).await? {
        cards::set_capture_step(tx, payment.saga, step).await?;
        return Ok(Progress::Asked);
    }
    Err(payment::not_authorized(&payment).into())
}

/// Gives the payment up, unless it is captured. A capture that the processor has not answered yet and this order are
/// decided by the processor: whichever it gets first.
pub(crate) async fn cancel(tx: &mut Tx<'_>, cause: &Cause) -> Result<Progress<Payment>, Fault> {
    if let Some(payment) = store::cancel_points(tx, cause).await? {
        return Ok(Progress::Done(payment));
    }
    let payment = store::locked(tx, cause.saga).await?;
    match payment.state {
        State::Captured => Err(payment::is_captured(&payment).into()),
        // It holds nothing.
        State::Cancelled | State::Failed => Ok(Progress::Done(payment)),
        State::Pending | State::Authorized => {
            cards::set_cancel_reason(tx, cause).await?;
            errands::void(tx, payment.saga).await?;
            Ok(Progress::Asked)
        }
    }
}

/// Gives back what a refund has taken up.
pub(crate) async fn complete_refund(tx: &mut Tx<'_>, cause: &Cause, step: &str) -> Result<Progress<Refund>, Fault> {
    let refund = refunds::locked(tx, cause.saga).await?;
    let payment = store::payment(tx, refund.payment).await?;
    if payment.method == Method::Point {
        return Ok(Progress::Done(refunds::complete(tx, cause).await?));
    }
    let is_ready = refund.state == RefundState::Pending;
    if is_ready && errands::put(tx, (payment.saga, refund.saga), Kind::Refund).await? {
        refunds::set_complete_step(tx, refund.saga, step).await?;
        return Ok(Progress::Asked);
    }
    Err(refund::not_pending(&refund).into())
}
