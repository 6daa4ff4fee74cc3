//! What the world hears of a point charge that has ended.

use prost::Message as _;
use proto::event::v1 as event;

use super::{CREDIT, Credited, PLAN, input, name};
use crate::journal::Record;
use crate::plans::{Announced, output, refusing_step};
use crate::status::wire;

pub(super) fn completed(record: &Record) -> Announced {
    let credited = output::<Credited>(&record.saga, CREDIT);
    let data = event::PointChargeCompleted {
        point_charge: name(record),
        customer: record.subject.clone(),
        amount: amount(record),
        balance_after: credited.map_or(0, |credited| credited.balance_after),
    };
    let kind = "ticketing.pointcharge.completed.v1";
    Announced { kind, aggregate: data.point_charge.clone(), data: data.encode_to_vec() }
}

pub(super) fn failed(record: &Record) -> Announced {
    let data = event::PointChargeFailed {
        point_charge: name(record),
        customer: record.subject.clone(),
        amount: amount(record),
        refusing_step: refusing_step(&PLAN, record).to_owned(),
        failure: record.saga.failure().map(wire::why),
    };
    let kind = "ticketing.pointcharge.failed.v1";
    Announced { kind, aggregate: data.point_charge.clone(), data: data.encode_to_vec() }
}

fn amount(record: &Record) -> i64 {
    input(record).map_or(0, |input| input.amount)
}
