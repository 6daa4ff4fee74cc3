//! What the world hears of a checkout that has ended.

use prost::Message as _;
use proto::event::v1 as event;
use service_kit::wire::timestamp;

use super::{PLAN, input, locked, payment, tickets};
use crate::journal::Record;
use crate::plans::{Announced, refusing_step};
use crate::status::wire;

pub(super) fn completed(record: &Record) -> Announced {
    let input = input(record).ok();
    let locked = locked(record);
    let data = event::CheckoutCompleted {
        checkout: format!("checkouts/{}", record.id),
        customer: record.subject.clone(),
        reservation: input.map(|input| input.reservation).unwrap_or_default(),
        payment: payment(record).unwrap_or_default(),
        amount: locked.as_ref().map_or(0, |locked| locked.amount),
        currency_code: "KRW".into(),
        tickets: tickets(record),
        decide_time: record.saga.decided_ms().map(timestamp),
        performance_start_time: locked.as_ref().map(|locked| timestamp(locked.start_ms)),
        seat_labels: locked.iter().flat_map(|locked| &locked.seats).map(|(_, label)| label.clone()).collect(),
        concert_title: locked.as_ref().map(|locked| locked.title.clone()).unwrap_or_default(),
        artist: locked.as_ref().map(|locked| locked.artist.clone()).unwrap_or_default(),
        concert: locked.map(|locked| locked.concert).unwrap_or_default(),
    };
    Announced { kind: "ticketing.checkout.completed.v1", aggregate: data.checkout.clone(), data: data.encode_to_vec() }
}

pub(super) fn failed(record: &Record) -> Announced {
    let data = event::CheckoutFailed {
        checkout: format!("checkouts/{}", record.id),
        customer: record.subject.clone(),
        reservation: record.reference.clone(),
        refusing_step: refusing_step(&PLAN, record).to_owned(),
        failure: record.saga.failure().map(wire::why),
    };
    Announced { kind: "ticketing.checkout.failed.v1", aggregate: data.checkout.clone(), data: data.encode_to_vec() }
}
