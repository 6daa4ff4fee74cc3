//! Customers on the wire and within, both ways.

use proto::customer::v1 as pb;
use service_kit::idempotency::Call;
use service_kit::refusal::Fault;
use service_kit::wire::timestamp;
use service_kit::{filter, ids, page};
use uuid::Uuid;

use super::text;
use crate::config::Config;
use crate::customers::{self, Change, Customer, Registration, State};

/// The customer to register, under his own id or else under `new_id`.
pub(crate) fn register(
    request: &pb::CreateCustomerRequest,
    new_id: Uuid,
    config: &Config,
) -> Result<(Call, Registration), Fault> {
    let wanted = request.customer.as_ref();
    let wanted = wanted.ok_or_else(|| Fault::field("customer", "is required"))?;
    let new = Registration {
        customer: optional_uuid("customer_id", &request.customer_id)?.unwrap_or(new_id),
        display_name: text("customer.display_name", &wanted.display_name, config.display_name_limit)?,
        phone_number: phone_number(&wanted.phone_number)?,
        notification_consent: wanted.notification_consent,
    };
    let request_id = optional_uuid("request_id", &request.request_id)?;
    Ok((Call::new("CreateCustomer", request_id, request), new))
}

/// The customer that a name stands for.
pub(crate) fn id(name: &str) -> Result<Uuid, Fault> {
    ids::name("name", name, "customers")
}

/// The order to move a customer to another state.
pub(crate) fn change(name: &str, etag: &str, to: State) -> Result<Change, Fault> {
    let seen = match etag {
        "" => None,
        etag => Some(etag.parse().map_err(|_| Fault::field("etag", "must be one that was read"))?),
    };
    Ok(Change { customer: id(name)?, to, seen })
}

/// Where the page starts, the state asked for, and the number of rows: one more than fill the page.
pub(crate) fn page(request: &pb::ListCustomersRequest) -> Result<(Uuid, Option<i64>, i64), Fault> {
    let [state] = filter::values(&request.filter, ["state"])?;
    let from = match request.page_token.as_str() {
        "" => Uuid::nil(),
        token => Uuid::try_parse(token).map_err(|_| page::foreign_token())?,
    };
    let limit = page::limit(page::size(request.page_size)?);
    Ok((from, state.map(state_number).transpose()?, limit))
}

pub(crate) fn customer(customer: &Customer) -> pb::Customer {
    use pb::customer::State as Wire;
    let state = match customer.state {
        State::Active => Wire::Active,
        State::Dormant => Wire::Dormant,
        State::Withdrawn => Wire::Withdrawn,
    };
    pb::Customer {
        name: customers::name(customer.id),
        display_name: customer.display_name.clone(),
        phone_number: customer.phone_number.clone(),
        notification_consent: customer.notification_consent,
        state: state.into(),
        create_time: Some(timestamp(customer.create_time)),
        update_time: Some(timestamp(customer.update_time)),
        withdraw_time: None,
        etag: customer.version.to_string(),
    }
}

pub(crate) fn customers(rows: &[Customer], limit: i64) -> pb::ListCustomersResponse {
    let token = |customer: &Customer| customer.id.to_string();
    let (customers, next_page_token) = page::split(rows, limit, token, customer);
    pb::ListCustomersResponse { customers, next_page_token }
}

/// E.164, or nothing at all.
fn phone_number(text: &str) -> Result<String, Fault> {
    let digits = text.strip_prefix('+').unwrap_or_default().as_bytes();
    let fits = (2..=15).contains(&digits.len()) && digits[0] != b'0' && digits.iter().all(u8::is_ascii_digit);
    if text.is_empty() || fits {
        return Ok(text.to_owned());
    }
    let problem = "must be an E.164 number such as +821012345678, or empty";
    Err(Fault::field("customer.phone_number", problem))
}

fn optional_uuid(field: &str, text: &str) -> Result<Option<Uuid>, Fault> {
    if text.is_empty() { Ok(None) } else { ids::uuid(field, text).map(Some) }
}

fn state_number(state: &str) -> Result<i64, Fault> {
    use pb::customer::State as Wire;
    match Wire::from_str_name(state) {
        None | Some(Wire::Unspecified) => Err(Fault::field("filter", "names an unknown state")),
        Some(state) => Ok(i64::from(i32::from(state))),
    }
}
