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

use super::look;
use super::order::{Asked, Kind, Order, amount_within, failure, state};
use crate::config::Config;
use crate::desk::{Desk, Face};
use crate::faults::status;
use crate::journal::Record;
use crate::plans::point_charge::{self, Input, PointCharge};

pub(super) const KIND: Kind = Kind {
    face: Face { collection: "pointCharges", kind: Some(point_charge::KIND), missing: "POINT_CHARGE_NOT_FOUND" },
    definition: &PointCharge,
};

/// The longest token of a processor; those in use have a third of it.
const LONGEST_TOKEN: usize = 200;
/// Digits of a card's number.
const CARD_DIGITS: std::ops::RangeInclusive<usize> = 12..=19;

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
    token(&card.processor_token)?;
    last_four(&card.last_four)?;
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

/// No card's number may come in: it would be kept. No answer repeats what was sent, which might be one.
fn token(token: &str) -> Result<(), Fault> {
    let field = "card.processor_token";
    if token.is_empty() {
        return Err(Fault::field(field, "is required: the one-time token by which the processor knows the card"));
    }
    let digits = token.chars().filter(char::is_ascii_digit).count();
    let is_number = token.chars().all(|sign| sign.is_ascii_digit() || !sign.is_alphanumeric());
    if is_number && CARD_DIGITS.contains(&digits) {
        return Err(Fault::field(
            field,
            "looks like the number of a card, which must not be sent; send the token for it",
        ));
    }
    if token.len() > LONGEST_TOKEN || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(Fault::field(field, format!("must be of 1 to {LONGEST_TOKEN} letters, digits and signs")));
    }
    Ok(())
}

fn last_four(digits: &str) -> Result<(), Fault> {
    if digits.is_empty() || digits.len() == 4 && digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(());
    }
    Err(Fault::field("card.last_four", "must be the last four digits of the card, or empty"))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_number_of_a_card_passes_for_a_token() {
        let numbers =
            ["4242424242424242", "4242 4242 4242 4242", "4242-4242-4242-4242", "123456789012", "3782.822463.10005"];
        for number in numbers {
            let Err(Fault::Invalid { problem, .. }) = token(number) else { panic!("{number} was taken") };
            assert!(!problem.contains("42"), "what was sent is not repeated");
        }
        for good in ["tok_visa", "12345678901", "12345678901234567890", "tok_4242424242424242", "a-1"] {
            assert!(token(good).is_ok(), "{good}");
        }
        for bad in ["", " ", "tok visa", "tok\0", "tök", "x".repeat(201).as_str()] {
            assert!(token(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_card_is_shown_by_four_digits_or_not_at_all() {
        assert!(["", "4242", "0000"].iter().all(|digits| last_four(digits).is_ok()));
        assert!(
            ["424", "42424", "424a", "４２４２", "4242424242424242"].iter().all(|digits| last_four(digits).is_err())
        );
    }
}
