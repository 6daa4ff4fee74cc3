//! The order to give points, on the wire and within. Its accounts are what its kind allows: a charge comes from where money
//! comes in, a refund from a concert's revenue, and a fee goes to the fees.

use proto::customer::v1 as pb;
use proto::customer::v1::point_transaction::Kind as Wire;
use service_kit::barrier::Operation;
use service_kit::ids;
use service_kit::refusal::Fault;
use tonic::Request;

use super::{key, out_of_range, point_transaction, revenue_account};
use crate::ledger::{Credit, Kind, Transfer};

/// Points of one order at most: far above any price, and so far below what a balance can count that no number of orders
/// brings it there.
const MOST: i64 = 1_000_000_000_000;

/// The order, and the answer without the entry that it will lead to.
pub(crate) fn credit(
    request: &Request<pb::CreditPointsRequest>,
) -> Result<(Operation, Credit, pb::CreditPointsResponse), Fault> {
    let order = request.get_ref();
    let key = key(&order.customer, &order.saga)?;
    let request_id = ids::uuid("request_id", &order.request_id)?;
    let (kind, debit_account) = match order.kind() {
        Wire::Charge => (Kind::Charge, listed_account("debit_account", &order.debit_account, "clearing")?),
        Wire::Refund => (Kind::Refund, revenue_account("debit_account", &order.debit_account)?),
        Wire::Unspecified | Wire::Use | Wire::CancellationFee | Wire::Adjustment | Wire::Expiry => {
            return Err(Fault::field("kind", "must be CHARGE or REFUND"));
        }
    };
    let fee = fee(order, kind)?;
    let least = i64::from(fee.is_none());
    if !(least..=MOST).contains(&order.amount) {
        return Err(out_of_range("amount", format!("must be {least} to {MOST}, not {}", order.amount)));
    }
    let answer = pb::CreditPointsResponse { saga: order.saga.clone(), amount: order.amount, point_transaction: None };
    let credit = Credit { key, kind, debit_account, amount: order.amount, fee, request_id };
    Ok((Operation::of(request, key.saga, key.customer)?, credit, answer))
}

/// The answer with the entry, if the customer got anything.
pub(crate) fn credited(answer: pb::CreditPointsResponse, given: Option<&Transfer>) -> pb::CreditPointsResponse {
    pb::CreditPointsResponse { point_transaction: given.map(point_transaction), ..answer }
}

fn fee(order: &pb::CreditPointsRequest, kind: Kind) -> Result<Option<(i64, String)>, Fault> {
    let amount = order.fee_amount;
    let most = if kind == Kind::Refund { MOST } else { 0 };
    if !(0..=most).contains(&amount) {
        return Err(out_of_range("fee_amount", format!("must be 0 to {most}, not {amount}")));
    }
    if amount == 0 && order.fee_credit_account.is_empty() {
        return Ok(None);
    }
    let account = listed_account("fee_credit_account", &order.fee_credit_account, "fees")?;
    Ok((amount > 0).then_some((amount, account)))
}

/// An account of a collection whose members have short names, such as `clearing/card`.
pub(super) fn listed_account(field: &str, account: &str, collection: &str) -> Result<String, Fault> {
    let [id] = ids::segments(field, account, [collection])?;
    if id.len() > 32 || !id.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_') {
        return Err(Fault::field(field, "must end in 1 to 32 of a-z and _"));
    }
    Ok(account.to_owned())
}
