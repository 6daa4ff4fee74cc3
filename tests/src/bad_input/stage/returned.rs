//! Purchases that are given back, and what `ticketing.payment.v1` accepts about their refunds.

use crate::world::PRICE;
use crate::{Held, World};
use proto::concert::v1 as concert;
use proto::payment::v1 as pb;
use proto::payment::v1::payment_service_client::PaymentServiceClient;

use super::{Stage, encode, step};

/// One that is being given back, and one that has been.
pub(super) struct Returned {
    /// CANCELLING under the lock of `saga`, which has taken up the refund.
    pub(super) held: Held,
    pub(super) saga: String,
    pub(super) refund: String,
    /// A cancellation that has completed.
    pub(super) cancellation: String,
}

impl Returned {
    pub(super) async fn new(world: &World) -> Self {
        let (held, given_back) = (world.bought(6).await, world.bought(7).await);
        let cancellation = world.cancel(&given_back).await.name;
        let saga = format!("sagas/{}", world.id());
        let request_id = world.id().to_string();
        let begin = concert::BeginReservationCancellationRequest {
            name: held.reservation.clone(),
            customer: held.customer.clone(),
            saga: saga.clone(),
            request_id: request_id.clone(),
            ..Default::default()
        };
        let begun = world.reservations().begin_reservation_cancellation(step("begin-cancellation", begin)).await;
        let begun = begun.expect("it is not too late").into_inner();
        let create = pb::CreateRefundRequest {
            parent: begun.reservation.expect("it says what it was").payment,
            saga: saga.clone(),
            amount: begun.amount,
            request_id,
            ..Default::default()
        };
        let mut payments = PaymentServiceClient::new(world.server("ticketing.payment.v1"));
        let created = payments.create_refund(step("create-refund", create)).await.expect("it was captured");
        let refund = created.into_inner().refund.expect("it says which").name;
        Self { held, saga, refund, cancellation }
    }
}

impl Stage {
    /// The payment of the buyer.
    pub(super) fn payment(&self) -> String {
        self.checkout.replace("checkouts/", "payments/")
    }

    pub(super) fn refunds(&self, method: &str) -> Option<Vec<u8>> {
        let (saga, request_id) = (self.returned.saga.clone(), self.request_id());
        match method {
            "CreateRefund" => encode(&pb::CreateRefundRequest {
                parent: self.payment(),
                saga: self.other_saga(),
                amount: PRICE,
                reason: "changed my mind".into(),
                request_id,
            }),
            "CancelRefund" => encode(&pb::CancelRefundRequest { saga, request_id }),
            "CompleteRefund" => encode(&pb::CompleteRefundRequest { saga, request_id }),
            "GetRefund" => encode(&pb::GetRefundRequest { name: self.returned.refund.clone() }),
            "ListRefunds" => {
                encode(&pb::ListRefundsRequest { parent: self.payment(), page_size: 1, ..Default::default() })
            }
            _ => None,
        }
    }
}
