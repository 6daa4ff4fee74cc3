//! The order of a monolith's one transaction, over the same services: payment, points, confirmation, notice, place in line. Nobody
//! keeps a journal, nothing is tried again, and what has failed halfway is taken back once, as far as it is known.

use std::sync::atomic::{AtomicU64, Ordering};

use prost::Message as _;
use proto::concert::v1::{ConfirmReservationRequest, LockReservationRequest};
use proto::customer::v1::point_transaction::Kind;
use proto::customer::v1::{CapturePointsRequest, CreditPointsRequest, ReservePointsRequest};
use proto::orchestrator::v1::checkout::State;
use proto::orchestrator::v1::{Checkout, CreateCheckoutRequest};
use proto::payment::v1::payment::{Method, Purpose};
use proto::payment::v1::{AuthorizePaymentRequest, CapturePaymentRequest, CompleteRefundRequest, CreateRefundRequest};
use proto::token::v1::CompleteQueueTokenRequest;
use serde::Serialize;
use tonic::metadata::MetadataValue;
use tonic::{Request, Status};
use tonic_types::StatusExt as _;

use crate::client::Client;
use crate::clock;

/// How often things happened that cannot be made undone.
#[derive(Debug, Default)]
pub(crate) struct Naive {
    calls: AtomicU64,
    payments_undone: AtomicU64,
    points_undone: AtomicU64,
    false_notices: AtomicU64,
    given_up: AtomicU64,
}

/// The same, at the end.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Undone {
    /// Calls to services.
    pub calls: u64,
    /// Payments that were complete and had to be refunded.
    pub payments: u64,
    /// Points that were taken and had to be given back.
    pub points: u64,
    /// Customers who were told that they had bought, and had not.
    pub notices: u64,
    /// Things that had to be taken back and could not.
    pub given_up: u64,
}

/// One checkout in that order.
struct Attempt<'a> {
    naive: &'a Naive,
    client: &'a Client,
    request: &'a CreateCheckoutRequest,
    checkout: &'a Checkout,
    saga: String,
    /// Where revenue is booked.
    revenue: &'a str,
}

impl Naive {
    /// Goes through it, and answers as the orchestrator would.
    pub(super) async fn check_out(
        &self,
        client: &Client,
        request: &CreateCheckoutRequest,
        revenue: &str,
    ) -> Result<Checkout, Status> {
        let Some(checkout) = &request.checkout else { return Err(Status::invalid_argument("no checkout")) };
        let saga = format!("sagas/{}", clock::request_id());
        let attempt = Attempt { naive: self, client, request, checkout, saga, revenue };
        attempt.run().await
    }

    pub(super) fn undone(&self) -> Undone {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Undone {
            calls: read(&self.calls),
            payments: read(&self.payments_undone),
            points: read(&self.points_undone),
            notices: read(&self.false_notices),
            given_up: read(&self.given_up),
        }
    }
}

/// A message as participants expect one of a saga.
fn step<M>(step: &'static str, message: M) -> Request<M> {
    let mut request = Request::new(message);
    request.metadata_mut().insert("saga-step", MetadataValue::from_static(step));
    request.metadata_mut().insert("saga-epoch", MetadataValue::from_static("1"));
    request
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

impl Attempt<'_> {
    async fn run(&self) -> Result<Checkout, Status> {
        let payment = match self.pay().await {
            Ok(payment) => payment,
            Err(status) => return self.failed(status),
        };
        if let Err(status) = self.use_points().await {
            self.refund(&payment).await;
            return self.failed(status);
        }
        if let Err(status) = self.confirm(&payment).await {
            self.give_points_back().await;
            self.refund(&payment).await;
            return self.failed(status);
        }
        // Here the notice goes out. What fails from now on makes it false.
        if let Err(status) = self.complete_token().await {
            count(&self.naive.false_notices);
            self.give_points_back().await;
            self.refund(&payment).await;
            return self.failed(status);
        }
        Ok(Checkout { state: State::Completed.into(), name: self.name(), ..self.checkout.clone() })
    }

    fn name(&self) -> String {
        self.saga.replace("sagas/", "checkouts/")
    }

    /// As a checkout that has failed. Whether anything went through that nobody heard of is not known.
    fn failed(&self, status: Status) -> Result<Checkout, Status> {
        if status.get_details_error_info().is_none_or(|info| info.reason.is_empty()) {
            return Err(status);
        }
        // What an error carries along is the very message that a checkout shows.
        let failure = tonic_types::Status::decode(status.details()).unwrap_or_default();
        let state = State::Failed.into();
        Ok(Checkout { state, name: self.name(), failure: Some(failure), ..self.checkout.clone() })
    }

    fn amount(&self) -> i64 {
        self.request.expected_amount.unwrap_or_default()
    }

    fn id(&self) -> String {
        count(&self.naive.calls);
        clock::request_id()
    }

    async fn pay(&self) -> Result<String, Status> {
        let request = AuthorizePaymentRequest {
            customer: self.checkout.customer.clone(),
            saga: self.saga.clone(),
            purpose: Purpose::Reservation.into(),
            reference: self.checkout.reservation.clone(),
            method: Method::Point.into(),
            amount: self.amount(),
            request_id: self.id(),
            ..Default::default()
        };
        let authorized =
            self.client.payments().authorize_payment(step("authorize-payment", request)).await?.into_inner();
        let request = CapturePaymentRequest { saga: self.saga.clone(), request_id: self.id() };
        self.client.payments().capture_payment(step("capture-payment", request)).await?;
        Ok(authorized.payment.unwrap_or_default().name)
    }

    async fn use_points(&self) -> Result<(), Status> {
        let request = ReservePointsRequest {
            customer: self.checkout.customer.clone(),
            saga: self.saga.clone(),
            amount: self.amount(),
            request_id: self.id(),
        };
        self.client.points().reserve_points(step("reserve-points", request)).await?;
        let request = CapturePointsRequest {
            customer: self.checkout.customer.clone(),
            saga: self.saga.clone(),
            credit_account: self.revenue.to_owned(),
            request_id: self.id(),
        };
        self.client.points().capture_points(step("capture-points", request)).await?;
        Ok(())
    }

    async fn confirm(&self, payment: &str) -> Result<(), Status> {
        let request = LockReservationRequest {
            name: self.checkout.reservation.clone(),
            customer: self.checkout.customer.clone(),
            saga: self.saga.clone(),
            request_id: self.id(),
            ..Default::default()
        };
        self.client.reservations().lock_reservation(step("lock-reservation", request)).await?;
        let request = ConfirmReservationRequest {
            name: self.checkout.reservation.clone(),
            saga: self.saga.clone(),
            payment: payment.to_owned(),
            request_id: self.id(),
        };
        self.client.reservations().confirm_reservation(step("confirm-reservation", request)).await?;
        Ok(())
    }

    async fn complete_token(&self) -> Result<(), Status> {
        let request = CompleteQueueTokenRequest {
            name: self.checkout.queue_token.clone(),
            saga: self.saga.clone(),
            request_id: self.id(),
            customer: self.checkout.customer.clone(),
        };
        self.client.tokens().complete_queue_token(step("complete-token", request)).await.map(drop)
    }

    async fn refund(&self, payment: &str) {
        count(&self.naive.payments_undone);
        let refunded = async {
            let request = CreateRefundRequest {
                parent: payment.to_owned(),
                saga: self.saga.clone(),
                amount: self.amount(),
                reason: "the checkout has failed".into(),
                request_id: self.id(),
            };
            self.client.payments().create_refund(step("create-refund", request)).await?;
            let request = CompleteRefundRequest { saga: self.saga.clone(), request_id: self.id() };
            self.client.payments().complete_refund(step("complete-refund", request)).await.map(drop)
        };
        self.note(refunded.await);
    }

    async fn give_points_back(&self) {
        count(&self.naive.points_undone);
        let request = CreditPointsRequest {
            customer: self.checkout.customer.clone(),
            saga: self.saga.clone(),
            amount: self.amount(),
            kind: Kind::Refund.into(),
            debit_account: self.revenue.to_owned(),
            request_id: self.id(),
            ..Default::default()
        };
        self.note(self.client.points().credit_points(step("credit-points", request)).await.map(drop));
    }

    fn note(&self, taken_back: Result<(), Status>) {
        if taken_back.is_err() {
            count(&self.naive.given_up);
        }
    }
}
