//! What `ticketing.orchestrator.v1` accepts.

use crate::charges::AMOUNT;
use crate::world::PRICE;
use proto::orchestrator::v1 as pb;
use proto::orchestrator::v1::bulk_operation::Verb;
use proto::orchestrator::v1::saga::step::State as StepState;
use proto::payment::v1::payment::Method;
use service_kit::wire::duration;

use super::{Stage, encode};

impl Stage {
    pub(super) fn checkouts(&self, method: &str) -> Option<Vec<u8>> {
        let name = self.checkout.clone();
        match method {
            "CreateCheckout" => encode(&pb::CreateCheckoutRequest {
                checkout: Some(pb::Checkout {
                    customer: self.held.customer.clone(),
                    reservation: self.held.reservation.clone(),
                    payment_method: Method::Point.into(),
                    queue_token: self.token.name.clone(),
                    ..Default::default()
                }),
                expected_amount: Some(PRICE),
                wait: Some(duration(10)),
                request_id: self.request_id(),
                ..Default::default()
            }),
            "GetCheckout" => encode(&pb::GetCheckoutRequest { name }),
            "ListCheckouts" => encode(&pb::ListCheckoutsRequest {
                filter: format!("customer = \"{}\" AND state = COMPLETED", self.buyer.customer),
                page_size: 1,
                order_by: "create_time desc".into(),
                ..Default::default()
            }),
            "WatchCheckout" => encode(&pb::WatchCheckoutRequest { name }),
            "CancelCheckout" => encode(&pb::CancelCheckoutRequest {
                name: self.parked.name.replace("sagas/", "checkouts/"),
                customer: self.parked.customer.clone(),
                reason: "changed my mind".into(),
            }),
            _ => self.other_kinds(method),
        }
    }

    fn other_kinds(&self, method: &str) -> Option<Vec<u8>> {
        let request_id = self.request_id();
        match method {
            "CreateCancellation" => encode(&pb::CreateCancellationRequest {
                wait: Some(duration(10)),
                request_id,
                ..self.world.give_back(&self.buyer)
            }),
            "GetCancellation" => encode(&pb::GetCancellationRequest { name: self.returned.cancellation.clone() }),
            "CreatePointCharge" => encode(&pb::CreatePointChargeRequest {
                wait: Some(duration(10)),
                request_id,
                ..self.world.charge_of(&self.held.customer, AMOUNT)
            }),
            "GetPointCharge" => encode(&pb::GetPointChargeRequest { name: self.charge.clone() }),
            _ => None,
        }
    }

    pub(super) fn operations(&self, method: &str) -> Option<Vec<u8>> {
        let (name, expected_version) = (self.parked.name.clone(), self.parked.version);
        let reason = "by hand".to_owned();
        match method {
            "GetSaga" => encode(&pb::GetSagaRequest { name }),
            "ListSagas" => encode(&pb::ListSagasRequest {
                filter: "kind = checkout AND state = SUSPENDED".into(),
                page_size: 1,
                order_by: "create_time desc".into(),
                ..Default::default()
            }),
            "ListSagaEvents" => encode(&pb::ListSagaEventsRequest { parent: name, page_size: 1, ..Default::default() }),
            "WatchSaga" => encode(&pb::WatchSagaRequest { name }),
            "RetrySaga" => {
                let pb::Saga { name, version: expected_version, .. } = self.backing_off.clone();
                encode(&pb::RetrySagaRequest { name, reason, expected_version })
            }
            "AbortSaga" => encode(&pb::AbortSagaRequest { name, reason, expected_version }),
            "SuspendSaga" => encode(&pb::SuspendSagaRequest { name, reason, expected_version }),
            "ResumeSaga" => encode(&pb::ResumeSagaRequest { name, reason, expected_version }),
            "ResolveSagaStep" => encode(&pb::ResolveSagaStepRequest {
                name,
                step_id: "reserve-points".into(),
                state: StepState::Refused.into(),
                reason,
                expected_version,
                evidence: "the ledger".into(),
            }),
            _ => self.bulk_operations(method),
        }
    }

    fn bulk_operations(&self, method: &str) -> Option<Vec<u8>> {
        let name = self.operation.clone();
        match method {
            "StartBulkOperation" => encode(&pb::StartBulkOperationRequest {
                filter: "kind = checkout AND state = SUSPENDED".into(),
                verb: Verb::Resume.into(),
                reason: "by hand".into(),
                request_id: self.request_id(),
                validate_only: false,
            }),
            "GetBulkOperation" => encode(&pb::GetBulkOperationRequest { name }),
            "ListBulkOperations" => encode(&pb::ListBulkOperationsRequest { page_size: 1, ..Default::default() }),
            "ListBulkOperationResults" => {
                encode(&pb::ListBulkOperationResultsRequest { parent: name, page_size: 1, ..Default::default() })
            }
            "CancelBulkOperation" => encode(&pb::CancelBulkOperationRequest { name }),
            "GetSagaStatistics" => encode(&pb::GetSagaStatisticsRequest { window: Some(duration(60_000)) }),
            _ => None,
        }
    }
}
