//! Statements about what is kept of the past.

use service_kit::args;
use uuid::Uuid;

use super::Statement;
use crate::record::Record;
use crate::state::{ReservationState, State as _};

/// Adds a row to a reservation's history, unless somebody else has come to that version first.
pub(crate) fn insert_transition<'a>(record: &'a Record<'_>) -> Statement<'a> {
    let sql = "insert into concert_reservation_transitions (reservation_id, version, from_state, to_state, actor, \
               request_id, saga_id, reason, create_time) values ($1, $2, $3, $4, $5, $6, $7, $8, $9) \
               on conflict do nothing";
    let (reservation, cause) = (record.reservation, record.cause);
    let row = args![
        reservation.id,
        record.version,
        record.from.map(ReservationState::column),
        reservation.state.column(),
        &cause.actor,
        cause.request_id,
        cause.saga,
        cause.reason,
        record.time,
    ];
    (sql, row.to_vec())
}

/// A change of a concert or a performance, as it is written down.
#[derive(Debug)]
pub(crate) struct CatalogueChange<'a> {
    pub(crate) aggregate: Uuid,
    /// After the change.
    pub(crate) version: i64,
    /// From one to another, as the columns have them.
    pub(crate) states: (i64, i64),
    pub(crate) request_id: Option<Uuid>,
    pub(crate) reason: &'a str,
}

/// Adds a row to the history of a concert or a performance.
pub(super) fn insert_catalogue_transition<'a>(change: &CatalogueChange<'a>, now_ms: i64) -> Statement<'a> {
    let sql = "insert into concert_catalogue_transitions (aggregate_id, version, from_state, to_state, request_id, \
               reason, create_time) values ($1, $2, $3, $4, $5, $6, $7)";
    let (from, to) = change.states;
    let row = args![change.aggregate, change.version, from, to, change.request_id, change.reason, now_ms];
    (sql, row.to_vec())
}
