//! Checkouts: what customers ask for, read field by field, and the resource that they get.

use proto::orchestrator::v1 as pb;
use proto::payment::v1::payment::Method;
use service_kit::ids;
use service_kit::refusal::Fault;
use service_kit::wire::timestamp;

use super::order::{Asked, Kind, Order, amount_within, failure, state};
use crate::config::Config;
use crate::desk::Face;
use crate::journal::Record;
use crate::plans::checkout::{self, Checkout, Input, skipped};
use crate::status::listing::Catalogue;

/// The largest total that a customer can have been shown: ten seats of the highest price.
const MOST: i64 = 100_000_000;

pub(super) const KIND: Kind = Kind {
    face: Face { collection: "checkouts", kind: Some(checkout::KIND), missing: "CHECKOUT_NOT_FOUND" },
    definition: &Checkout,
};

/// What checkouts are listed by.
pub(super) const CATALOGUE: Catalogue = Catalogue {
    kind: Some(checkout::KIND),
    fields: &["customer", "reservation", "state"],
    states: &[
        ("RUNNING", &["running", "arbitrating", "suspended"]),
        ("COMPLETING", &["completing", "suspended"]),
        ("COMPLETED", &["completed"]),
        ("COMPENSATING", &["compensating", "suspended"]),
        ("FAILED", &["compensated"]),
    ],
    shows: |record| state(&KIND, record).as_str_name(),
};

/// A checkout that somebody asks for; also its input, for who only wants to know.
pub(super) fn read(request: pb::CreateCheckoutRequest, config: &Config) -> Result<(Order, Input), Fault> {
    let (request_id, wait) = (request.request_id.clone(), request.wait);
    let input = input(request)?;
    let asked = Asked {
        subject: input.customer.clone(),
        reference: input.reservation.clone(),
        skip: skipped(&input),
        input: input.clone(),
        request_id,
        wait,
    };
    Ok((Order::new(&KIND, asked, config)?, input))
}

fn input(request: pb::CreateCheckoutRequest) -> Result<Input, Fault> {
    let asked = request.checkout.ok_or_else(|| Fault::field("checkout", "is required"))?;
    ids::name("checkout.customer", &asked.customer, "customers")?;
    ids::name("checkout.reservation", &asked.reservation, "reservations")?;
    method(asked.payment_method)?;
    if !asked.queue_token.is_empty() {
        queue_token(&asked.queue_token)?;
    }
    if request.card.is_some() {
        return Err(Fault::field("card", "belongs to payment by CARD; a payment by POINT has none"));
    }
    if let Some(amount) = request.expected_amount {
        amount_within("expected_amount", amount, (0, MOST))?;
    }
    Ok(Input {
        customer: asked.customer,
        reservation: asked.reservation,
        method: asked.payment_method,
        queue_token: asked.queue_token,
        expected_amount: request.expected_amount,
    })
}

/// Revenue is booked by the points that are used, so a reservation is paid with points; cards buy points.
fn method(number: i32) -> Result<(), Fault> {
    let field = "checkout.payment_method";
    match Method::try_from(number) {
        Ok(Method::Point) => Ok(()),
        Ok(other @ (Method::Card | Method::BankTransfer)) => {
            let name = other.as_str_name();
            Err(Fault::field(
                field,
                format!("{name} is not offered for a checkout; pay by POINT, and charge points first"),
            ))
        }
        Ok(Method::Unspecified) => Err(Fault::field(field, "is required: POINT")),
        Err(_) => Err(Fault::field(field, format!("is {number}, which is no payment method; pay by POINT"))),
    }
}

fn queue_token(name: &str) -> Result<(), Fault> {
    let field = "checkout.queue_token";
    for id in ids::segments(field, name, ["waitingRooms", "queueTokens"])? {
        ids::uuid(field, id)?;
    }
    Ok(())
}

/// A checkout as it stands.
pub(super) fn show(record: &Record) -> pb::Checkout {
    let (input, locked) = (checkout::input(record).ok(), checkout::locked(record));
    pb::Checkout {
        name: format!("checkouts/{}", record.id),
        customer: record.subject.clone(),
        reservation: record.reference.clone(),
        payment_method: input.as_ref().map_or(0, |input| input.method),
        amount: locked.as_ref().map_or(0, |locked| locked.amount),
        payment: checkout::payment(record).unwrap_or_default(),
        tickets: checkout::tickets(record),
        state: state(&KIND, record).into(),
        failure: failure(&KIND, record),
        create_time: Some(timestamp(record.create_time)),
        decide_time: record.saga.decided_ms().map(timestamp),
        end_time: record.saga.ended_ms().map(timestamp),
        version: record.version,
        seats: locked.map(|locked| locked.seat_names()).unwrap_or_default(),
        queue_token: input.map(|input| input.queue_token).unwrap_or_default(),
    }
}
