//! What the delivery service of `ticketing.payment.v1` accepts.

use crate::World;
use crate::world::NOW_MS;
use bytes::Bytes;
use events::{CloudEvent, PROTOBUF, Receipt};
use proto::payment::v1 as pb;
use proto::payment::v1::delivery_service_client::DeliveryServiceClient;

use super::{Stage, encode};

impl Stage {
    pub(super) fn deliveries(&self, method: &str) -> Option<Vec<u8>> {
        let name = self.delivery.clone();
        match method {
            "GetDelivery" => encode(&pb::GetDeliveryRequest { name }),
            "ListDeliveries" => encode(&pb::ListDeliveriesRequest {
                filter: "channel = DATA_PLATFORM AND state = PENDING".into(),
                page_size: 1,
                ..Default::default()
            }),
            "RetryDelivery" => encode(&pb::RetryDeliveryRequest { name, reason: "the platform is back".into() }),
            _ => None,
        }
    }
}

/// Something has happened that the data platform is to hear of: `deliveries/{uuid}`.
pub(super) async fn deliver(world: &World) -> String {
    let event = CloudEvent {
        id: world.id(),
        source: "/ticketing/concert".into(),
        kind: "ticketing.concert.published.v1".into(),
        subject: "concerts/1".into(),
        time_ms: NOW_MS,
        partition: "concerts/1".into(),
        version: 1,
        correlation: None,
        causation: None,
        trace_parent: None,
        expiry_time_ms: None,
        schema: None,
        content_type: PROTOBUF.into(),
        data: Bytes::new(),
    };
    assert_eq!(world.deliveries().handler().handle(&[event]).await, [Receipt::Taken]);
    let mut client = DeliveryServiceClient::new(world.server("ticketing.payment.v1"));
    let page = client.list_deliveries(pb::ListDeliveriesRequest::default()).await.expect("it is there").into_inner();
    page.deliveries[0].name.clone()
}
