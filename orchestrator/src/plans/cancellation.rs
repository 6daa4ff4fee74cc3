//! The cancellation: lock the reservation, take up what is to be refunded, commit; then give the points back and end the
//! refund.
//!
//! Giving comes after the commit: points that were credited can be spent, so a credit cannot be taken back for certain. The
//! seats are free a moment before the money is back, which does no harm, since nothing after the commit may refuse.

use saga::{Announcement, Direction, Plan, StepIndex, pivot, retriable, step};
use serde::{Deserialize, Serialize};

use super::{Announced, Ask, Definition, Read, Reply, Told, has_happened, may_be_there, output};
use crate::exposure::Held;
use crate::journal::Record;
use crate::plans;

mod announce;
mod reply;
mod request;

/// The kind, as it stands in the journal.
pub const KIND: &str = "cancellation";

/// The table.
pub const PLAN: Plan = Plan::new(
    KIND,
    1,
    &[
        step("begin-cancellation", "concert/BeginReservationCancellation", "concert/AbortReservationCancellation"),
        step("create-refund", "payment/CreateRefund", "payment/CancelRefund"),
        pivot("commit-cancellation", "concert/CommitReservationCancellation")
            .arbiter("begin-cancellation", "CANCELLATION_COMMITTED"),
        retriable("credit-points", "customer/CreditPoints"),
        retriable("complete-refund", "payment/CompleteRefund"),
    ],
);

const BEGIN: StepIndex = StepIndex(0);
const REFUND: StepIndex = StepIndex(1);
const COMMIT: StepIndex = StepIndex(2);
const CREDIT: StepIndex = StepIndex(3);
const COMPLETE: StepIndex = StepIndex(4);

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Input {
    /// `reservations/{uuid}`.
    pub reservation: String,
    /// `customers/{uuid}`; empty when an operator or a cancelled performance asks.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub customer: String,
    /// Whether the whole total is refunded.
    #[serde(default)]
    pub waive_fee: bool,
}

/// What the beginning answered, as far as anybody needs it later.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Begun {
    /// What is given back.
    pub refund: i64,
    /// What is kept.
    pub fee: i64,
    /// Whose reservation it is: `customers/{uuid}`.
    pub customer: String,
    /// `concerts/{uuid}`.
    pub concert: String,
    /// `payments/{uuid}`; empty when it was free.
    pub payment: String,
    /// How many seats it has.
    pub seats: i64,
}

/// What taking up the refund answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Refunded {
    /// `payments/{uuid}/refunds/{uuid}`.
    name: String,
}

/// The input of a cancellation's record.
///
/// # Errors
/// When it cannot be read.
pub fn input(record: &Record) -> Result<Input, String> {
    plans::input(record)
}

/// What the beginning answered, once it has.
pub fn begun(record: &Record) -> Option<Begun> {
    output(&record.saga, BEGIN)
}

/// The refund's name, once there is one.
pub fn refund(record: &Record) -> Option<String> {
    output::<Refunded>(&record.saga, REFUND).map(|refunded| refunded.name)
}

/// The cancellation's definition.
#[derive(Debug, Clone, Copy)]
pub struct Cancellation;

impl Definition for Cancellation {
    fn plan(&self) -> &'static Plan {
        &PLAN
    }

    fn request(&self, ask: Ask<'_>) -> Result<Vec<u8>, String> {
        match ask.direction {
            Direction::Forward => request::forward(ask),
            Direction::Compensation => request::compensation(ask),
        }
    }

    fn reply(&self, read: Read<'_>) -> Result<Reply, String> {
        match read.direction {
            Direction::Forward => reply::forward(read),
            Direction::Compensation => reply::compensation(read),
        }
    }

    fn event(&self, record: &Record, announcement: Announcement) -> Option<Announced> {
        match announcement {
            Announcement::Completed => Some(announce::completed(record)),
            Announcement::Compensated => Some(announce::failed(record)),
            Announcement::Suspended | Announcement::Resumed | Announcement::Alarm(_) => None,
        }
    }

    /// The refund from when it may be taken up until the points are there, the seats until they are free.
    fn held(&self, record: &Record) -> Held {
        let Some(begun) = begun(record) else { return Held::default() };
        let amount = may_be_there(record, REFUND) && !has_happened(record, CREDIT);
        let seats = may_be_there(record, BEGIN) && !has_happened(record, COMMIT);
        Held { amount: if amount { begun.refund } else { 0 }, seats: if seats { begun.seats } else { 0 } }
    }

    fn amount(&self, record: &Record) -> Option<i64> {
        begun(record).map(|begun| begun.refund)
    }

    fn about(&self, record: &Record) -> Vec<(&'static str, Told)> {
        let mut about = Vec::new();
        if input(record).is_ok_and(|input| input.waive_fee) {
            about.push(("fee", Told::Text("waived".into())));
        }
        if let Some(begun) = begun(record) {
            about.push(("fee", Told::Amount(begun.fee)));
            about.push(("owner", Told::Text(begun.customer)));
            about.push(("concert", Told::Text(begun.concert)));
            about.push(("payment", Told::Text(begun.payment)));
        }
        about.extend(refund(record).map(|name| ("refund", Told::Text(name))));
        about
    }
}
