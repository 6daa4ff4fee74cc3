//! The second transaction: what becomes of a payment or refund once the processor has answered. The errand is ended in the
//! same transaction; whoever finds it gone, or become another one, has been overtaken and changes nothing.
//!
//! Each answer is a last word: what was declined or voided stays so under its id, whatever still arrives there.

use service_kit::barrier::{Operation, Settlement};
use service_kit::db::Tx;
use service_kit::refusal::{Fault, Refusal};

use crate::errand::{self, Errand, Kind, Problem};
use crate::payment::{self, Cause, Payment, Purpose, State};
use crate::processor::Answer;
use crate::store::{self, cards, errands, refunds};
use crate::{BARRIER, wire};

/// Why the processor holds nothing though nobody here has told it so.
const VOIDED: &str = "voided";

/// Writes down what the processor has answered.
pub(crate) async fn settle(tx: &mut Tx<'_>, errand: &Errand, answer: &Answer) -> Result<(), Fault> {
    if errand.kind == Kind::Refund {
        return settle_refund(tx, errand, answer).await;
    }
    // First the row of the step and then the payment, as a compensation does.
    let step = store::payment(tx, errand.payment).await?.authorize_step;
    BARRIER.hold(tx, &Operation::known(errand.payment, errand.payment, step)).await?;
    let payment = store::locked(tx, errand.payment).await?;
    if !errands::end(tx, errand).await? {
        return Ok(());
    }
    match (errand.kind, answer) {
        (Kind::Authorize, Answer::Held { reference }) => held(tx, &payment, reference).await,
        (Kind::Authorize, Answer::Declined { code }) => declined(tx, &payment, code).await,
        (Kind::Authorize, Answer::Released) => declined(tx, &payment, VOIDED).await,
        (Kind::Capture | Kind::Void, Answer::Taken) if payment.state == State::Authorized => taken(tx, &payment).await,
        (Kind::Capture, Answer::CaptureDeclined { code } | Answer::Declined { code }) => {
            capture_declined(tx, errand, &payment, code).await
        }
        (Kind::Capture, Answer::Released) => capture_declined(tx, errand, &payment, VOIDED).await,
        (Kind::Void, Answer::Released | Answer::Declined { .. }) => released(tx, &payment).await,
        (Kind::Authorize, Answer::Taken | Answer::CaptureDeclined { .. } | Answer::Given)
        | (Kind::Capture, Answer::Taken | Answer::Held { .. } | Answer::Given)
        | (Kind::Void, Answer::Taken | Answer::Held { .. } | Answer::CaptureDeclined { .. } | Answer::Given)
        | (Kind::Refund, _) => contradicts(tx, errand, answer).await,
    }
}

async fn held(tx: &mut Tx<'_>, before: &Payment, reference: &str) -> Result<(), Fault> {
    let payment = cards::held(tx, before, reference).await?;
    BARRIER.settle(tx, &authorization(&payment), Settlement::Applied(&wire::authorized(&payment))).await?;
    Ok(())
}

async fn declined(tx: &mut Tx<'_>, before: &Payment, code: &str) -> Result<(), Fault> {
    let payment = cards::given_up(tx, before, code).await?;
    refuse(tx, &authorization(&payment), payment::declined(&payment, code)).await
}

/// The capture has won over any order to give up, and whoever gave that is to be told so.
async fn taken(tx: &mut Tx<'_>, before: &Payment) -> Result<(), Fault> {
    let payment = cards::taken(tx, before).await?;
    BARRIER.settle(tx, &capture(&payment), Settlement::Applied(&wire::captured(&payment))).await?;
    BARRIER.settle(tx, &authorization(&payment), Settlement::Applied(&wire::authorized(&payment))).await?;
    Ok(())
}

/// Where the capture is the decision, the payment is voided before the no is told: so no earlier request to capture that is
/// only late can take the money all the same. After a decision no is no answer: one goes on asking.
async fn capture_declined(tx: &mut Tx<'_>, errand: &Errand, payment: &Payment, code: &str) -> Result<(), Fault> {
    match payment.purpose {
        Purpose::PointCharge => {
            cards::set_failure_reason(tx, payment.saga, code).await?;
            Ok(errands::void(tx, payment.saga).await?)
        }
        Purpose::Reservation => {
            tracing::error!(payment = payment::name(payment.saga), code, "the processor declines what was authorised");
            again(tx, errand, Problem::Declined).await
        }
    }
}

/// Nothing is held, and never will be: the one who gave it up is told so, and so is a capture that came too late.
async fn released(tx: &mut Tx<'_>, before: &Payment) -> Result<(), Fault> {
    let payment = cards::given_up(tx, before, &before.failure_reason).await?;
    let why = match payment.state {
        State::Failed => payment::declined(&payment, &payment.failure_reason),
        State::Pending | State::Authorized | State::Captured | State::Cancelled => payment::not_authorized(&payment),
    };
    refuse(tx, &capture(&payment), why).await?;
    let compensated = Settlement::<'_, proto::payment::v1::AuthorizePaymentResponse>::Compensated;
    BARRIER.settle(tx, &authorization(&payment), compensated).await?;
    Ok(())
}

async fn settle_refund(tx: &mut Tx<'_>, errand: &Errand, answer: &Answer) -> Result<(), Fault> {
    let step = refunds::of_saga(tx, errand.id).await?.complete_step;
    let op = Operation::known(errand.id, errand.id, step);
    BARRIER.hold(tx, &op).await?;
    if !errands::end(tx, errand).await? {
        return Ok(());
    }
    match answer {
        Answer::Given => {
            let refund = refunds::complete(tx, &Cause::answer(errand.id, String::new())).await?;
            BARRIER.settle(tx, &op, Settlement::Applied(&wire::refunds::completed(&refund))).await?;
            Ok(())
        }
        Answer::Held { .. }
        | Answer::Declined { .. }
        | Answer::CaptureDeclined { .. }
        | Answer::Taken
        | Answer::Released => contradicts(tx, errand, answer).await,
    }
}

async fn refuse(tx: &mut Tx<'_>, op: &Operation, refusal: Refusal) -> Result<(), Fault> {
    let refused = Settlement::<'_, proto::payment::v1::AuthorizePaymentResponse>::Refused(refusal);
    BARRIER.settle(tx, op, refused).await?;
    Ok(())
}

/// Nothing is made of what cannot be: a person has to look, and meanwhile one goes on asking.
async fn contradicts(tx: &mut Tx<'_>, errand: &Errand, answer: &Answer) -> Result<(), Fault> {
    tracing::error!(payment = payment::name(errand.payment), ?errand, ?answer, "the processor says what cannot be");
    again(tx, errand, Problem::Contradiction).await
}

/// Puts back what was ended.
async fn again(tx: &mut Tx<'_>, errand: &Errand, problem: Problem) -> Result<(), Fault> {
    errands::put(tx, (errand.payment, errand.id), errand.kind).await?;
    errands::put_off(tx, errand, problem, errand::backoff_ms(errand.attempts)).await?;
    Ok(())
}

fn authorization(payment: &Payment) -> Operation {
    Operation::known(payment.saga, payment.saga, &payment.authorize_step)
}

fn capture(payment: &Payment) -> Operation {
    Operation::known(payment.saga, payment.saga, &payment.capture_step)
}
