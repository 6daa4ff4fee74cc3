//! Payments on the wire and within, both ways. What a client got wrong is named by its field.

use proto::payment::v1 as pb;
use proto::payment::v1::payment::{Method as WireMethod, Purpose as WirePurpose, State as WireState};
use service_kit::barrier::Operation;
use service_kit::refusal::Fault;
use service_kit::wire::timestamp;
use service_kit::{filter, ids, page};
use tonic::Request;
use uuid::Uuid;

use crate::config::Config;
use crate::payment::{self, Cause, Method, Order, Payment, Purpose, State};
use crate::store::Wanted;

mod card;
pub(crate) mod locks;
pub(crate) mod refunds;

/// The one currency there is.
const CURRENCY: &str = "KRW";

/// The order to authorise a payment.
pub(crate) fn authorize(
    request: &Request<pb::AuthorizePaymentRequest>,
    config: &Config,
) -> Result<(Operation, Order, Cause), Fault> {
    let asked = request.get_ref();
    let saga = ids::name("saga", &asked.saga, "sagas")?;
    let customer = ids::name("customer", &asked.customer, "customers")?;
    let (purpose, method) = (purpose(asked.purpose)?, method(asked.method)?);
    match purpose {
        Purpose::Reservation => ids::name("reference", &asked.reference, "reservations")?,
        Purpose::PointCharge if method == Method::Point => {
            return Err(Fault::field("method", "must be CARD: points are not bought with points"));
        }
        Purpose::PointCharge => ids::name("reference", &asked.reference, "pointCharges")?,
    };
    let amount = amount(asked.amount, config.amount_limit)?;
    if !["", CURRENCY].contains(&asked.currency_code.as_str()) {
        return Err(Fault::field("currency_code", format!("must be {CURRENCY} or empty")));
    }
    let card = card::card(method, &asked.processor_token, &asked.card_last_four)?;
    let cause = Cause::step(saga, ids::uuid("request_id", &asked.request_id)?, String::new());
    let (op, reference) = (Operation::of(request, saga, saga)?, asked.reference.clone());
    let order = Order { saga, customer, purpose, reference, method, amount, card, step: op.step.clone() };
    Ok((op, order, cause))
}

/// The order to give a payment up; and the answer when there is nothing to give up.
pub(crate) fn cancel(
    request: &Request<pb::CancelPaymentRequest>,
    config: &Config,
) -> Result<(Operation, Cause, pb::CancelPaymentResponse), Fault> {
    let asked = request.get_ref();
    let saga = ids::name("saga", &asked.saga, "sagas")?;
    let reason = optional_text("reason", &asked.reason, config.reason_limit)?;
    let cause = Cause::step(saga, ids::uuid("request_id", &asked.request_id)?, reason);
    let nothing = pb::CancelPaymentResponse { saga: asked.saga.clone(), amount: 0, payment: None };
    Ok((Operation::of(request, saga, saga)?, cause, nothing))
}

/// The order to capture the payment of a saga.
pub(crate) fn capture(request: &Request<pb::CapturePaymentRequest>) -> Result<(Operation, Cause), Fault> {
    let asked = request.get_ref();
    let saga = ids::name("saga", &asked.saga, "sagas")?;
    let cause = Cause::step(saga, ids::uuid("request_id", &asked.request_id)?, String::new());
    Ok((Operation::of(request, saga, saga)?, cause))
}

/// The saga of the payment that is asked for.
pub(crate) fn payment_of(request: &pb::GetPaymentRequest) -> Result<Uuid, Fault> {
    ids::name("name", &request.name, "payments")
}

/// The payments that are asked for, one more than fill the page.
pub(crate) fn wanted(request: &pb::ListPaymentsRequest) -> Result<Wanted, Fault> {
    let fields = ["customer", "reference", "saga", "state", "method"];
    let [customer, reference, saga, state, method] = filter::values(&request.filter, fields)?;
    let newest = match request.page_token.as_str() {
        "" => Uuid::max(),
        token => Uuid::try_parse(token).map_err(|_| page::foreign_token())?,
    };
    let saga = saga.map(|saga| ids::name("filter", saga, "sagas")).transpose()?;
    Ok(Wanted {
        sagas: saga.map_or((Uuid::nil(), newest), |saga| (saga, saga.min(newest))),
        customer: customer.map(|name| ids::name("filter", name, "customers")).transpose()?,
        reference: reference.map(str::to_owned),
        state: state.map(|name| number(WireState::from_str_name(name))).transpose()?,
        method: method.map(|name| number(WireMethod::from_str_name(name))).transpose()?,
        limit: page::limit(page::size(request.page_size)?),
    })
}

pub(crate) fn authorized(payment: &Payment) -> pb::AuthorizePaymentResponse {
    pb::AuthorizePaymentResponse {
        saga: saga_name(payment.saga),
        amount: payment.authorized_amount,
        payment: Some(encode(payment)),
    }
}

pub(crate) fn cancelled(payment: &Payment) -> pb::CancelPaymentResponse {
    pb::CancelPaymentResponse {
        saga: saga_name(payment.saga),
        amount: payment.authorized_amount,
        payment: Some(encode(payment)),
    }
}

pub(crate) fn captured(payment: &Payment) -> pb::CapturePaymentResponse {
    pb::CapturePaymentResponse {
        saga: saga_name(payment.saga),
        amount: payment.captured_amount,
        payment: Some(encode(payment)),
    }
}

pub(crate) fn payments(rows: &[Payment], limit: i64) -> pb::ListPaymentsResponse {
    let token = |payment: &Payment| payment.saga.to_string();
    let (payments, next_page_token) = page::split(rows, limit, token, encode);
    pb::ListPaymentsResponse { payments, next_page_token }
}

pub(crate) fn encode(payment: &Payment) -> pb::Payment {
    let state = match payment.state {
        State::Pending => WireState::Pending,
        State::Authorized => WireState::Authorized,
        State::Captured => WireState::Captured,
        State::Cancelled => WireState::Cancelled,
        State::Failed => WireState::Failed,
    };
    let purpose = match payment.purpose {
        Purpose::Reservation => WirePurpose::Reservation,
        Purpose::PointCharge => WirePurpose::PointCharge,
    };
    let method = match payment.method {
        Method::Point => WireMethod::Point,
        Method::Card => WireMethod::Card,
        Method::BankTransfer => WireMethod::BankTransfer,
    };
    pb::Payment {
        name: payment::name(payment.saga),
        customer: format!("customers/{}", payment.customer),
        saga: saga_name(payment.saga),
        purpose: purpose.into(),
        reference: payment.reference.clone(),
        method: method.into(),
        currency_code: CURRENCY.to_owned(),
        authorized_amount: payment.authorized_amount,
        captured_amount: payment.captured_amount,
        refunded_amount: payment.refunded_amount,
        refundable_amount: payment.refundable_amount(),
        state: state.into(),
        failure_reason: payment.failure_reason.clone(),
        processor_reference: payment.processor_reference.clone(),
        create_time: Some(timestamp(payment.create_time)),
        authorize_time: payment.authorize_time.map(timestamp),
        capture_time: payment.capture_time.map(timestamp),
        cancel_time: payment.cancel_time.map(timestamp),
        card_last_four: payment.card_last_four.clone(),
    }
}

fn purpose(number: i32) -> Result<Purpose, Fault> {
    match WirePurpose::try_from(number) {
        Ok(WirePurpose::Reservation) => Ok(Purpose::Reservation),
        Ok(WirePurpose::PointCharge) => Ok(Purpose::PointCharge),
        Ok(WirePurpose::Unspecified) | Err(_) => {
            Err(Fault::field("purpose", "is required: RESERVATION or POINT_CHARGE"))
        }
    }
}

fn method(number: i32) -> Result<Method, Fault> {
    match WireMethod::try_from(number) {
        Ok(WireMethod::Point) => Ok(Method::Point),
        Ok(WireMethod::Card) => Ok(Method::Card),
        Ok(WireMethod::BankTransfer) => Ok(Method::BankTransfer),
        Ok(WireMethod::Unspecified) | Err(_) => Err(Fault::field("method", "is required: POINT or CARD")),
    }
}

fn amount(amount: i64, limit: i64) -> Result<i64, Fault> {
    if (1..=limit).contains(&amount) {
        return Ok(amount);
    }
    Err(Fault::Invalid {
        field: "amount".into(),
        problem: format!("must be 1 to {limit} KRW, not {amount}"),
        reason: "AMOUNT_OUT_OF_RANGE",
    })
}

/// The number under which a filter's value is stored.
fn number(value: Option<impl Into<i32>>) -> Result<i64, Fault> {
    match value.map_or(0, Into::into) {
        0 => Err(Fault::field("filter", "names a value that its field does not have")),
        number => Ok(i64::from(number)),
    }
}

fn saga_name(saga: Uuid) -> String {
    format!("sagas/{saga}")
}

/// A text that people read: at most `limit` characters. No compensation fails over the one character that PostgreSQL
/// cannot store.
fn optional_text(field: &str, text: &str, limit: usize) -> Result<String, Fault> {
    let length = text.chars().count();
    if length > limit {
        let problem = format!("must have at most {limit} characters; it has {length}");
        return Err(Fault::field(field, problem));
    }
    Ok(text.replace('\0', " "))
}
