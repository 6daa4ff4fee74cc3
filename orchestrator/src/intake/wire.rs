//! Records of the journal as the resources that customers know.

use pb::checkout::State as Shown;
use proto::orchestrator::v1 as pb;
use saga::{Phase, State};
use service_kit::wire::timestamp;

use crate::journal::Record;
use crate::plans::checkout;
use crate::status::listing::Catalogue;
use crate::status::wire::why;

/// What checkouts are listed by.
pub(super) const CATALOGUE: Catalogue = Catalogue {
    kind: Some(checkout::KIND),
    fields: &["customer", "reservation", "state"],
    states: &[
        ("RUNNING", &["running", "arbitrating", "suspended"]),
        ("COMPLETING", &["completing", "suspended"]),
        ("COMPLETED", &["completed"]),
        ("COMPENSATING", &["compensating", "suspended"]),
        ("FAILED", &["compensated"]),
    ],
    shows: |record| state(record).as_str_name(),
};

/// A checkout as it stands.
pub(super) fn checkout(record: &Record) -> pb::Checkout {
    let (input, locked) = (checkout::input(record).ok(), checkout::locked(record));
    let state = state(record);
    let fails = matches!(state, Shown::Compensating | Shown::Failed);
    pb::Checkout {
        name: format!("checkouts/{}", record.id),
        customer: record.subject.clone(),
        reservation: record.reference.clone(),
        payment_method: input.as_ref().map_or(0, |input| input.method),
        amount: locked.as_ref().map_or(0, |locked| locked.amount),
        payment: checkout::payment(record).unwrap_or_default(),
        tickets: checkout::tickets(record),
        state: state.into(),
        failure: record.saga.failure().filter(|_| fails).map(why),
        create_time: Some(timestamp(record.create_time)),
        decide_time: record.saga.decided_ms().map(timestamp),
        end_time: record.saga.ended_ms().map(timestamp),
        version: record.version,
        seats: locked.map(|locked| locked.seat_names()).unwrap_or_default(),
        queue_token: input.map(|input| input.queue_token).unwrap_or_default(),
    }
}

/// A suspended checkout shows what it was about to do, and whether its pivot was answered meanwhile.
fn state(record: &Record) -> Shown {
    match record.saga.phase() {
        Some(_) if record.saga.is_past_pivot(&checkout::PLAN) => Shown::Completing,
        Some(Phase::Running | Phase::Arbitrating) => Shown::Running,
        Some(Phase::Completing) => Shown::Completing,
        Some(Phase::Compensating) => Shown::Compensating,
        None if *record.saga.state() == State::Completed => Shown::Completed,
        None => Shown::Failed,
    }
}
