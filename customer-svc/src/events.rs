//! What the service tells the world: that points were posted. No personal data.

use prost::Message as _;
use proto::event::v1::PointsPosted;
use service_kit::outbox::{Draft, Outbox};

use crate::customers;
use crate::ledger::Transfer;
use crate::wire;

pub(crate) const OUTBOX: Outbox = service_kit::outbox!("customer");

/// The event of an entry that touches a customer; none of one that passes by his account. The version is the entry's place
/// in his chain.
pub(crate) fn posted(entry: &Transfer) -> Option<Draft> {
    let told = wire::point_transaction(entry);
    if told.amount == 0 {
        return None;
    }
    let customer = customers::name(entry.customer);
    let kind = told.kind().as_str_name().to_owned();
    let posted = PointsPosted {
        customer: customer.clone(),
        point_transaction: told.name,
        kind,
        amount: told.amount,
        balance_after: told.balance_after,
        saga: told.saga,
    };
    Some(Draft {
        kind: "ticketing.points.posted.v1",
        aggregate: customer.clone(),
        version: entry.sequence,
        partition: customer,
        saga: entry.saga,
        data: posted.encode_to_vec(),
    })
}
