//! Points that are bought by card.

use outside::processor::{Processor, State};
use proto::orchestrator::v1::{Card, CreatePointChargeRequest, GetPointChargeRequest, PointCharge};
use proto::payment::v1::payment::Method;
use service_kit::wire::duration;
use tonic::{Response, Status};

use crate::World;

/// What every customer buys.
pub const AMOUNT: i64 = 30_000;

impl World {
    /// What a customer sends to buy points.
    pub fn charge_of(&self, customer: &str, amount: i64) -> CreatePointChargeRequest {
        let point_charge = PointCharge {
            customer: customer.into(),
            amount,
            payment_method: Method::Card.into(),
            ..Default::default()
        };
        CreatePointChargeRequest {
            point_charge: Some(point_charge),
            card: Some(Card { processor_token: "tok_visa".into(), last_four: "4242".into() }),
            wait: Some(duration(30_000)),
            request_id: self.id().to_string(),
        }
    }

    /// Sends it.
    pub async fn ask_charge(&self, request: CreatePointChargeRequest) -> Result<PointCharge, Status> {
        self.checkouts().create_point_charge(request).await.map(Response::into_inner)
    }

    /// Buys points, and waits until all is over.
    pub async fn charge(&self, customer: &str) -> PointCharge {
        let charge = self.ask_charge(self.charge_of(customer, AMOUNT)).await.expect("the request is accepted");
        self.settle().await;
        self.point_charge(&charge.name).await
    }

    /// A point charge as it stands.
    pub async fn point_charge(&self, name: &str) -> PointCharge {
        let request = GetPointChargeRequest { name: name.into() };
        self.checkouts().get_point_charge(request).await.expect("the charge is there").into_inner()
    }

    /// What the processor has taken of all cards, and what it still holds.
    pub fn taken_and_held(&self) -> (i64, i64) {
        let books = self.processor.as_ref().map(Processor::books).unwrap_or_default();
        let held = books.values().filter(|payment| payment.state == State::Authorized).map(|payment| payment.amount);
        (books.values().map(|payment| payment.captured).sum(), held.sum())
    }
}
