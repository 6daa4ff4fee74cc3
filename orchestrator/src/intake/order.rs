//! Requests of customers, read field by field.

use std::time::Duration;

use proto::orchestrator::v1 as pb;
use proto::payment::v1::payment::Method;
use saga::Act;
use service_kit::ids;
use service_kit::refusal::Fault;
use service_kit::wire::duration_ms_of;
use sha2::{Digest as _, Sha256};

use crate::config::Config;
use crate::plans::checkout::{Checkout, Input, KIND, skipped};
use crate::runner::NewSaga;

/// The largest total that a customer can have been shown: ten seats of the highest price.
const MOST: i64 = 100_000_000;
/// The longest that a call may wait.
const LONGEST_WAIT_MS: u64 = 30_000;
/// The longest reason that a history keeps.
const LONGEST_REASON: usize = 500;

/// A checkout that somebody asks for.
#[derive(Debug)]
pub(super) struct Order {
    pub(super) new: NewSaga,
    pub(super) input: Input,
    pub(super) wait: Duration,
    pub(super) validate_only: bool,
}

impl Order {
    pub(super) fn read(request: pb::CreateCheckoutRequest, config: &Config) -> Result<Self, Fault> {
        let request_id = ids::uuid("request_id", &request.request_id)?;
        let wait = request.wait.map_or(Ok(config.wait()), wait)?;
        let validate_only = request.validate_only;
        let input = input(request)?;
        let bytes = serde_json::to_vec(&input).expect("plain text and numbers always serialize");
        let new = NewSaga {
            id: ids::saga_id(KIND, &input.customer, request_id),
            definition: &Checkout,
            subject: input.customer.clone(),
            reference: input.reservation.clone(),
            // All of the request that the saga depends on; how long the caller waits is not.
            request_hash: Sha256::digest(&bytes).to_vec(),
            input: bytes,
            skip: skipped(&input),
            undecided_for: config.undecided_for(),
        };
        Ok(Self { new, input, wait, validate_only })
    }
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
        expected(amount)?;
    }
    Ok(Input {
        customer: asked.customer,
        reservation: asked.reservation,
        method: asked.payment_method,
        queue_token: asked.queue_token,
        expected_amount: request.expected_amount,
    })
}

fn method(number: i32) -> Result<(), Fault> {
    let field = "checkout.payment_method";
    match Method::try_from(number) {
        Ok(Method::Point) => Ok(()),
        Ok(later @ (Method::Card | Method::BankTransfer)) => {
            Err(Fault::field(field, format!("{} is not offered yet; pay by POINT", later.as_str_name())))
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

fn expected(amount: i64) -> Result<(), Fault> {
    if (0..=MOST).contains(&amount) {
        return Ok(());
    }
    Err(Fault::Invalid {
        field: "expected_amount".into(),
        problem: format!("must be from 0 to {MOST}, not {amount}"),
        reason: "AMOUNT_OUT_OF_RANGE",
    })
}

fn wait(length: prost_types::Duration) -> Result<Duration, Fault> {
    let is_negative = length.seconds < 0 || length.nanos < 0;
    match duration_ms_of(length).map(u64::try_from) {
        Some(Ok(ms)) if !is_negative && ms <= LONGEST_WAIT_MS => Ok(Duration::from_millis(ms)),
        _ => Err(Fault::field("wait", "must be from 0 to 30 seconds")),
    }
}

/// Who wants a checkout stopped, and why.
pub(super) fn act(customer: String, reason: String) -> Result<Act, Fault> {
    if reason.chars().count() > LONGEST_REASON {
        return Err(Fault::field("reason", format!("must not be longer than {LONGEST_REASON} characters")));
    }
    if reason.contains('\0') {
        return Err(Fault::field("reason", "must not hold the character NUL"));
    }
    let by = if customer.is_empty() {
        "operator".to_owned()
    } else {
        ids::name("customer", &customer, "customers")?;
        customer
    };
    Ok(Act { by, reason })
}
