//! The point charge: authorise the outside payment, capture it; then give the points.
//!
//! The capture decides, and its arbiter is the cancellation of the same payment. What a customer may have and charge was
//! checked before there was a saga; the credit may not refuse, because the money is there by then.

use prost::Message as _;
use proto::customer::v1 as customer;
use proto::customer::v1::point_transaction::Kind;
use proto::payment::v1 as payment;
use proto::payment::v1::payment::Purpose;
use saga::{Announcement, Direction, Plan, StepIndex, pivot, retriable, step};
use serde::{Deserialize, Serialize};

use super::{Announced, Ask, Definition, Read, Reply, Told, has_happened, kept, may_be_there, output};
use crate::exposure::Held;
use crate::journal::Record;
use crate::plans;

mod announce;

/// The kind, as it stands in the journal.
pub const KIND: &str = "pointCharge";

/// The table.
pub const PLAN: Plan = Plan::new(
    KIND,
    1,
    &[
        step("authorize-payment", "payment/AuthorizePayment", "payment/CancelPayment"),
        pivot("capture-payment", "payment/CapturePayment").arbiter("authorize-payment", "PAYMENT_CAPTURED"),
        retriable("credit-points", "customer/CreditPoints"),
    ],
);

const AUTHORIZE: StepIndex = StepIndex(0);
const CAPTURE: StepIndex = StepIndex(1);
const CREDIT: StepIndex = StepIndex(2);

/// Where the money of cards comes in.
const CLEARING: &str = "clearing/card";

/// What the customer asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Input {
    /// `customers/{uuid}`.
    pub customer: String,
    /// How many points.
    pub amount: i64,
    /// Number of the payment method.
    pub method: i32,
    /// The one-time token by which the processor knows the card. No card's number ever comes here.
    pub processor_token: String,
    /// By which the customer knows the card; may be empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub card_last_four: String,
}

/// What the authorisation answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Authorized {
    /// `payments/{uuid}`.
    payment: String,
}

/// What the credit answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Credited {
    /// The customer's posted balance after it.
    balance_after: i64,
}

/// The input of a point charge's record.
///
/// # Errors
/// When it cannot be read.
pub fn input(record: &Record) -> Result<Input, String> {
    plans::input(record)
}

/// The payment's name, once there is one.
pub fn payment(record: &Record) -> Option<String> {
    output::<Authorized>(&record.saga, AUTHORIZE).map(|authorized| authorized.payment)
}

/// The resource's name.
fn name(record: &Record) -> String {
    format!("pointCharges/{}", record.id)
}

/// The point charge's definition.
#[derive(Debug, Clone, Copy)]
pub struct PointCharge;

impl Definition for PointCharge {
    fn plan(&self) -> &'static Plan {
        &PLAN
    }

    fn request(&self, ask: Ask<'_>) -> Result<Vec<u8>, String> {
        let (saga, request_id) = (ask.saga(), ask.request_id());
        let Input { customer, amount, method, processor_token, card_last_four } = ask.input()?;
        Ok(match (ask.direction, ask.step) {
            (Direction::Forward, AUTHORIZE) => payment::AuthorizePaymentRequest {
                customer,
                saga,
                purpose: Purpose::PointCharge.into(),
                reference: name(ask.record),
                method,
                amount,
                currency_code: "KRW".into(),
                request_id,
                processor_token,
                card_last_four,
            }
            .encode_to_vec(),
            (Direction::Forward, CAPTURE) => payment::CapturePaymentRequest { saga, request_id }.encode_to_vec(),
            (Direction::Forward, CREDIT) => customer::CreditPointsRequest {
                customer,
                saga,
                amount,
                kind: Kind::Charge.into(),
                debit_account: CLEARING.into(),
                request_id,
                ..Default::default()
            }
            .encode_to_vec(),
            (Direction::Compensation, AUTHORIZE) => {
                payment::CancelPaymentRequest { saga, reason: ask.reason(), request_id }.encode_to_vec()
            }
            _ => return ask.unknown(),
        })
    }

    fn reply(&self, read: Read<'_>) -> Result<Reply, String> {
        let amount = input(read.record)?.amount;
        match (read.direction, read.step) {
            (Direction::Forward, AUTHORIZE) => {
                let reply = read.of_amount::<payment::AuthorizePaymentResponse>(amount, |r| (&r.saga, r.amount))?;
                let payment = reply.payment.ok_or("the reply has no payment")?.name;
                Ok(Reply { output: kept(&Authorized { payment }), skip: Vec::new() })
            }
            (Direction::Forward, CAPTURE) => {
                read.moved::<payment::CapturePaymentResponse>(amount, |r| (&r.saga, r.amount))
            }
            (Direction::Forward, CREDIT) => {
                let reply = read.of_amount::<customer::CreditPointsResponse>(amount, |r| (&r.saga, r.amount))?;
                let balance_after = reply.point_transaction.ok_or("the reply has no transaction")?.balance_after;
                Ok(Reply { output: kept(&Credited { balance_after }), skip: Vec::new() })
            }
            (Direction::Compensation, AUTHORIZE) => read.echoed::<payment::CancelPaymentResponse>(|r| &r.saga),
            _ => read.unknown(),
        }
    }

    fn event(&self, record: &Record, announcement: Announcement) -> Option<Announced> {
        match announcement {
            Announcement::Completed => Some(announce::completed(record)),
            Announcement::Compensated => Some(announce::failed(record)),
            Announcement::Suspended | Announcement::Resumed | Announcement::Alarm(_) => None,
        }
    }

    /// Money of the card that may be held or taken, and is no points yet.
    fn held(&self, record: &Record) -> Held {
        let is_held = may_be_there(record, AUTHORIZE) && !has_happened(record, CREDIT);
        Held { amount: self.amount(record).filter(|_| is_held).unwrap_or_default(), seats: 0 }
    }

    fn amount(&self, record: &Record) -> Option<i64> {
        input(record).ok().map(|input| input.amount)
    }

    fn about(&self, record: &Record) -> Vec<(&'static str, Told)> {
        let mut about = Vec::new();
        if let Ok(input) = input(record) {
            about.push(("payment method", Told::method(input.method)));
            about.push(("card", Told::Text(input.card_last_four)));
        }
        about.extend(payment(record).map(|payment| ("payment", Told::Text(payment))));
        about
    }
}
