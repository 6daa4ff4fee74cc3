//! What customers ask for. A call that creates is checked, becomes one acceptance by the runner, and is answered once the
//! outcome is decided; the same request id means the same saga, however often it is asked for.
//!
//! Messages are read in `order.rs` and written in `wire.rs`. Nothing here decides what happens to a saga.

use std::pin::Pin;
use std::sync::Arc;

use futures_util::{Stream, StreamExt as _};
use proto::orchestrator::v1 as pb;
use proto::orchestrator::v1::checkout_service_server::CheckoutService;
use saga::{Event, Phase};
use service_kit::refusal::{Fault, Refusal};
use tonic::{Code, Request, Response, Status};

use crate::desk::{Desk, Face};
use crate::faults::{self, status};
use crate::journal::{Accepted, Record};
use crate::later;
use crate::plans::checkout;
use crate::runner::Intervention;
use crate::status::listing::Ask;

mod foresee;
mod order;
mod wire;

use order::Order;

const CHECKOUTS: Face = Face { collection: "checkouts", kind: Some(checkout::KIND), missing: "CHECKOUT_NOT_FOUND" };

/// The service for customers.
#[derive(Debug, Clone)]
pub(crate) struct Intake(Desk);

type Answer<T> = Result<Response<T>, Status>;

impl Intake {
    pub(crate) fn new(desk: Desk) -> Self {
        Self(desk)
    }

    /// Starts the saga, or finds the one that the same request started, and waits for its outcome.
    async fn place(&self, order: Order) -> Result<Arc<Record>, Fault> {
        let Order { new, wait, .. } = order;
        let (id, hash) = (new.id, new.request_hash.clone());
        let mut follow = self.0.follow(id);
        let first = match self.0.shards.accept(new).await.map_err(faults::of_runner)? {
            Accepted::Existing(record) if record.request_hash != hash => return Err(reused()),
            Accepted::Existing(record) => Arc::new(*record),
            Accepted::New => match follow.hint() {
                Some(record) => record,
                None => Arc::new(self.0.load(&CHECKOUTS, id).await?),
            },
        };
        if is_answer(&first) || wait.is_zero() {
            return Ok(first);
        }
        let waiting = tokio::time::timeout(wait, follow.until(is_answer));
        match self.0.stop.run_until_cancelled(waiting).await {
            Some(Ok(record)) => Ok(record),
            // The saga is durable, so whatever happens now, this is no failure.
            Some(Err(_)) | None => Ok(self.0.load(&CHECKOUTS, id).await.map_or(first, Arc::new)),
        }
    }

    async fn stop(&self, request: pb::CancelCheckoutRequest) -> Result<Arc<Record>, Fault> {
        let id = CHECKOUTS.id("name", &request.name)?;
        let act = order::act(request.customer, request.reason)?;
        let record = self.0.load(&CHECKOUTS, id).await?;
        if act.by.starts_with("customers/") && act.by != record.subject {
            return Err(not_owner().into());
        }
        let intervention = Intervention { event: Event::CancelRequested(act), expected_version: None };
        self.0.intervene(&CHECKOUTS, id, intervention).await
    }

    async fn list(&self, request: pb::ListCheckoutsRequest) -> Result<pb::ListCheckoutsResponse, Fault> {
        let ask = Ask {
            filter: &request.filter,
            page_size: request.page_size,
            page_token: &request.page_token,
            order_by: &request.order_by,
        };
        let page = ask.read(&wire::CATALOGUE)?.page(&self.0.shards).await?;
        let checkouts = page.records.iter().map(wire::checkout).collect();
        Ok(pb::ListCheckoutsResponse { checkouts, next_page_token: page.next })
    }
}

/// Whether a waiting caller has his answer: the seats are his, or all is taken back.
fn is_answer(record: &Record) -> bool {
    let saga = &record.saga;
    saga.is_terminal() || saga.phase() == Some(Phase::Completing)
}

fn reused() -> Fault {
    Fault::Invalid {
        field: "request_id".into(),
        problem: "was used before for a checkout of something else; take a new one".into(),
        reason: "REQUEST_ID_REUSED",
    }
}

fn not_owner() -> Refusal {
    Refusal::new(Code::PermissionDenied, "NOT_OWNER", "it belongs to another customer")
}

#[tonic::async_trait]
impl CheckoutService for Intake {
    async fn create_checkout(&self, request: Request<pb::CreateCheckoutRequest>) -> Answer<pb::Checkout> {
        let order = Order::read(request.into_inner(), &self.0.config).map_err(status)?;
        if order.validate_only {
            return foresee::checkout(&self.0, &order.input).await.map(Response::new);
        }
        let record = self.place(order).await.map_err(status)?;
        Ok(Response::new(wire::checkout(&record)))
    }

    async fn get_checkout(&self, request: Request<pb::GetCheckoutRequest>) -> Answer<pb::Checkout> {
        let id = CHECKOUTS.id("name", &request.get_ref().name).map_err(status)?;
        let record = self.0.load(&CHECKOUTS, id).await.map_err(status)?;
        Ok(Response::new(wire::checkout(&record)))
    }

    async fn list_checkouts(&self, request: Request<pb::ListCheckoutsRequest>) -> Answer<pb::ListCheckoutsResponse> {
        self.list(request.into_inner()).await.map(Response::new).map_err(status)
    }

    type WatchCheckoutStream = Pin<Box<dyn Stream<Item = Result<pb::Checkout, Status>> + Send>>;

    async fn watch_checkout(&self, request: Request<pb::WatchCheckoutRequest>) -> Answer<Self::WatchCheckoutStream> {
        let id = CHECKOUTS.id("name", &request.get_ref().name).map_err(status)?;
        let versions = self.0.versions(&CHECKOUTS, id).await.map_err(status)?;
        Ok(Response::new(Box::pin(versions.map(|record| Ok(wire::checkout(&record))))))
    }

    async fn cancel_checkout(&self, request: Request<pb::CancelCheckoutRequest>) -> Answer<pb::Checkout> {
        let record = self.stop(request.into_inner()).await.map_err(status)?;
        Ok(Response::new(wire::checkout(&record)))
    }

    async fn create_cancellation(&self, _: Request<pb::CreateCancellationRequest>) -> Answer<pb::Cancellation> {
        Err(later::cancellation("CreateCancellation"))
    }

    async fn get_cancellation(&self, _: Request<pb::GetCancellationRequest>) -> Answer<pb::Cancellation> {
        Err(later::cancellation("GetCancellation"))
    }

    async fn create_point_charge(&self, _: Request<pb::CreatePointChargeRequest>) -> Answer<pb::PointCharge> {
        Err(later::point_charge("CreatePointCharge"))
    }

    async fn get_point_charge(&self, _: Request<pb::GetPointChargeRequest>) -> Answer<pb::PointCharge> {
        Err(later::point_charge("GetPointCharge"))
    }
}
