//! Refunds on the wire and within, both ways.

use proto::payment::v1 as pb;
use proto::payment::v1::refund::State as WireState;
use service_kit::barrier::Operation;
use service_kit::refusal::Fault;
use service_kit::wire::timestamp;
use service_kit::{ids, page};
use tonic::Request;
use uuid::Uuid;

use super::{amount, optional_text, saga_name};
use crate::config::Config;
use crate::payment::Cause;
use crate::refund::{self, Order, Refund, RefundState};

/// The order to take up what is to be given back.
pub(crate) fn create(
    request: &Request<pb::CreateRefundRequest>,
    config: &Config,
) -> Result<(Operation, Order, Cause), Fault> {
    let asked = request.get_ref();
    let payment = ids::name("parent", &asked.parent, "payments")?;
    let saga = ids::name("saga", &asked.saga, "sagas")?;
    let amount = amount(asked.amount, config.amount_limit)?;
    let reason = optional_text("reason", &asked.reason, config.reason_limit)?;
    let cause = Cause::step(saga, ids::uuid("request_id", &asked.request_id)?, reason);
    Ok((Operation::of(request, saga, saga)?, Order { payment, amount }, cause))
}

/// The order to give a refund up; and the answer when there is nothing to give up.
pub(crate) fn cancel(
    request: &Request<pb::CancelRefundRequest>,
) -> Result<(Operation, Cause, pb::CancelRefundResponse), Fault> {
    let asked = request.get_ref();
    let saga = ids::name("saga", &asked.saga, "sagas")?;
    let cause = Cause::step(saga, ids::uuid("request_id", &asked.request_id)?, String::new());
    let nothing = pb::CancelRefundResponse { saga: asked.saga.clone(), amount: 0, refund: None };
    Ok((Operation::of(request, saga, saga)?, cause, nothing))
}

/// The order to end a refund.
pub(crate) fn complete(request: &Request<pb::CompleteRefundRequest>) -> Result<(Operation, Cause), Fault> {
    let asked = request.get_ref();
    let saga = ids::name("saga", &asked.saga, "sagas")?;
    let cause = Cause::step(saga, ids::uuid("request_id", &asked.request_id)?, String::new());
    Ok((Operation::of(request, saga, saga)?, cause))
}

/// The payment and the saga of the refund that is asked for.
pub(crate) fn refund_of(request: &pb::GetRefundRequest) -> Result<[Uuid; 2], Fault> {
    let [payment, refund] = ids::segments("name", &request.name, ["payments", "refunds"])?;
    Ok([ids::uuid("name", payment)?, ids::uuid("name", refund)?])
}

/// The payment whose refunds are asked for, the first one to show, and one more than fill the page.
pub(crate) fn wanted(request: &pb::ListRefundsRequest) -> Result<(Uuid, Uuid, i64), Fault> {
    let payment = ids::name("parent", &request.parent, "payments")?;
    let newest = match request.page_token.as_str() {
        "" => Uuid::max(),
        token => Uuid::try_parse(token).map_err(|_| page::foreign_token())?,
    };
    Ok((payment, newest, page::limit(page::size(request.page_size)?)))
}

pub(crate) fn created(refund: &Refund) -> pb::CreateRefundResponse {
    pb::CreateRefundResponse { saga: saga_name(refund.saga), amount: refund.amount, refund: Some(encode(refund)) }
}

pub(crate) fn cancelled(refund: &Refund) -> pb::CancelRefundResponse {
    pb::CancelRefundResponse { saga: saga_name(refund.saga), amount: refund.amount, refund: Some(encode(refund)) }
}

pub(crate) fn completed(refund: &Refund) -> pb::CompleteRefundResponse {
    pb::CompleteRefundResponse { saga: saga_name(refund.saga), amount: refund.amount, refund: Some(encode(refund)) }
}

pub(crate) fn refunds(rows: &[Refund], limit: i64) -> pb::ListRefundsResponse {
    let (refunds, next_page_token) = page::split(rows, limit, |refund| refund.saga.to_string(), encode);
    pb::ListRefundsResponse { refunds, next_page_token }
}

pub(crate) fn encode(refund: &Refund) -> pb::Refund {
    let state = match refund.state {
        RefundState::Pending => WireState::Pending,
        RefundState::Succeeded => WireState::Succeeded,
        RefundState::Cancelled => WireState::Cancelled,
        RefundState::Failed => WireState::Failed,
    };
    pb::Refund {
        name: refund::name(refund.payment, refund.saga),
        saga: saga_name(refund.saga),
        amount: refund.amount,
        reason: refund.reason.clone(),
        state: state.into(),
        create_time: Some(timestamp(refund.create_time)),
        complete_time: refund.complete_time.map(timestamp),
    }
}
