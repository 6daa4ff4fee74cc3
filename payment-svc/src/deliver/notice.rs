//! What customers are told, and of which events: a template at the provider and what is filled in there. Phone numbers are
//! not among it; they are asked for when a notice is sent.

use std::collections::BTreeMap;

use events::{CloudEvent, Malformed};
use proto::event::v1 as pb;
use serde::{Deserialize, Serialize};
use service_kit::ids;
use uuid::Uuid;

/// A notice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Notice {
    pub(crate) template_code: String,
    pub(crate) variables: BTreeMap<String, String>,
}

/// The notice that an event makes, and whom it goes to; none for most events.
pub(crate) fn of(event: &CloudEvent) -> Result<Option<(Uuid, Notice)>, Malformed> {
    let (customer, template, variables) = match event.kind.as_str() {
        "ticketing.checkout.completed.v1" => checkout(event.decode()?),
        "ticketing.cancellation.completed.v1" => cancellation(event.decode()?),
        "ticketing.pointcharge.completed.v1" => point_charge(event.decode()?),
        _ => return Ok(None),
    };
    let wrong = |_| Malformed(format!("the data of {}: {customer:?} is no customer", event.kind));
    let customer = ids::name("customer", &customer, "customers").map_err(wrong)?;
    let variables = variables.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    Ok(Some((customer, Notice { template_code: template.to_owned(), variables })))
}

type Filled = (String, &'static str, Vec<(&'static str, String)>);

fn checkout(data: pb::CheckoutCompleted) -> Filled {
    let start = data.performance_start_time.map(|time| time.to_string()).unwrap_or_default();
    let variables = vec![
        ("reservation", data.reservation),
        ("title", data.concert_title),
        ("artist", data.artist),
        ("start_time", start),
        ("seats", data.seat_labels.join(", ")),
        ("amount", data.amount.to_string()),
        ("currency", data.currency_code),
    ];
    (data.customer, "CHECKOUT_COMPLETED", variables)
}

fn cancellation(data: pb::CancellationCompleted) -> Filled {
    let variables = vec![
        ("reservation", data.reservation),
        ("refund_amount", data.refund_amount.to_string()),
        ("fee_amount", data.fee_amount.to_string()),
    ];
    (data.customer, "CANCELLATION_COMPLETED", variables)
}

fn point_charge(data: pb::PointChargeCompleted) -> Filled {
    let variables = vec![
        ("point_charge", data.point_charge),
        ("amount", data.amount.to_string()),
        ("balance", data.balance_after.to_string()),
    ];
    (data.customer, "POINT_CHARGE_COMPLETED", variables)
}
