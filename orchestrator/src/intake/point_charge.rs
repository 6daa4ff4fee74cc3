//! Point charges: what customers ask for, read field by field, what they may charge, and the resource that they get.

use proto::customer::v1::GetCustomerRequest;
use proto::customer::v1::customer::State as Customer;
use proto::customer::v1::customer_service_client::CustomerServiceClient;
use proto::orchestrator::v1 as pb;
use proto::payment::v1::payment::Method;
use service_kit::ids;
use service_kit::refusal::{Fault, Refusal};
use service_kit::wire::timestamp;
use tonic::Status;

use super::order::{Asked, Kind, Order, amount_within, failure, state};
use super::{card, look};
use crate::config::Config;
use crate::desk::{Desk, Face};
use crate::faults::status;
use crate::journal::Record;
use crate::plans::point_charge::{self, Input, PointCharge};

pub(super) const KIND: Kind = Kind {
    face: Face { collection: "pointCharges", kind: Some(point_charge::KIND), missing: "POINT_CHARGE_NOT_FOUND" },
    definition: &PointCharge,
};

/// A point charge that somebody asks for; also its input, to see whether the customer may charge so much.
pub(super) fn read(request: pb::CreatePointChargeRequest, config: &Config) -> Result<(Order, Input), Fault> {
    let (request_id, wait) = (request.request_id.clone(), request.wait);
    let input = input(request, config)?;
    let subject = input.customer.clone();
    let asked = Asked { subject, reference: String::new(), input: input.clone(), skip: Vec::new(), request_id, wait };
    Ok((Order::new(&KIND, asked, config)?, input))
}

fn input(request: pb::CreatePointChargeRequest, config: &Config) -> Result<Input, Fault> {
    let asked = request.point_charge.ok_or_else(|| Fault::field("point_charge", "is required"))?;
    ids::name("point_charge.customer", &asked.customer, "customers")?;
    method(asked.payment_method)?;
    amount_within("point_charge.amount", asked.amount, (config.charge_least, config.charge_most))?;
    let card = request.card.ok_or_else(|| Fault::field("card", "is required for payment by CARD"))?;
    card::check(&card)?;
    Ok(Input {
        customer: asked.customer,
        amount: asked.amount,
        method: asked.payment_method,
        processor_token: card.processor_token,
        card_last_four: card.last_four,
    })
}

fn method(number: i32) -> Result<(), Fault> {
    let field = "point_charge.payment_method";
    match Method::try_from(number) {
        Ok(Method::Card) => Ok(()),
        Ok(Method::Point) => Err(Fault::field(field, "is POINT, which buys no points; pay by CARD")),
        Ok(Method::BankTransfer) => Err(Fault::field(field, "BANK_TRANSFER is not offered; pay by CARD")),
        Ok(Method::Unspecified) => Err(Fault::field(field, "is required: CARD")),
        Err(_) => Err(Fault::field(field, format!("is {number}, which is no payment method; pay by CARD"))),
    }
}

/// Whether the customer may charge so much, as far as can be seen: the credit at the end cannot refuse any more.
pub(super) async fn check(desk: &Desk, input: &Input) -> Result<(), Status> {
    let request = GetCustomerRequest { name: input.customer.clone() };
    let mut customers = CustomerServiceClient::new(look::participant(desk, "customer")?);
    let (customer, account) = tokio::try_join!(
        look::in_time(desk, customers.get_customer(request)),
        look::point_account(desk, &input.customer)
    )?;
    let refused = is_here(customer.state()).and_then(|()| fits(account.posted_balance, input.amount, &desk.config));
    refused.map_err(|refusal| status(refusal.into()))
}

fn is_here(state: Customer) -> Result<(), Refusal> {
    match state {
        Customer::Active | Customer::Dormant => Ok(()),
        Customer::Withdrawn | Customer::Unspecified => {
            let state = state.as_str_name();
            let message = format!("the customer is {state} and cannot buy points");
            Err(Refusal::precondition("CUSTOMER_NOT_ACTIVE", message).with("state", state))
        }
    }
}

fn fits(balance: i64, amount: i64, config: &Config) -> Result<(), Refusal> {
    let limit = config.balance_most;
    if balance.saturating_add(amount) <= limit {
        return Ok(());
    }
    let message = format!("{amount} points on top of {balance} are more than the {limit} that a customer may have");
    Err(Refusal::precondition("POINT_BALANCE_LIMIT", message).with("limit", limit).with("balance", balance))
}

/// A point charge as it stands.
pub(super) fn show(record: &Record) -> pb::PointCharge {
    let input = point_charge::input(record).ok();
    pb::PointCharge {
        name: format!("pointCharges/{}", record.id),
        customer: record.subject.clone(),
        amount: input.as_ref().map_or(0, |input| input.amount),
        payment_method: input.map_or(0, |input| input.method),
        payment: point_charge::payment(record).unwrap_or_default(),
        state: state(&KIND, record).into(),
        failure: failure(&KIND, record),
        create_time: Some(timestamp(record.create_time)),
        decide_time: record.saga.decided_ms().map(timestamp),
        end_time: record.saga.ended_ms().map(timestamp),
        version: record.version,
    }
}
