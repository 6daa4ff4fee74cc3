//! The checkout: lock the seats, set the points aside, authorise the payment, confirm; then move points and payment and
//! let the queue token go.
//!
//! The scarce thing is locked first, so the commonest refusals cost nothing to take back. Money is set aside before the
//! confirmation and moved after it, so a checkout that fails leaves no trace in anybody's history. Nothing after the
//! confirmation may refuse.

use saga::{Announcement, Direction, Plan, Saga, StepIndex, pivot, retriable, step, together};
use serde::{Deserialize, Serialize};

use super::{Announced, Ask, Definition, Read, Reply, Told, output};
use crate::exposure::Held;
use crate::journal::Record;
use crate::plans;

mod announce;
mod held;
mod reply;
mod request;

/// The kind, as it stands in the journal.
pub const KIND: &str = "checkout";

/// The table.
pub const PLAN: Plan = Plan::new(
    KIND,
    1,
    &[
        step("lock-reservation", "concert/LockReservation", "concert/UnlockReservation"),
        step("reserve-points", "customer/ReservePoints", "customer/ReleasePoints"),
        step("authorize-payment", "payment/AuthorizePayment", "payment/CancelPayment"),
        pivot("confirm-reservation", "concert/ConfirmReservation").arbiter("lock-reservation", "RESERVATION_CONFIRMED"),
        together(&[
            retriable("capture-points", "customer/CapturePoints"),
            retriable("capture-payment", "payment/CapturePayment"),
            retriable("complete-token", "token/CompleteQueueToken"),
        ]),
    ],
);

const LOCK: StepIndex = StepIndex(0);
const POINTS: StepIndex = StepIndex(1);
const PAYMENT: StepIndex = StepIndex(2);
/// The step that decides.
pub const PIVOT: StepIndex = CONFIRM;

const CONFIRM: StepIndex = StepIndex(3);
const CAPTURE_POINTS: StepIndex = StepIndex(4);
const CAPTURE_PAYMENT: StepIndex = StepIndex(5);
const TOKEN: StepIndex = StepIndex(6);

/// What the customer asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Input {
    /// `customers/{uuid}`.
    pub customer: String,
    /// `reservations/{uuid}`.
    pub reservation: String,
    /// Number of the payment method.
    pub method: i32,
    /// `waitingRooms/{uuid}/queueTokens/{uuid}`, or empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub queue_token: String,
    /// What the customer was shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected_amount: Option<i64>,
}

/// What the lock answered, as far as anybody needs it later.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Locked {
    /// What is to be paid.
    pub amount: i64,
    /// `concerts/{uuid}`.
    pub concert: String,
    /// Its title.
    pub title: String,
    /// Who plays.
    pub artist: String,
    /// When, in milliseconds.
    pub start_ms: i64,
    /// `concerts/{uuid}/performances/{uuid}`.
    pub performance: String,
    /// Ids of the seats, and how people read them.
    pub seats: Vec<(String, String)>,
}

/// What the confirmation answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Confirmed {
    /// Ids of the tickets.
    pub tickets: Vec<String>,
}

/// Steps that this input never needs.
pub fn skipped(input: &Input) -> Vec<StepIndex> {
    if input.queue_token.is_empty() { vec![TOKEN] } else { Vec::new() }
}

/// The input of a checkout's record.
///
/// # Errors
/// When it cannot be read.
pub fn input(record: &Record) -> Result<Input, String> {
    plans::input(record)
}

/// What the lock answered, once it has.
pub fn locked(record: &Record) -> Option<Locked> {
    output(&record.saga, LOCK)
}

/// Names of the tickets, once they are issued.
pub fn tickets(record: &Record) -> Vec<String> {
    let confirmed: Option<Confirmed> = output(&record.saga, CONFIRM);
    let name = |ticket| format!("{}/tickets/{ticket}", record.reference);
    confirmed.map_or_else(Vec::new, |confirmed| confirmed.tickets.into_iter().map(name).collect())
}

/// The payment's name, once there is one.
pub fn payment(record: &Record) -> Option<String> {
    record.saga.output(PAYMENT).map(|_| format!("payments/{}", record.id))
}

/// What is to be paid, once the lock has told.
pub fn amount(saga: &Saga) -> Option<i64> {
    output::<Locked>(saga, LOCK).map(|locked| locked.amount)
}

impl Locked {
    /// Names of the seats.
    pub fn seat_names(&self) -> Vec<String> {
        self.seats.iter().map(|(id, _)| format!("{}/seats/{id}", self.performance)).collect()
    }
}

/// The checkout's definition.
#[derive(Debug, Clone, Copy)]
pub struct Checkout;

impl Definition for Checkout {
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

    fn held(&self, record: &Record) -> Held {
        held::by(record)
    }

    fn amount(&self, record: &Record) -> Option<i64> {
        amount(&record.saga)
    }

    fn about(&self, record: &Record) -> Vec<(&'static str, Told)> {
        let mut about = Vec::new();
        if let Ok(input) = input(record) {
            about.push(("payment method", Told::method(input.method)));
            about.extend(input.expected_amount.map(|amount| ("expected amount", Told::Amount(amount))));
            about.push(("queue token", Told::Text(input.queue_token)));
        }
        if let Some(locked) = locked(record) {
            let seats: Vec<_> = locked.seats.into_iter().map(|(_, label)| label).collect();
            about.push(("concert", Told::Text(format!("{}, {}", locked.title, locked.artist))));
            about.push(("seats", Told::Text(seats.join(", "))));
        }
        about.push(("payment", Told::Text(payment(record).unwrap_or_default())));
        about.push(("tickets", Told::count(tickets(record).len())));
        about
    }
}
