//! Cancellations: what customers and operators ask for, read field by field, and the resource that they get.

use proto::orchestrator::v1 as pb;
use service_kit::ids;
use service_kit::refusal::Fault;
use service_kit::wire::timestamp;

use super::order::{Asked, Kind, Order, failure, state};
use crate::config::Config;
use crate::desk::Face;
use crate::journal::Record;
use crate::plans::cancellation::{self, Cancellation, Input};

pub(super) const KIND: Kind = Kind {
    face: Face { collection: "cancellations", kind: Some(cancellation::KIND), missing: "CANCELLATION_NOT_FOUND" },
    definition: &Cancellation,
};

/// A cancellation that somebody asks for.
pub(super) fn read(request: pb::CreateCancellationRequest, config: &Config) -> Result<Order, Fault> {
    let asked = request.cancellation.ok_or_else(|| Fault::field("cancellation", "is required"))?;
    ids::name("cancellation.reservation", &asked.reservation, "reservations")?;
    if !asked.customer.is_empty() {
        ids::name("cancellation.customer", &asked.customer, "customers")?;
        if request.waive_fee {
            let problem = "is for operators, who leave cancellation.customer empty";
            return Err(Fault::field("waive_fee", problem));
        }
    }
    let input = Input { reservation: asked.reservation, customer: asked.customer, waive_fee: request.waive_fee };
    order(input, (request.request_id, request.wait), config)
}

/// The same, read already.
pub(crate) fn order(
    input: Input,
    (request_id, wait): (String, Option<prost_types::Duration>),
    config: &Config,
) -> Result<Order, Fault> {
    let (subject, reference) = (input.customer.clone(), input.reservation.clone());
    Order::new(&KIND, Asked { subject, reference, input, skip: Vec::new(), request_id, wait }, config)
}

/// A cancellation as it stands.
pub(super) fn show(record: &Record) -> pb::Cancellation {
    let begun = cancellation::begun(record);
    pb::Cancellation {
        name: format!("cancellations/{}", record.id),
        reservation: record.reference.clone(),
        refund: cancellation::refund(record).unwrap_or_default(),
        refund_amount: begun.as_ref().map_or(0, |begun| begun.refund),
        fee_amount: begun.map_or(0, |begun| begun.fee),
        state: state(&KIND, record).into(),
        failure: failure(&KIND, record),
        customer: record.subject.clone(),
        create_time: Some(timestamp(record.create_time)),
        decide_time: record.saga.decided_ms().map(timestamp),
        end_time: record.saga.ended_ms().map(timestamp),
        version: record.version,
    }
}
