//! What customers ask for. A call that creates is checked, becomes one acceptance by the runner, and is answered once the
//! outcome is decided; the same request id means the same saga, however often it is asked for.
//!
//! What all kinds have in common is in `order.rs` and `place.rs`; each kind has a file that reads what is asked for and shows
//! the resource. Nothing here decides what happens to a saga.

use std::pin::Pin;
use std::sync::Arc;

use futures_util::{Stream, StreamExt as _};
use proto::orchestrator::v1 as pb;
use proto::orchestrator::v1::checkout_service_server::CheckoutService;
use saga::Event;
use service_kit::crash_point;
use service_kit::refusal::{Fault, Refusal};
use tonic::{Code, Request, Response, Status};

use self::order::Kind;
use crate::desk::Desk;
use crate::faults::status;
use crate::journal::Record;
use crate::runner::Intervention;
use crate::status::listing::Ask;

pub(crate) mod cancellation;
mod card;
mod checkout;
mod foresee;
pub(crate) mod look;
mod order;
pub(crate) mod place;
mod point_charge;

/// The service for customers.
#[derive(Debug, Clone)]
pub(crate) struct Intake(Desk);

type Answer<T> = Result<Response<T>, Status>;

impl Intake {
    pub(crate) fn new(desk: Desk) -> Self {
        Self(desk)
    }

    async fn get(&self, kind: &Kind, name: &str) -> Result<Record, Status> {
        let id = kind.face.id("name", name).map_err(status)?;
        self.0.load(&kind.face, id).await.map_err(status)
    }

    async fn stop(&self, request: pb::CancelCheckoutRequest) -> Result<Arc<Record>, Fault> {
        let face = &checkout::KIND.face;
        let id = face.id("name", &request.name)?;
        let act = order::act(request.customer, request.reason)?;
        let record = self.0.load(face, id).await?;
        if act.by.starts_with("customers/") && act.by != record.subject {
            return Err(not_owner().into());
        }
        let intervention = Intervention { event: Event::CancelRequested(act), expected_version: None };
        self.0.intervene(face, id, intervention).await
    }

    async fn list(&self, request: pb::ListCheckoutsRequest) -> Result<pb::ListCheckoutsResponse, Fault> {
        let ask = Ask {
            filter: &request.filter,
            page_size: request.page_size,
            page_token: &request.page_token,
            order_by: &request.order_by,
        };
        let page = ask.read(&checkout::CATALOGUE)?.page(&self.0.shards).await?;
        let checkouts = page.records.iter().map(checkout::show).collect();
        Ok(pb::ListCheckoutsResponse { checkouts, next_page_token: page.next })
    }
}

fn not_owner() -> Refusal {
    Refusal::new(Code::PermissionDenied, "NOT_OWNER", "it belongs to another customer")
}

#[tonic::async_trait]
impl CheckoutService for Intake {
    async fn create_checkout(&self, request: Request<pb::CreateCheckoutRequest>) -> Answer<pb::Checkout> {
        let request = request.into_inner();
        let is_question = request.validate_only;
        let (order, input) = checkout::read(request, &self.0.config).map_err(status)?;
        if is_question {
            return foresee::checkout(&self.0, &input).await.map(Response::new);
        }
        let record = place::place(&self.0, order).await.map_err(status)?;
        Ok(Response::new(checkout::show(&record)))
    }

    async fn get_checkout(&self, request: Request<pb::GetCheckoutRequest>) -> Answer<pb::Checkout> {
        let record = self.get(&checkout::KIND, &request.get_ref().name).await?;
        crash_point!("status.before_reply");
        Ok(Response::new(checkout::show(&record)))
    }

    async fn list_checkouts(&self, request: Request<pb::ListCheckoutsRequest>) -> Answer<pb::ListCheckoutsResponse> {
        self.list(request.into_inner()).await.map(Response::new).map_err(status)
    }

    type WatchCheckoutStream = Pin<Box<dyn Stream<Item = Result<pb::Checkout, Status>> + Send>>;

    async fn watch_checkout(&self, request: Request<pb::WatchCheckoutRequest>) -> Answer<Self::WatchCheckoutStream> {
        let face = &checkout::KIND.face;
        let id = face.id("name", &request.get_ref().name).map_err(status)?;
        let versions = self.0.versions(face, id).await.map_err(status)?;
        Ok(Response::new(Box::pin(versions.map(|record| Ok(checkout::show(&record))))))
    }

    async fn cancel_checkout(&self, request: Request<pb::CancelCheckoutRequest>) -> Answer<pb::Checkout> {
        let record = self.stop(request.into_inner()).await.map_err(status)?;
        Ok(Response::new(checkout::show(&record)))
    }

    async fn create_cancellation(&self, request: Request<pb::CreateCancellationRequest>) -> Answer<pb::Cancellation> {
        let order = cancellation::read(request.into_inner(), &self.0.config).map_err(status)?;
        let record = place::place(&self.0, order).await.map_err(status)?;
        Ok(Response::new(cancellation::show(&record)))
    }

    async fn get_cancellation(&self, request: Request<pb::GetCancellationRequest>) -> Answer<pb::Cancellation> {
        let record = self.get(&cancellation::KIND, &request.get_ref().name).await?;
        Ok(Response::new(cancellation::show(&record)))
    }

    async fn create_point_charge(&self, request: Request<pb::CreatePointChargeRequest>) -> Answer<pb::PointCharge> {
        let (order, input) = point_charge::read(request.into_inner(), &self.0.config).map_err(status)?;
        // Whoever asks again has the points by now, and must hear what became of them; also one who asks twice at once.
        if !place::is_known(&self.0, &order).await.map_err(status)?
            && let Err(refused) = point_charge::check(&self.0, &input).await
            && !place::is_known(&self.0, &order).await.map_err(status)?
        {
            return Err(refused);
        }
        let record = place::place(&self.0, order).await.map_err(status)?;
        Ok(Response::new(point_charge::show(&record)))
    }

    async fn get_point_charge(&self, request: Request<pb::GetPointChargeRequest>) -> Answer<pb::PointCharge> {
        let record = self.get(&point_charge::KIND, &request.get_ref().name).await?;
        Ok(Response::new(point_charge::show(&record)))
    }
}
