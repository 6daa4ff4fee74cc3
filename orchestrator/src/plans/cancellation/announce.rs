//! What the world hears of a cancellation that has ended.

use prost::Message as _;
use proto::event::v1 as event;

use super::{PLAN, begun, refund};
use crate::journal::Record;
use crate::plans::{Announced, refusing_step};
use crate::status::wire;

pub(super) fn completed(record: &Record) -> Announced {
    let begun = begun(record);
    let data = event::CancellationCompleted {
        cancellation: name(record),
        customer: owner(record),
        reservation: record.reference.clone(),
        refund: refund(record).unwrap_or_default(),
        refund_amount: begun.as_ref().map_or(0, |begun| begun.refund),
        fee_amount: begun.map_or(0, |begun| begun.fee),
    };
    let kind = "ticketing.cancellation.completed.v1";
    Announced { kind, aggregate: data.cancellation.clone(), data: data.encode_to_vec() }
}

pub(super) fn failed(record: &Record) -> Announced {
    let data = event::CancellationFailed {
        cancellation: name(record),
        customer: owner(record),
        reservation: record.reference.clone(),
        refusing_step: refusing_step(&PLAN, record).to_owned(),
        failure: record.saga.failure().map(wire::why),
    };
    let kind = "ticketing.cancellation.failed.v1";
    Announced { kind, aggregate: data.cancellation.clone(), data: data.encode_to_vec() }
}

fn name(record: &Record) -> String {
    format!("cancellations/{}", record.id)
}

/// Whose reservation it is, whoever asked.
fn owner(record: &Record) -> String {
    begun(record).map_or_else(|| record.subject.clone(), |begun| begun.customer)
}
