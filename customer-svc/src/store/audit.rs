//! The statements that keep who changed what.

use service_kit::args;
use service_kit::db::{self, Tx};

use super::Statement;
use crate::audit::{Actor, Resolution, Transition};
use crate::customers::State;
use crate::points::ReservationState;

/// Keeps that a customer has changed his state.
pub(super) async fn keep(tx: &mut Tx<'_>, changed: &Transition) -> Result<(), db::Error> {
    let now_ms = tx.now_ms();
    let (sql, args) = transition(changed, now_ms);
    tx.execute(sql, &args).await.map(drop)
}

/// The statement of that, to be sent with others.
pub(super) fn transition(changed: &Transition, now_ms: i64) -> Statement<'_> {
    const INSERT: &str = "insert into customer_transitions (customer_id, version, from_state, to_state, actor, \
        request_id, reason, create_time) values ($1, $2, $3, $4, $5, $6, $7, $8)";
    let Transition { customer, version, from, to, cause } = changed;
    let from = from.map_or("", State::name);
    let args = args![*customer, *version, from, to.name(), cause.actor.name(), cause.request_id, &cause.reason, now_ms];
    (INSERT, args.to_vec())
}

/// The statement that keeps what became of a reservation, to be sent with others. Of a saga that asks twice it keeps the
/// first.
pub(super) fn resolution(resolved: Resolution, now_ms: i64) -> Statement<'static> {
    const INSERT: &str = "insert into customer_reservation_transitions (saga_id, version, customer_id, from_state, \
        to_state, actor, request_id, reason, create_time) values ($1, $2, $3, $4, $5, $6, $7, '', $8) \
        on conflict do nothing";
    let Resolution { key, to, request_id } = resolved;
    let (version, from): (i64, &str) = match to {
        ReservationState::Pending => (1, ""),
        ReservationState::Captured | ReservationState::Released => (2, ReservationState::Pending.name()),
    };
    let args = args![key.saga, version, key.customer, from, to.name(), Actor::Saga.name(), request_id, now_ms];
    (INSERT, args.to_vec())
}
