//! Payments by card: a service, and a processor as it behaves and misbehaves.

use std::sync::Arc;

use outside::processor::{self, Faults, Processor};
use payment_svc::{Config, Desk};
use proto::payment::v1 as pb;
use proto::payment::v1::payment::{Method, Purpose};
use service_kit::clock::ManualClock;
use service_kit::db::Db;
use service_kit::refusal::{self, SagaOutcome};
use tonic::{Response, Status};
use uuid::Uuid;

use crate::harness::{self, Service, reservation_name, step};

mod arbiter;
mod crash;
mod input;
mod lies;
mod random;
mod refunds;
mod steps;
mod webhooks;

/// The processor's secret.
const SECRET: &str = "shared";

/// A service that waits for its processor as long as that takes, or not at all.
struct Cards {
    service: Service,
    desk: Desk,
    pages: axum::Router,
    processor: Arc<Processor>,
}

impl Cards {
    async fn new() -> Self {
        let processor = Processor::start(processor::Arguments::loopback(1)).await.unwrap();
        let clock = Arc::new(ManualClock::at(1_000));
        Self::over(testbed::db(clock.clone()).await, clock, Arc::new(processor), 60_000).await
    }

    async fn hurried() -> Self {
        Self::new().await.another(0).await
    }

    /// Another process over the same database and processor.
    async fn another(&self, patience_ms: u64) -> Self {
        let Service { db, clock, .. } = self.service.clone();
        Self::over(db, clock, self.processor.clone(), patience_ms).await
    }

    async fn over(db: Db, clock: Arc<ManualClock>, processor: Arc<Processor>, patience_ms: u64) -> Self {
        let config = Config {
            processor: processor.url(),
            processor_secret: SECRET.into(),
            processor_patience_ms: patience_ms,
            processor_timeout_ms: 20_000,
            ..Config::default()
        };
        let (service, started) = Service::with(db, clock, config).await;
        let (desk, pages) = (started.desk.unwrap(), started.pages.unwrap());
        Self { service, desk, pages, processor }
    }

    /// A charge of points: its capture decides.
    async fn charge(&mut self, saga: u128, token: &str) -> Result<pb::AuthorizePaymentResponse, Status> {
        self.authorize(charge(saga, token)).await
    }

    async fn authorize(&mut self, order: pb::AuthorizePaymentRequest) -> Result<pb::AuthorizePaymentResponse, Status> {
        let request = step("authorize-payment", order);
        self.service.payments.authorize_payment(request).await.map(Response::into_inner)
    }

    async fn capture(&mut self, saga: u128) -> Result<pb::CapturePaymentResponse, Status> {
        self.service.capture(saga).await
    }

    async fn cancel(&mut self, saga: u128) -> Result<pb::CancelPaymentResponse, Status> {
        self.service.cancel(saga).await
    }

    async fn payment(&mut self, saga: u128) -> pb::Payment {
        let request = pb::GetPaymentRequest { name: harness::payment_name(saga) };
        self.service.payments.get_payment(request).await.unwrap().into_inner()
    }

    /// How a payment stands here and at the processor.
    async fn standing(&mut self, saga: u128) -> (String, String) {
        let ours = self.service.payment(saga).await.0;
        let id = Uuid::from_u128(saga).to_string();
        let theirs = self.processor.books().get(&id).map_or("unknown".to_owned(), |found| format!("{:?}", found.state));
        (ours, theirs)
    }

    fn misbehave(&self, faults: Faults) {
        self.processor.set(faults);
    }

    fn behave(&self) {
        self.processor.set(Faults::default());
    }

    /// Lets time pass until there is nothing to ask any more.
    async fn drain(&self) {
        for _ in 0..1_000 {
            if self.errands().await == 0 {
                return;
            }
            self.service.clock.advance(60_000);
            self.desk.round().await.unwrap();
        }
        unreachable!("the processor never answers");
    }

    async fn errands(&self) -> i64 {
        const COUNT: &str = "select cast(count(*) as bigint) from payment_errands";
        let (count,) = self.service.db.read(async |tx| tx.fetch_one::<(i64,)>(COUNT, &[]).await).await.unwrap();
        count
    }
}

fn charge(saga: u128, token: &str) -> pb::AuthorizePaymentRequest {
    let reference = format!("pointCharges/{}", Uuid::from_u128(saga));
    by_card(pb::AuthorizePaymentRequest {
        purpose: Purpose::PointCharge.into(),
        reference,
        processor_token: token.into(),
        ..harness::authorize(saga, saga)
    })
}

fn checkout(saga: u128, reservation: u128, token: &str) -> pb::AuthorizePaymentRequest {
    let reference = reservation_name(reservation);
    by_card(pb::AuthorizePaymentRequest { reference, processor_token: token.into(), ..harness::authorize(saga, 1) })
}

fn by_card(order: pb::AuthorizePaymentRequest) -> pb::AuthorizePaymentRequest {
    pb::AuthorizePaymentRequest { method: Method::Card.into(), card_last_four: "4242".into(), ..order }
}

/// The reason of an answer that is still to come; empty where there is none but that.
fn pending<T: std::fmt::Debug>(answer: Result<T, Status>) -> String {
    assert!(SagaOutcome::is_pending(&answer), "{answer:?}");
    refusal::reason(&answer.unwrap_err()).unwrap_or_default()
}

fn both(ours: &str, theirs: &str) -> (String, String) {
    (ours.to_owned(), theirs.to_owned())
}
