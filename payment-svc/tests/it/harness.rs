//! One payment service with short words for what the scenarios do to it.

use std::sync::Arc;

use payment_svc::verify::CHECKS;
use payment_svc::{Config, Started};
use proto::payment::v1 as pb;
use proto::payment::v1::payment_service_client::PaymentServiceClient;
use service_kit::args;
use service_kit::clock::ManualClock;
use service_kit::db::{self, Db};
use service_kit::host::Host;
use service_kit::ids::{self, Ids};
use service_kit::refusal::{self, SagaOutcome};
use tonic::service::Routes;
use tonic::{Code, Request, Response, Status};
use tonic_types::StatusExt as _;
use uuid::Uuid;

#[derive(Clone)]
pub(crate) struct Service {
    pub(crate) db: Db,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) payments: PaymentServiceClient<Routes>,
}

impl Service {
    /// A new service in memory.
    pub(crate) async fn new() -> Self {
        let clock = Arc::new(ManualClock::at(1_000));
        Self::over(testbed::db(clock.clone()).await, clock).await
    }

    /// The same on the database as it runs in production, where callers meet.
    pub(crate) async fn threaded(directory: &tempfile::TempDir) -> Self {
        let clock = Arc::new(ManualClock::at(1_000));
        Self::over(testbed::threaded(directory.path(), clock.clone()).await, clock).await
    }

    pub(crate) async fn over(db: Db, clock: Arc<ManualClock>) -> Self {
        Self::with(db, clock, Config::default()).await.0
    }

    /// One more process over a database, and what else it offers.
    pub(crate) async fn with(db: Db, clock: Arc<ManualClock>, config: Config) -> (Self, Started) {
        let host = Host::new(db.clone(), clock.clone(), Ids::seeded(7));
        let started = payment_svc::start(&host, config).await.unwrap();
        let payments = PaymentServiceClient::new(started.routes.clone());
        (Self { db, clock, payments }, started)
    }

    pub(crate) async fn authorize(
        &mut self,
        saga: u128,
        reservation: u128,
    ) -> Result<pb::AuthorizePaymentResponse, Status> {
        let request = step("authorize-payment", authorize(saga, reservation));
        self.payments.authorize_payment(request).await.map(Response::into_inner)
    }

    pub(crate) async fn cancel(&mut self, saga: u128) -> Result<pb::CancelPaymentResponse, Status> {
        let request = step("authorize-payment", cancel(saga));
        self.payments.cancel_payment(request).await.map(Response::into_inner)
    }

    pub(crate) async fn capture(&mut self, saga: u128) -> Result<pb::CapturePaymentResponse, Status> {
        let request = step("capture-payment", capture(saga));
        self.payments.capture_payment(request).await.map(Response::into_inner)
    }

    /// Asks for so much of a payment back.
    pub(crate) async fn create_refund(
        &mut self,
        saga: u128,
        payment: u128,
        amount: i64,
    ) -> Result<pb::CreateRefundResponse, Status> {
        let request = step("create-refund", create_refund(saga, payment, amount));
        self.payments.create_refund(request).await.map(Response::into_inner)
    }

    pub(crate) async fn cancel_refund(&mut self, saga: u128) -> Result<pb::CancelRefundResponse, Status> {
        let request = step("create-refund", cancel_refund(saga));
        self.payments.cancel_refund(request).await.map(Response::into_inner)
    }

    pub(crate) async fn complete_refund(&mut self, saga: u128) -> Result<pb::CompleteRefundResponse, Status> {
        let request = step("complete-refund", complete_refund(saga));
        self.payments.complete_refund(request).await.map(Response::into_inner)
    }

    /// A refund's state, or the reason why there is none.
    pub(crate) async fn refund(&mut self, saga: u128, payment: u128) -> String {
        match self.payments.get_refund(pb::GetRefundRequest { name: refund_name(saga, payment) }).await {
            Ok(found) => found.get_ref().state().as_str_name().into(),
            Err(status) => refusal::reason(&status).unwrap(),
        }
    }

    /// What is captured, refunded and refundable of a payment.
    pub(crate) async fn amounts(&mut self, payment: u128) -> [i64; 3] {
        let request = pb::GetPaymentRequest { name: payment_name(payment) };
        let found = self.payments.get_payment(request).await.unwrap().into_inner();
        [found.captured_amount, found.refunded_amount, found.refundable_amount]
    }

    /// What the service has announced of a payment, in order: version and type.
    pub(crate) async fn announced(&self, payment: u128) -> Vec<(i64, String)> {
        const SELECT: &str =
            "select version, type from payment_outbox where aggregate = $1 order by version, create_time";
        let name = payment_name(payment);
        let found = self.db.read(async move |tx| tx.fetch_all::<(i64, String)>(SELECT, args![&name]).await);
        found.await.unwrap()
    }

    /// A payment's history: from, to.
    pub(crate) async fn history(&self, payment: u128) -> Vec<(String, String)> {
        const SELECT: &str =
            "select from_state, to_state from payment_transitions where payment_id = $1 order by version";
        let id = Uuid::from_u128(payment);
        self.db.read(async move |tx| tx.fetch_all::<(String, String)>(SELECT, args![id]).await).await.unwrap()
    }

    /// A payment's state and what was captured, or the reason why there is none.
    pub(crate) async fn payment(&mut self, saga: u128) -> (String, i64) {
        let request = pb::GetPaymentRequest { name: payment_name(saga) };
        match self.payments.get_payment(request).await {
            Ok(found) => (found.get_ref().state().as_str_name().into(), found.get_ref().captured_amount),
            Err(status) => (refusal::reason(&status).unwrap(), 0),
        }
    }

    /// What breaks a rule, by the rule's name.
    pub(crate) async fn findings(&self) -> Vec<(&'static str, String)> {
        let found = self.db.read(async move |tx| {
            let mut found = Vec::new();
            for check in CHECKS {
                found.extend(check.findings(tx).await?.into_iter().map(|finding| (check.id, finding.problem)));
            }
            Ok::<_, db::Error>(found)
        });
        found.await.unwrap()
    }

    pub(crate) async fn expect_sound(&self) {
        assert_eq!(self.findings().await, []);
    }

    /// Runs a statement of the test's own.
    pub(crate) async fn sql(&self, sql: &'static str) {
        self.db.write(async move |tx| tx.execute(sql, &[]).await).await.unwrap();
    }
}

/// A request as the orchestrator sends it.
pub(crate) fn step<M>(id: &'static str, message: M) -> Request<M> {
    let mut request = Request::new(message);
    request.metadata_mut().insert("saga-step", id.parse().unwrap());
    request.metadata_mut().insert("saga-epoch", "1".parse().unwrap());
    request
}

/// 300 points for a reservation.
pub(crate) fn authorize(saga: u128, reservation: u128) -> pb::AuthorizePaymentRequest {
    pb::AuthorizePaymentRequest {
        customer: customer_name(1),
        saga: saga_name(saga),
        purpose: pb::payment::Purpose::Reservation.into(),
        reference: reservation_name(reservation),
        method: pb::payment::Method::Point.into(),
        amount: 300,
        request_id: request_id(saga, "authorize-payment", "forward"),
        ..Default::default()
    }
}

pub(crate) fn cancel(saga: u128) -> pb::CancelPaymentRequest {
    let request_id = request_id(saga, "authorize-payment", "compensate");
    pb::CancelPaymentRequest { saga: saga_name(saga), reason: "the checkout failed".into(), request_id }
}

pub(crate) fn capture(saga: u128) -> pb::CapturePaymentRequest {
    let request_id = request_id(saga, "capture-payment", "forward");
    pb::CapturePaymentRequest { saga: saga_name(saga), request_id }
}

pub(crate) fn create_refund(saga: u128, payment: u128, amount: i64) -> pb::CreateRefundRequest {
    pb::CreateRefundRequest {
        parent: payment_name(payment),
        saga: saga_name(saga),
        amount,
        reason: "the customer cancels".into(),
        request_id: request_id(saga, "create-refund", "forward"),
    }
}

pub(crate) fn cancel_refund(saga: u128) -> pb::CancelRefundRequest {
    let request_id = request_id(saga, "create-refund", "compensate");
    pb::CancelRefundRequest { saga: saga_name(saga), request_id }
}

pub(crate) fn complete_refund(saga: u128) -> pb::CompleteRefundRequest {
    let request_id = request_id(saga, "complete-refund", "forward");
    pb::CompleteRefundRequest { saga: saga_name(saga), request_id }
}

pub(crate) fn refund_name(saga: u128, payment: u128) -> String {
    format!("{}/refunds/{}", payment_name(payment), Uuid::from_u128(saga))
}

pub(crate) fn customer_name(customer: u128) -> String {
    format!("customers/{}", Uuid::from_u128(customer))
}

pub(crate) fn payment_name(saga: u128) -> String {
    format!("payments/{}", Uuid::from_u128(saga))
}

pub(crate) fn reservation_name(reservation: u128) -> String {
    format!("reservations/{}", Uuid::from_u128(reservation))
}

pub(crate) fn saga_name(saga: u128) -> String {
    format!("sagas/{}", Uuid::from_u128(saga))
}

fn request_id(saga: u128, step: &str, direction: &str) -> String {
    ids::operation_id(Uuid::from_u128(saga), step, direction).to_string()
}

/// The reason of a definite no.
pub(crate) fn refused<T: std::fmt::Debug>(result: Result<T, Status>) -> String {
    let status = result.unwrap_err();
    assert_eq!(SagaOutcome::of(&status), Some(SagaOutcome::Refused), "{status:?}");
    refusal::reason(&status).unwrap()
}

/// The code and reason of an answer that is not OK.
pub(crate) fn failed<T: std::fmt::Debug>(result: Result<T, Status>) -> (Code, String) {
    let status = result.unwrap_err();
    (status.code(), refusal::reason(&status).unwrap_or_default())
}

/// The field that was wrong.
pub(crate) fn violation<T: std::fmt::Debug>(result: Result<T, Status>) -> String {
    let status = result.unwrap_err();
    assert_eq!((status.code(), SagaOutcome::of(&status)), (Code::InvalidArgument, None), "{status:?}");
    status.get_details_bad_request().unwrap().field_violations[0].field.clone()
}

/// A fact of a refusal.
pub(crate) fn fact<T: std::fmt::Debug>(result: &Result<T, Status>, key: &str) -> String {
    result.as_ref().unwrap_err().get_details_error_info().unwrap().metadata[key].clone()
}
