//! Customers on the wire and within, both ways.

use proto::customer::v1 as pb;
use service_kit::idempotency::Call;
use service_kit::refusal::Fault;
use service_kit::wire::timestamp;
use service_kit::{filter, ids, page};
use uuid::Uuid;

use super::{optional_text, text};
use crate::audit::{Actor, Cause};
use crate::config::Config;
use crate::customers::{self, Change, Customer, Registration, State, Update};

/// The customer to register, under his own id or else under `new_id`.
pub(crate) fn register(
    request: &pb::CreateCustomerRequest,
    new_id: Uuid,
    config: &Config,
) -> Result<(Call, Registration), Fault> {
    let wanted = request.customer.as_ref();
    let wanted = wanted.ok_or_else(|| Fault::field("customer", "is required"))?;
    let request_id = optional_uuid("request_id", &request.request_id)?;
    let new = Registration {
        customer: optional_uuid("customer_id", &request.customer_id)?.unwrap_or(new_id),
        display_name: text("customer.display_name", &wanted.display_name, config.display_name_limit)?,
        phone_number: phone_number(&wanted.phone_number)?,
        notification_consent: wanted.notification_consent,
        cause: Cause { actor: Actor::Customer, request_id, reason: String::new() },
    };
    Ok((Call::new("CreateCustomer", request_id, request), new))
}

/// The customer that a name stands for.
pub(crate) fn id(name: &str) -> Result<Uuid, Fault> {
    ids::name("name", name, "customers")
}

/// The order to put a customer to sleep, for which an operator must say why.
pub(crate) fn suspend(request: &pb::SuspendCustomerRequest, config: &Config) -> Result<(Call, Change), Fault> {
    let reason = text("reason", &request.reason, config.reason_limit)?;
    let request_id = optional_uuid("request_id", &request.request_id)?;
    let cause = Cause { actor: Actor::Operator, request_id, reason };
    let change = change((&request.name, &request.etag), State::Dormant, cause)?;
    Ok((Call::new("SuspendCustomer", request_id, request), change))
}

/// The order to wake a customer.
pub(crate) fn reactivate(request: &pb::ReactivateCustomerRequest, config: &Config) -> Result<(Call, Change), Fault> {
    let reason = optional_text("reason", &request.reason, config.reason_limit)?;
    let request_id = optional_uuid("request_id", &request.request_id)?;
    let cause = Cause { actor: Actor::Operator, request_id, reason };
    let change = change((&request.name, &request.etag), State::Active, cause)?;
    Ok((Call::new("ReactivateCustomer", request_id, request), change))
}

/// The order to let a customer go.
pub(crate) fn withdraw(request: &pb::WithdrawCustomerRequest, config: &Config) -> Result<(Call, Change), Fault> {
    let reason = optional_text("reason", &request.reason, config.reason_limit)?;
    let request_id = optional_uuid("request_id", &request.request_id)?;
    let cause = Cause { actor: Actor::Customer, request_id, reason };
    let change = change((&request.name, &request.etag), State::Withdrawn, cause)?;
    Ok((Call::new("WithdrawCustomer", request_id, request), change))
}

fn change((name, etag): (&str, &str), to: State, cause: Cause) -> Result<Change, Fault> {
    Ok(Change { customer: id(name)?, to, seen: seen("etag", etag)?, cause })
}

/// The order to change what the customer may change.
pub(crate) fn update(request: &pb::UpdateCustomerRequest, config: &Config) -> Result<(Call, Update), Fault> {
    let wanted = request.customer.as_ref();
    let wanted = wanted.ok_or_else(|| Fault::field("customer", "is required"))?;
    let mut update = Update {
        customer: ids::name("customer.name", &wanted.name, "customers")?,
        seen: seen("customer.etag", &wanted.etag)?,
        display_name: None,
        phone_number: None,
        notification_consent: None,
    };
    let all = ["display_name", "phone_number", "notification_consent"];
    let masked = request.update_mask.as_ref().filter(|mask| !mask.paths.is_empty());
    let paths = masked.map_or(all.to_vec(), |mask| mask.paths.iter().map(String::as_str).collect());
    for path in paths {
        match path {
            "display_name" => {
                let name = text("customer.display_name", &wanted.display_name, config.display_name_limit)?;
                update.display_name = Some(name);
            }
            "phone_number" => update.phone_number = Some(phone_number(&wanted.phone_number)?),
            "notification_consent" => update.notification_consent = Some(wanted.notification_consent),
            _ => return Err(Fault::field("update_mask", format!("may name {} only", all.join(", ")))),
        }
    }
    let request_id = optional_uuid("request_id", &request.request_id)?;
    Ok((Call::new("UpdateCustomer", request_id, request), update))
}

/// The version that an etag stands for; none of an empty one.
fn seen(field: &str, etag: &str) -> Result<Option<i64>, Fault> {
    match etag {
        "" => Ok(None),
        etag => etag.parse().map(Some).map_err(|_| Fault::field(field, "must be one that was read")),
    }
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
        withdraw_time: customer.withdraw_time.map(timestamp),
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
