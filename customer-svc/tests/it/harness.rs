//! One customer service with short words for what the scenarios do to it.

use std::sync::Arc;

use customer_svc::Config;
use customer_svc::verify::{self, CHECKS};
use proto::customer::v1 as pb;
use proto::customer::v1::customer_service_client::CustomerServiceClient;
use proto::customer::v1::point_service_client::PointServiceClient;
use service_kit::clock::ManualClock;
use service_kit::db::{self, Db, FromRow};
use service_kit::host::Host;
use service_kit::ids::{self, Ids};
use service_kit::refusal::{self, SagaOutcome};
use testbed::Engine;
use tonic::service::Routes;
use tonic::{Code, Request, Status};
use tonic_types::StatusExt as _;
use uuid::Uuid;

pub(crate) const CONCERT_ACCOUNT: &str = "revenue/concerts/00000000-0000-0000-0000-00000000000c";

#[derive(Clone)]
pub(crate) struct Service {
    pub(crate) db: Db,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) customers: CustomerServiceClient<Routes>,
    pub(crate) points: PointServiceClient<Routes>,
}

impl Service {
    /// A new service in memory.
    pub(crate) async fn new() -> Self {
        let clock = Arc::new(ManualClock::at(1_000));
        Self::over(testbed::db(clock.clone()).await, clock).await
    }

    pub(crate) async fn over(db: Db, clock: Arc<ManualClock>) -> Self {
        let host = Host::new(db.clone(), clock.clone(), Ids::seeded(7));
        let routes = customer_svc::start(&host, Config::default()).await.unwrap();
        let customers = CustomerServiceClient::new(routes.clone());
        let points = PointServiceClient::new(routes);
        Self { db, clock, customers, points }
    }

    /// A customer with points: his name.
    pub(crate) async fn customer(&mut self, points: i64) -> String {
        let customer = pb::Customer { display_name: "Kim".into(), ..Default::default() };
        let request = pb::CreateCustomerRequest { customer: Some(customer), ..Default::default() };
        let name = self.customers.create_customer(request).await.unwrap().into_inner().name;
        if points > 0 {
            let id = Uuid::try_parse(&name["customers/".len()..]).unwrap().as_u128();
            self.adjust(&name, points, id).await.unwrap();
        }
        name
    }

    pub(crate) async fn adjust(
        &mut self,
        customer: &str,
        amount: i64,
        id: u128,
    ) -> Result<pb::PointTransaction, Status> {
        let request = adjustment(customer, amount, id);
        self.points.adjust_points(request).await.map(tonic::Response::into_inner)
    }

    pub(crate) async fn reserve(
        &mut self,
        customer: &str,
        saga: u128,
        amount: i64,
    ) -> Result<pb::ReservePointsResponse, Status> {
        let request = step("reserve-points", reserve(customer, saga, amount));
        self.points.reserve_points(request).await.map(tonic::Response::into_inner)
    }

    pub(crate) async fn release(&mut self, customer: &str, saga: u128) -> Result<pb::ReleasePointsResponse, Status> {
        let request = step("reserve-points", release(customer, saga));
        self.points.release_points(request).await.map(tonic::Response::into_inner)
    }

    pub(crate) async fn capture(&mut self, customer: &str, saga: u128) -> Result<pb::CapturePointsResponse, Status> {
        let request = step("capture-points", capture(customer, saga));
        self.points.capture_points(request).await.map(tonic::Response::into_inner)
    }

    pub(crate) async fn credit(
        &mut self,
        request: pb::CreditPointsRequest,
    ) -> Result<pb::CreditPointsResponse, Status> {
        self.points.credit_points(step("credit-points", request)).await.map(tonic::Response::into_inner)
    }

    /// What is posted and what is reserved.
    pub(crate) async fn account(&mut self, customer: &str) -> (i64, i64) {
        let request = pb::GetPointAccountRequest { name: format!("{customer}/pointAccount") };
        let account = self.points.get_point_account(request).await.unwrap().into_inner();
        assert_eq!(account.available_balance, account.posted_balance - account.reserved_amount);
        (account.posted_balance, account.reserved_amount)
    }

    /// The state of a saga's reservation.
    pub(crate) async fn reservation(&mut self, customer: &str, saga: u128) -> String {
        let request = pb::GetPointReservationRequest { customer: customer.into(), saga: saga_name(saga) };
        let reservation = self.points.get_point_reservation(request).await;
        reservation.map_or_else(
            |status| refusal::reason(&status).unwrap(),
            |found| found.into_inner().state().as_str_name().into(),
        )
    }

    /// The signed amounts of a customer's entries, newest first.
    pub(crate) async fn entries(&mut self, customer: &str) -> Vec<i64> {
        let request = pb::ListPointTransactionsRequest { parent: customer.into(), ..Default::default() };
        let page = self.points.list_point_transactions(request).await.unwrap().into_inner();
        page.point_transactions.iter().map(|entry| entry.amount).collect()
    }

    /// What breaks a rule, by the rule's name.
    pub(crate) async fn findings(&self) -> Vec<(&'static str, String)> {
        let found = self.db.read(async move |tx| {
            let mut found = Vec::new();
            for check in CHECKS {
                found.extend(check.findings(tx).await?.into_iter().map(|finding| (check.id, finding.problem)));
            }
            for judged in verify::judge(tx).await? {
                found.extend(judged.findings.into_iter().map(|finding| (judged.id, finding.problem)));
            }
            Ok::<_, db::Error>(found)
        });
        found.await.unwrap()
    }

    pub(crate) async fn expect_sound(&self) {
        assert_eq!(self.findings().await, []);
    }

    /// Takes the guard off the ledger, as an owner of the tables can.
    pub(crate) async fn unguard(&self) {
        let drop: &[&'static str] = match Engine::named() {
            Engine::Sqlite => {
                &["drop trigger customer_transfers_no_update", "drop trigger customer_transfers_no_delete"]
            }
            Engine::Postgres => &["drop trigger customer_transfers_append_only on customer_transfers"],
        };
        for sql in drop {
            self.sql(sql).await;
        }
    }

    /// Rows of a statement of the test's own.
    pub(crate) async fn rows<T: FromRow + Send + 'static>(&self, sql: &'static str) -> Vec<T> {
        let rows: Result<Vec<T>, db::Error> = self.db.read(async move |tx| tx.fetch_all(sql, &[]).await).await;
        rows.unwrap()
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

/// An operator's word to put a customer to sleep.
pub(crate) fn suspend(name: &str, etag: &str) -> pb::SuspendCustomerRequest {
    let (reason, request_id) = ("it was asked for".into(), String::new());
    pb::SuspendCustomerRequest { name: name.into(), etag: etag.into(), reason, request_id }
}

pub(crate) fn reactivate(name: &str, etag: &str) -> pb::ReactivateCustomerRequest {
    pb::ReactivateCustomerRequest { name: name.into(), etag: etag.into(), ..Default::default() }
}

pub(crate) fn withdraw(name: &str, etag: &str) -> pb::WithdrawCustomerRequest {
    pb::WithdrawCustomerRequest { name: name.into(), etag: etag.into(), ..Default::default() }
}

pub(crate) fn adjustment(customer: &str, amount: i64, id: u128) -> pb::AdjustPointsRequest {
    let (customer, request_id) = (customer.into(), Uuid::from_u128(id).to_string());
    pb::AdjustPointsRequest { customer, amount, reason: "a gift".into(), request_id }
}

pub(crate) fn reserve(customer: &str, saga: u128, amount: i64) -> pb::ReservePointsRequest {
    let request_id = request_id(saga, "reserve-points", "forward");
    pb::ReservePointsRequest { customer: customer.into(), saga: saga_name(saga), amount, request_id }
}

pub(crate) fn release(customer: &str, saga: u128) -> pb::ReleasePointsRequest {
    let request_id = request_id(saga, "reserve-points", "compensate");
    pb::ReleasePointsRequest { customer: customer.into(), saga: saga_name(saga), request_id }
}

pub(crate) fn capture(customer: &str, saga: u128) -> pb::CapturePointsRequest {
    let request_id = request_id(saga, "capture-points", "forward");
    let (customer, credit_account) = (customer.into(), CONCERT_ACCOUNT.into());
    pb::CapturePointsRequest { customer, saga: saga_name(saga), credit_account, request_id }
}

pub(crate) fn charge(customer: &str, saga: u128, amount: i64) -> pb::CreditPointsRequest {
    pb::CreditPointsRequest {
        customer: customer.into(),
        saga: saga_name(saga),
        amount,
        kind: pb::point_transaction::Kind::Charge.into(),
        debit_account: "clearing/card".into(),
        request_id: request_id(saga, "credit-points", "forward"),
        ..Default::default()
    }
}

pub(crate) fn refund(customer: &str, saga: u128, amount: i64, fee_amount: i64) -> pb::CreditPointsRequest {
    pb::CreditPointsRequest {
        kind: pb::point_transaction::Kind::Refund.into(),
        debit_account: CONCERT_ACCOUNT.into(),
        fee_amount,
        fee_credit_account: "fees/cancellation".into(),
        ..charge(customer, saga, amount)
    }
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
