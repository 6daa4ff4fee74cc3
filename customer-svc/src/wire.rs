//! Points on the wire and within, both ways. What a client got wrong is named by its field. Customers are translated in
//! `wire/customers.rs`, pages and filters in `wire/list.rs`.

use proto::customer::v1 as pb;
use service_kit::barrier::Operation;
use service_kit::idempotency::Call;
use service_kit::refusal::Fault;
use service_kit::wire::timestamp;
use service_kit::{filter, ids, page};
use tonic::Request;
use uuid::Uuid;

use crate::config::Config;
use crate::ledger::{Adjustment, Kind, Transfer};
use crate::points::{Account, Capture, Key, Reservation, ReservationState, Reserve};
use crate::store::ledger::Entries;

mod credit;
pub(crate) mod customers;
pub(crate) mod reports;

pub(crate) use credit::{credit, credited};

/// The order to set points aside.
pub(crate) fn reserve(request: &Request<pb::ReservePointsRequest>) -> Result<(Operation, Reserve), Fault> {
    let order = request.get_ref();
    let key = key(&order.customer, &order.saga)?;
    if order.amount < 1 {
        return Err(out_of_range("amount", format!("must be 1 or more, not {}", order.amount)));
    }
    let request_id = ids::uuid("request_id", &order.request_id)?;
    let reserve = Reserve { key, amount: order.amount, request_id };
    Ok((Operation::of(request, key.saga, key.customer)?, reserve))
}

/// The order to give points back, and the answer when there is nothing to give back.
pub(crate) fn release(
    request: &Request<pb::ReleasePointsRequest>,
) -> Result<(Operation, Key, Uuid, pb::ReleasePointsResponse), Fault> {
    let order = request.get_ref();
    let key = key(&order.customer, &order.saga)?;
    let request_id = ids::uuid("request_id", &order.request_id)?;
    let nothing = pb::ReleasePointsResponse { saga: order.saga.clone(), amount: 0, point_reservation: None };
    Ok((Operation::of(request, key.saga, key.customer)?, key, request_id, nothing))
}

/// The order to spend points.
pub(crate) fn capture(request: &Request<pb::CapturePointsRequest>) -> Result<(Operation, Capture), Fault> {
    let order = request.get_ref();
    let key = key(&order.customer, &order.saga)?;
    let request_id = ids::uuid("request_id", &order.request_id)?;
    let credit_account = spent_account("credit_account", &order.credit_account)?;
    let op = Operation::of(request, key.saga, key.customer)?;
    Ok((op, Capture { key, credit_account, request_id }))
}

/// The order to correct a balance.
pub(crate) fn adjust(order: &pb::AdjustPointsRequest, config: &Config) -> Result<(Call, Adjustment), Fault> {
    let balance_limit = config.balance_limit;
    let customer = ids::name("customer", &order.customer, "customers")?;
    let amount = order.amount;
    if amount == 0 || !(-balance_limit..=balance_limit).contains(&amount) {
        let problem = format!("must be 1 to {balance_limit} points to give or to take, not {amount}");
        return Err(out_of_range("amount", problem));
    }
    let reason = text("reason", &order.reason, config.reason_limit)?;
    let request_id = ids::uuid("request_id", &order.request_id)?;
    let call = Call::new("AdjustPoints", Some(request_id), order);
    Ok((call, Adjustment { customer, amount, reason, request_id, balance_limit }))
}

/// The customer whose account is asked for.
pub(crate) fn account_of(request: &pb::GetPointAccountRequest) -> Result<Uuid, Fault> {
    let customer = request.name.strip_suffix("/pointAccount");
    let customer = customer.ok_or_else(|| Fault::field("name", "must look like customers/{id}/pointAccount"))?;
    ids::name("name", customer, "customers")
}

/// The reservation that is asked for.
pub(crate) fn reservation_of(request: &pb::GetPointReservationRequest) -> Result<Key, Fault> {
    key(&request.customer, &request.saga)
}

/// The entries that are asked for, one more than fill the page.
pub(crate) fn entries(request: &pb::ListPointTransactionsRequest) -> Result<Entries, Fault> {
    let customer = ids::name("parent", &request.parent, "customers")?;
    let [kind, saga] = filter::values(&request.filter, ["kind", "saga"])?;
    let kind = kind.map(kind_number).transpose()?;
    let saga = saga.map(|saga| ids::name("filter", saga, "sagas")).transpose()?;
    let from = match request.page_token.as_str() {
        "" => i64::MAX,
        token => token.parse().map_err(|_| page::foreign_token())?,
    };
    let limit = page::limit(page::size(request.page_size)?);
    Ok(Entries { customer, from, kind, saga, limit })
}

pub(crate) fn reserved(reservation: &Reservation) -> pb::ReservePointsResponse {
    pb::ReservePointsResponse {
        saga: saga_name(reservation.key.saga),
        amount: reservation.amount,
        point_reservation: Some(point_reservation(reservation)),
    }
}

pub(crate) fn released(reservation: &Reservation) -> pb::ReleasePointsResponse {
    pb::ReleasePointsResponse {
        saga: saga_name(reservation.key.saga),
        amount: reservation.amount,
        point_reservation: Some(point_reservation(reservation)),
    }
}

pub(crate) fn captured(reservation: &Reservation) -> pb::CapturePointsResponse {
    pb::CapturePointsResponse {
        saga: saga_name(reservation.key.saga),
        amount: reservation.amount,
        point_reservation: Some(point_reservation(reservation)),
    }
}

pub(crate) fn point_account(account: &Account) -> pb::PointAccount {
    pb::PointAccount {
        name: format!("customers/{}/pointAccount", account.customer),
        posted_balance: account.posted,
        reserved_amount: account.reserved,
        available_balance: account.available(),
        update_time: Some(timestamp(account.update_time)),
    }
}

pub(crate) fn point_reservation(reservation: &Reservation) -> pb::PointReservation {
    use pb::point_reservation::State;
    let state = match reservation.state {
        ReservationState::Pending => State::Pending,
        ReservationState::Captured => State::Captured,
        ReservationState::Released => State::Released,
    };
    pb::PointReservation {
        name: reservation.key.name(),
        saga: saga_name(reservation.key.saga),
        amount: reservation.amount,
        state: state.into(),
        create_time: Some(timestamp(reservation.create_time)),
        resolve_time: reservation.resolve_time.map(timestamp),
    }
}

pub(crate) fn point_transaction(transfer: &Transfer) -> pb::PointTransaction {
    use pb::point_transaction::Kind as Wire;
    let kind = match transfer.kind {
        Kind::Charge => Wire::Charge,
        Kind::Use => Wire::Use,
        Kind::Refund => Wire::Refund,
        Kind::CancellationFee => Wire::CancellationFee,
        Kind::Adjustment => Wire::Adjustment,
    };
    pb::PointTransaction {
        name: format!("customers/{}/pointTransactions/{}", transfer.customer, transfer.id),
        kind: kind.into(),
        amount: transfer.signed_amount(),
        debit_account: transfer.debit_account.clone(),
        credit_account: transfer.credit_account.clone(),
        balance_after: transfer.balance_after,
        saga: transfer.saga.map(saga_name).unwrap_or_default(),
        request_id: transfer.request_id.to_string(),
        reason: transfer.reason.clone(),
        create_time: Some(timestamp(transfer.create_time)),
        moved_amount: transfer.amount,
    }
}

pub(crate) fn transactions(rows: &[Transfer], limit: i64) -> pb::ListPointTransactionsResponse {
    let token = |transfer: &Transfer| transfer.sequence.to_string();
    let (point_transactions, next_page_token) = page::split(rows, limit, token, point_transaction);
    pb::ListPointTransactionsResponse { point_transactions, next_page_token }
}

fn key(customer: &str, saga: &str) -> Result<Key, Fault> {
    Ok(Key { customer: ids::name("customer", customer, "customers")?, saga: ids::name("saga", saga, "sagas")? })
}

/// Points are spent on concerts only, and come back from them.
/// Where points go that are spent: to a concert, or on their way to somebody else.
fn spent_account(field: &str, account: &str) -> Result<String, Fault> {
    let is_on_its_way = account.starts_with("clearing/");
    if is_on_its_way { credit::listed_account(field, account, "clearing") } else { revenue_account(field, account) }
}

fn revenue_account(field: &str, account: &str) -> Result<String, Fault> {
    let concert =
        account.strip_prefix("revenue/").ok_or_else(|| Fault::field(field, "must look like revenue/concerts/{id}"))?;
    ids::name(field, concert, "concerts")?;
    Ok(account.to_owned())
}

fn kind_number(kind: &str) -> Result<i64, Fault> {
    use pb::point_transaction::Kind as Wire;
    match Wire::from_str_name(kind) {
        None | Some(Wire::Unspecified) => Err(Fault::field("filter", "names an unknown kind")),
        Some(kind) => Ok(i64::from(i32::from(kind))),
    }
}

fn out_of_range(field: &str, problem: String) -> Fault {
    Fault::Invalid { field: field.into(), problem, reason: "AMOUNT_OUT_OF_RANGE" }
}

fn saga_name(saga: Uuid) -> String {
    format!("sagas/{saga}")
}

/// A text that people read: 1 to `limit` characters.
fn text(field: &str, text: &str, limit: usize) -> Result<String, Fault> {
    let length = text.chars().count();
    if text.trim().is_empty() || length > limit {
        let problem = format!("must have 1 to {limit} characters, not only spaces; it has {length}");
        return Err(Fault::field(field, problem));
    }
    if text.chars().any(char::is_control) {
        return Err(Fault::field(field, "must not contain control characters"));
    }
    Ok(text.to_owned())
}

/// The same, or nothing.
fn optional_text(field: &str, words: &str, limit: usize) -> Result<String, Fault> {
    if words.is_empty() { Ok(String::new()) } else { text(field, words, limit) }
}
