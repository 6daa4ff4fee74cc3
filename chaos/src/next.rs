//! The orchestrator as its next version might be: it has another plan for checkouts, and still knows the one before, so
//! that replicas of both can share a database while one replaces the other.

use std::process::ExitCode;

use orchestrator::Process;
use orchestrator::journal::Record;
use orchestrator::plans::checkout::{self, Checkout};
use orchestrator::plans::{Announced, Ask, Definition, Plans, Read, Reply, Told};
use saga::{Announcement, Plan, pivot, retriable, step};
use serde::{Deserialize, Serialize};
use service_kit::host::Host;
use service_kit::process::{self, BoxError, Database, Server, Service, Settings, Started};

/// What follows the confirmation is done one after the other.
const PLAN: Plan = Plan::new(
    checkout::KIND,
    checkout::PLAN.version + 1,
    &[
        step("lock-reservation", "concert/LockReservation", "concert/UnlockReservation"),
        step("reserve-points", "customer/ReservePoints", "customer/ReleasePoints"),
        step("authorize-payment", "payment/AuthorizePayment", "payment/CancelPayment"),
        pivot("confirm-reservation", "concert/ConfirmReservation").arbiter("lock-reservation", "RESERVATION_CONFIRMED"),
        retriable("capture-points", "customer/CapturePoints"),
        retriable("capture-payment", "payment/CapturePayment"),
        retriable("complete-token", "token/CompleteQueueToken"),
    ],
);

/// The checkout in that version. All but its table is as before.
#[derive(Debug)]
struct Next;

impl Definition for Next {
    fn plan(&self) -> &'static Plan {
        &PLAN
    }

    fn request(&self, ask: Ask<'_>) -> Result<Vec<u8>, String> {
        Checkout.request(ask)
    }

    fn reply(&self, read: Read<'_>) -> Result<Reply, String> {
        Checkout.reply(read)
    }

    fn event(&self, record: &Record, announcement: Announcement) -> Option<Announced> {
        Checkout.event(record, announcement)
    }

    fn amount(&self, record: &Record) -> Option<i64> {
        Checkout.amount(record)
    }

    fn about(&self, record: &Record) -> Vec<(&'static str, Told)> {
        Checkout.about(record)
    }
}

/// The orchestrator, with that plan besides.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
struct NextProcess(Process);

impl Settings for NextProcess {
    fn own(&self) -> (&Server, &Database) {
        self.0.own()
    }
}

impl Service for NextProcess {
    const NAME: &'static str = Process::NAME;

    async fn start(self, host: &Host) -> Result<Started, BoxError> {
        self.0.start_with(host, Plans::with(&[&Next])?).await
    }
}

fn main() -> ExitCode {
    process::main::<NextProcess>(env!("CARGO_BIN_NAME"))
}
