//! Statements about what is kept of the past.

use service_kit::args;

use super::Statement;
use crate::record::Record;
use crate::state::ReservationState;
use crate::state::State as _;

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
