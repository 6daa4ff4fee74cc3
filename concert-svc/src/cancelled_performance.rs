//! Performances that will not take place: new holds and confirmations are refused from the commit on, holds that exist end
//! at once, and what is confirmed waits to be given back, one cancellation saga each.
//!
//! A confirmation that has read SCHEDULED may commit after the cancellation of its performance. No lock prevents that: all
//! confirmations of an evening would meet at one row. It cannot go unseen either: its reservation was CONFIRMING by then, as
//! only such a one is confirmed, and is listed as long as it is CONFIRMING or CONFIRMED. Whoever gives back what is listed
//! until nothing is has given back all.

use service_kit::db::{self, Tx};
use service_kit::refusal::Fault;
use uuid::Uuid;

use crate::change::free;
use crate::concert::Performance;
use crate::record::Cause;
use crate::reservation::Reservation;
use crate::store::{self, CatalogueChange};
use crate::{not_found, state::State as _};

/// The performance to cancel, and on whose word.
#[derive(Debug, Clone)]
pub(crate) struct CancelPerformance {
    pub(crate) concert: Uuid,
    pub(crate) performance: Uuid,
    pub(crate) etag: String,
    /// For people.
    pub(crate) reason: String,
    pub(crate) request_id: Option<Uuid>,
}

/// SCHEDULED to CANCELLED; one that is cancelled stays so.
pub(crate) async fn cancel(tx: &mut Tx<'_>, order: &CancelPerformance) -> Result<Performance, Fault> {
    let CancelPerformance { concert, performance: id, etag, reason, request_id } = order;
    let found = store::performance_to_change(tx, *concert, *id).await?;
    let mut performance = found.ok_or_else(|| not_found::performance(*concert, *id))?;
    performance.expect_version(etag)?;
    let from = performance.state;
    if performance.cancel()? {
        performance.version += 1;
        let change = CatalogueChange {
            aggregate: *id,
            version: performance.version,
            states: (from.column(), performance.state.column()),
            request_id: *request_id,
            reason,
        };
        store::save_performance(tx, &performance, &change).await?;
    }
    Ok(performance)
}

/// Ends some holds of a performance that is cancelled, `limit` at most; tells how many. One that was placed at the same
/// moment may escape: it can be neither locked nor confirmed, and lapses in its time.
pub(crate) async fn end_holds(
    tx: &mut Tx<'_>,
    performance: Uuid,
    limit: i64,
    cause: &Cause,
) -> Result<usize, db::Error> {
    let ended = store::end_holds(tx, performance, limit).await?;
    free(tx, &ended, cause).await?;
    Ok(ended.len())
}

/// So many reservations of cancelled performances that are CONFIRMED, or CONFIRMING and may become so, after the given
/// performance and reservation.
pub(crate) async fn to_give_back(
    tx: &mut Tx<'_>,
    (mut performance, after): (Uuid, Uuid),
    limit: i64,
) -> Result<Vec<Reservation>, db::Error> {
    let mut found = Vec::new();
    if !performance.is_nil() {
        found = store::sold_of(tx, performance, after, limit).await?;
    }
    while let missing @ 1.. = limit - found.len() as i64 {
        let Some(next) = store::next_cancelled_performance(tx, performance).await? else { break };
        found.extend(store::sold_of(tx, next, Uuid::nil(), missing).await?);
        performance = next;
    }
    Ok(found)
}
